import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { readFailure, systemCode } from './storage-failure.ts';

/** No file that is read this way comes near it. */
const maxBytes = 1_048_576;

/** What stands where a file should be: nothing, or something that cannot be one of ours. */
export type NoText = { readonly text?: undefined; readonly absent: boolean; readonly problem: string };

/**
 * Reads a small file of UTF-8 text. A pipe or a device does not block, a giant is not read. Rejects with
 * `store-unreadable` where the system refuses to tell (no rights, a broken disk).
 */
export async function readTextFile(path: string): Promise<{ readonly text: string } | NoText> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const found = await file.stat();
      if (!found.isFile()) return damaged('is not a file');
      if (found.size > maxBytes) return damaged(`is larger than ${maxBytes} bytes`);
      const bytes = await file.readFile();
      if (bytes.length === 0) return damaged('is empty');
      return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof TypeError) return damaged('is not text');
    const code = systemCode(error);
    if (code === 'ENOENT') return { absent: true, problem: 'is missing' };
    if (code === 'ENOTDIR' || code === 'ELOOP' || code === 'EISDIR' || code === 'ENXIO')
      return damaged('is not a file');
    throw readFailure(path, error);
  }
}

function damaged(problem: string): NoText {
  return { absent: false, problem };
}
