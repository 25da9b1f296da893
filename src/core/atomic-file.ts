import { randomBytes } from 'node:crypto';
import { chmod, lstat, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { systemCode, writeFailure } from './storage-failure.ts';

/** The numbers of a user and a group. */
export interface FileOwner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Writes a file so that whoever is killed at any moment, or loses power, leaves the old or the new, never a half: to a
 * temporary name beside it, fsync, rename, fsync of the folder. `mode` holds the permission bits, whatever the umask;
 * `owner`, where root writes for another, whose it is from its first moment under that name; a link of that name is
 * replaced, not followed. Rejects with `store-full` or `store-unwritable`, and then the old
 * file is still there and no other.
 */
export async function writeFileAtomically(
  path: string,
  content: string | Uint8Array,
  mode: number,
  owner?: FileOwner,
): Promise<void> {
  const temporary = temporaryName(path);
  try {
    await writeThrough(temporary, content, mode, owner);
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw writeFailure(path, error);
  }
}

async function writeThrough(
  path: string,
  content: string | Uint8Array,
  mode: number,
  owner: FileOwner | undefined,
): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    if (owner !== undefined) await file.chown(owner.uid, owner.gid);
    await file.chmod(mode);
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A name beside `path` that nobody else has and that `removeLeftovers` knows. */
export function temporaryName(path: string): string {
  // a name may have 255 bytes
  const name = basename(path).slice(0, 200);
  return join(dirname(path), `.${name}.${randomBytes(6).toString('hex')}.tmp`);
}

/** Makes the names in a folder last through a loss of power, where the file system and our rights to it allow that. */
export async function syncFolder(folder: string): Promise<void> {
  try {
    const directory = await open(folder, 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  } catch (error) {
    // network file systems without it; a folder that may be written to but not be listed
    if (!['EINVAL', 'EACCES'].includes(systemCode(error) ?? '')) throw error;
  }
}

/**
 * Makes a folder, and those above it, where there is none, with that mode whatever the umask; an existing one is left as it
 * is. Rejects like `writeFileAtomically`. Not Node's own `recursive`: that reports ENOENT where the file system is read-only.
 */
export async function makeFolder(folder: string, mode = 0o700): Promise<void> {
  try {
    if (await isFolder(folder)) return;
    const above = dirname(folder);
    if (above !== folder) await makeFolder(above, mode);
    await mkdir(folder, { mode });
    if (((await stat(folder)).mode & 0o777) !== mode) await chmod(folder, mode);
    await syncFolder(above);
  } catch (error) {
    // another process was faster
    if (systemCode(error) === 'EEXIST' && (await isFolder(folder).catch(() => false))) return;
    throw writeFailure(folder, error);
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}

/** Whether a name in a folder is one that `temporaryName` gave. */
export function isTemporaryName(name: string): boolean {
  return /^\..+\.[0-9a-f]{12}\.tmp$/.test(name);
}

/** Writing one file takes seconds; after an hour nobody is at it any more. */
const leftoverAgeMs = 3_600_000;

export interface Leftovers {
  /** Only those of this file or folder. */
  readonly of?: string;
  /** For whoever knows that nobody else is at it. */
  readonly olderThanMs?: number;
  /** Milliseconds since 1970. */
  readonly now?: number;
}

/** Removes what killed processes left under temporary names, in this folder alone. Never rejects. */
export async function removeLeftovers(
  folder: string,
  { of, olderThanMs = leftoverAgeMs, now = Date.now() }: Leftovers = {},
): Promise<void> {
  const names = await readdir(folder).catch((): string[] => []);
  const wanted = names.filter(
    (name) => isTemporaryName(name) && (of === undefined || name.startsWith(`.${of}.`)),
  );
  for (const path of wanted.map((name) => join(folder, name))) {
    const { mtimeMs } = await lstat(path).catch(() => ({ mtimeMs: now }));
    // a time to come is no better: the clock was wrong
    if (Math.abs(now - mtimeMs) < olderThanMs) continue;
    await rm(path, { recursive: true, force: true }).catch(() => undefined);
  }
}
