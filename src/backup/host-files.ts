import { constants, type Stats } from 'node:fs';
import { lstat, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { isTemporaryName } from '../core/atomic-file.ts';
import { readFailure, systemCode } from '../core/storage-failure.ts';
import { reasonOf } from '../core/errors.ts';
import { faultOf } from './entry-name.ts';
import type { FileClass } from './format.ts';

/** A file of the host as it goes into an archive. */
export interface HostFile {
  readonly class: FileClass;
  /** Below the folder of its class, with `/`. */
  readonly path: string;
  readonly mode: number;
  readonly content: Uint8Array;
}

/** What an archive lacks, and why, in words. */
export interface LeftOut {
  readonly path: string;
  readonly reason: string;
}

export interface FoundFiles {
  readonly files: readonly HostFile[];
  readonly leftOut: readonly LeftOut[];
}

/** None of them comes near it. */
const maxBytes = 16 * 1024 * 1024;
/** Locks, and what killed processes left. */
const isPassing = (name: string) => name === '.lock' || isTemporaryName(name);
const looks = 20;

/**
 * The files below a folder, all as they were at one moment: what was changed while it was read is read again. Links are not
 * followed. `wants` is asked for each path below it, for folders too (`name/`). What may not be read is told in the result. Where
 * there is no folder there are no files. Never rejects.
 */
export async function filesBelow(
  folder: string,
  fileClass: FileClass,
  wants: (path: string) => boolean = () => true,
): Promise<FoundFiles> {
  for (let look = 1; ; look++) {
    const before = await statsBelow(folder, '', fileClass, wants);
    const files: HostFile[] = [];
    const leftOut: LeftOut[] = [...before.leftOut];
    for (const [path, stats] of before.files) {
      try {
        const content = await contentOf(join(folder, path), stats);
        files.push({ class: fileClass, path, mode: stats.mode & 0o777, content });
      } catch (error) {
        leftOut.push({ path: join(folder, path), reason: reasonOf(error) });
      }
    }
    const after = await statsBelow(folder, '', fileClass, wants);
    if (look === looks || isSame(before.files, after.files)) return { files, leftOut };
    await wait(50);
  }
}

interface Seen {
  readonly files: ReadonlyMap<string, Stats>;
  readonly leftOut: readonly LeftOut[];
}

async function statsBelow(
  folder: string,
  below: string,
  fileClass: FileClass,
  wants: (path: string) => boolean,
): Promise<Seen> {
  const files = new Map<string, Stats>();
  const leftOut: LeftOut[] = [];
  const here = join(folder, below);
  const lacks = (path: string, error: unknown) => {
    if (systemCode(error) !== 'ENOENT') leftOut.push({ path, reason: reasonOf(readFailure(path, error)) });
  };
  const names = await readdir(here).catch((error: unknown) => {
    lacks(here, error);
    return [];
  });
  for (const name of names.filter((each) => !isPassing(each)).toSorted()) {
    const path = below + name;
    // no archive with such a name in it could be read; and a name that is no text finds no file
    const fault = faultOf(`files/${fileClass}/${path}`);
    if (fault !== undefined) {
      if (wants(path)) leftOut.push({ path: join(folder, path), reason: fault });
      continue;
    }
    try {
      const stats = await lstat(join(folder, path));
      if (stats.isDirectory()) {
        if (!wants(`${path}/`)) continue;
        const inside = await statsBelow(folder, `${path}/`, fileClass, wants);
        for (const [each, found] of inside.files) files.set(each, found);
        leftOut.push(...inside.leftOut);
      } else if (wants(path)) {
        if (stats.isFile()) files.set(path, stats);
        else leftOut.push({ path: join(folder, path), reason: 'is not a file' });
      }
    } catch (error) {
      lacks(join(folder, path), error);
    }
  }
  return { files, leftOut };
}

async function contentOf(path: string, { size }: Stats): Promise<Uint8Array> {
  if (size > maxBytes) throw new Error(`is larger than ${maxBytes} bytes`);
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      return await file.readFile();
    } finally {
      await file.close();
    }
  } catch (error) {
    throw readFailure(path, error);
  }
}

function isSame(before: ReadonlyMap<string, Stats>, after: ReadonlyMap<string, Stats>): boolean {
  const marks = (seen: ReadonlyMap<string, Stats>) =>
    JSON.stringify(
      [...seen].map(([path, { ino, size, mtimeMs, ctimeMs }]) => [path, ino, size, mtimeMs, ctimeMs]),
    );
  return marks(before) === marks(after);
}
