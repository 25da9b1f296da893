import { type FileHandle, open } from 'node:fs/promises';
import { readFailure, systemCode } from '../../core/storage-failure.ts';

const chunkBytes = 1 << 20;

/**
 * Whether a file is there with the content of another, or with these bytes. Two names of one file are the same without
 * reading it. Rejects with `store-unreadable`; where there is no first file, that is no fault.
 */
export async function haveSameContent(path: string, other: string | Uint8Array): Promise<boolean> {
  const file = await openFile(path);
  if (file === undefined) return false;
  try {
    if (typeof other !== 'string') return await holds(file, other);
    const second = await openFile(other);
    if (second === undefined) return false;
    try {
      return await areSame(file, second);
    } finally {
      await second.close();
    }
  } finally {
    await file.close();
  }
}

async function openFile(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(systemCode(error) ?? '')) return undefined;
    throw readFailure(path, error);
  }
}

async function holds(file: FileHandle, content: Uint8Array): Promise<boolean> {
  if ((await file.stat()).size !== content.byteLength) return false;
  return (await file.readFile()).equals(content);
}

async function areSame(file: FileHandle, other: FileHandle): Promise<boolean> {
  const [one, two] = [await file.stat(), await other.stat()];
  if (one.dev === two.dev && one.ino === two.ino) return true;
  if (!one.isFile() || !two.isFile() || one.size !== two.size) return false;
  const [first, second] = [Buffer.allocUnsafe(chunkBytes), Buffer.allocUnsafe(chunkBytes)];
  for (let at = 0; at < one.size; at += chunkBytes) {
    const length = Math.min(chunkBytes, one.size - at);
    const [a, b] = await Promise.all([file.read(first, 0, length, at), other.read(second, 0, length, at)]);
    if (a.bytesRead !== length || b.bytesRead !== length) return false;
    if (first.compare(second, 0, length, 0, length) !== 0) return false;
  }
  return true;
}
