import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Failure } from './errors.ts';
import { shellWord } from './shell-word.ts';
import { readFailure, systemCode } from './storage-failure.ts';

/** Rejects with `store-full` where the file system of a folder, which may still be missing, has not that many bytes free. */
export async function expectRoom(folder: string, bytes: number, purpose: string): Promise<void> {
  const free = await freeBytes(folder);
  if (free >= bytes) return;
  const mb = (count: number) => `${Math.ceil(count / 1_000_000)} MB`;
  throw new Failure(`${purpose} takes ${mb(bytes)} in ${folder}, and ${mb(free)} are free`, {
    code: 'store-full',
    remedy: `Free some space: df -h ${shellWord(folder)}`,
    retryable: true,
  });
}

/** What may still be written to the file system of a folder, which may still be missing. */
export async function freeBytes(folder: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch (error) {
    if (systemCode(error) === 'ENOENT' && dirname(folder) !== folder) return freeBytes(dirname(folder));
    throw readFailure(folder, error);
  }
}

/** How much of a file system is left, and whether that is too little for what is to come. */
export interface DiskRoom {
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** A twentieth of the whole, but 256 MB at least and 5 GB at most. */
  readonly limitBytes: number;
  /** One in a hundred is left, of a file system that has a fixed number of them. */
  readonly fewInodes: boolean;
}

const leastLimit = 256_000_000;
const mostLimit = 5_000_000_000;

/** For whoever is not root. Rejects with `store-unreadable`. */
export async function diskRoom(folder: string): Promise<DiskRoom> {
  try {
    const { bavail, blocks, bsize, files, ffree } = await statfs(folder);
    const totalBytes = blocks * bsize;
    return {
      freeBytes: bavail * bsize,
      totalBytes,
      limitBytes: Math.min(mostLimit, Math.max(leastLimit, totalBytes / 20)),
      fewInodes: files > 0 && ffree < files / 100,
    };
  } catch (error) {
    throw readFailure(folder, error);
  }
}

/** `3400 MB`, `12.0 GB`, as disks are sold. */
export function diskText(bytes: number): string {
  return bytes < 10_000_000_000 ? `${Math.floor(bytes / 1_000_000)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}
