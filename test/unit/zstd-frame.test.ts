import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { constants, createZstdCompress } from 'node:zlib';
import { expect, it } from 'vitest';
import { followFrame } from '../../src/backup/zstd-frame.ts';

const checksum = { [constants.ZSTD_c_checksumFlag]: 1 };
const emptyFrameBytes = 13;
/** What does not get smaller. */
const noise = Buffer.concat(
  Array.from({ length: 600 }, (_, at) => createHash('sha256').update(String(at)).digest()),
);

it('what Node compresses is whole, however often it adds an empty frame', async () => {
  const sizes = new Map<number, number>();
  // its buffer is full at the end of one of them
  for (let bytes = 16_330; bytes < 16_390; bytes++) {
    const parts = [noise.subarray(0, 5000), noise.subarray(5000, bytes)];
    const made = await buffer(Readable.from(parts).pipe(createZstdCompress({ params: checksum })));
    const frame = followFrame();
    for (const byte of made) frame.take(Buffer.of(byte));
    expect([frame.isWhole(), frame.goesOn()], `${bytes} bytes`).toEqual([true, false]);
    sizes.set(made.length - bytes, bytes);
  }
  const [fewest = 0, ...more] = [...sizes.keys()].toSorted((a, b) => a - b);
  expect(more).toContain(fewest + emptyFrameBytes);
});
