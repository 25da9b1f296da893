import { createReadStream } from 'node:fs';

/** Every release has these words in its help. */
const ourWords = Buffer.from('appliance: a self-hosted backend in one file');

/** Whether a file is a binary of the appliance, of whatever release: looked into, never run. Rejects where it cannot be read. */
export async function isOurProgram(path: string): Promise<boolean> {
  let tail: Buffer = Buffer.alloc(0);
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
    const part = Buffer.concat([tail, chunk]);
    if (part.includes(ourWords)) return true;
    tail = part.subarray(-ourWords.length);
  }
  return false;
}
