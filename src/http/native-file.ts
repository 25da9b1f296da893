import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { Failure, reasonOf } from '../core/errors.ts';
import { nativeSha256 } from './native-hash.ts';

/** A folder that may hold the native file; only one that is `ours` is written to. */
export interface Candidate {
  readonly folder: string;
  readonly file: string;
  readonly ours: boolean;
}

export interface Skipped {
  readonly folder: string;
  readonly reason: string;
}

export interface Environment {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
  readonly execPath: string;
}

/** What it is called wherever it lies. */
export const nativeFileName = `uws-${nativeSha256.slice(0, 8)}.node`;

/**
 * Where the packaged binary looks for its native file, best first: beside itself, where an installation that
 * root owns has put it; then in the user's own folders; then in a folder of ours below the shared ones. Root
 * leaves out what the environment names: under sudo that may be somebody else's home.
 */
export function candidateFolders({ env, uid, execPath }: Environment): Candidate[] {
  const home = env['HOME'] ? join(env['HOME'], '.cache') : '';
  const named = [env['XDG_CACHE_HOME'] ?? '', home, env['XDG_RUNTIME_DIR'] ?? ''].filter(isAbsolute);
  const own = (uid === 0 ? ['/var/cache'] : named).map((folder) => join(folder, 'appliance'));
  const shared = ['/var/tmp', '/dev/shm', '/tmp', '/run'].map((folder) => join(folder, `appliance-${uid}`));
  return [
    { folder: dirname(execPath), file: nativeFileName, ours: false },
    ...[...new Set([...own, ...shared])].map((folder) => ({ folder, file: nativeFileName, ours: true })),
  ];
}

/**
 * Gives `load` the native file out of the first candidate where that works and returns what it returned, or
 * why each candidate was passed over. `load` gets a path that leads to the very file whose sha256 was checked,
 * whatever its folder holds by then. The file keeps its name: processes that load it share its memory.
 * A `Failure` out of `load` is thrown at once: another folder would not help.
 */
export function loadFrom<T>(
  candidates: readonly Candidate[],
  content: () => Buffer,
  uid: number,
  load: (path: string) => T,
): { readonly loaded: T; readonly folder: string } | { readonly skipped: Skipped[] } {
  const skipped: Skipped[] = [];
  for (const candidate of candidates) {
    try {
      return { loaded: loadFromOne(candidate, content, uid, load), folder: candidate.folder };
    } catch (error) {
      if (error instanceof Failure) throw error;
      skipped.push({ folder: candidate.folder, reason: shortReason(error) });
    }
  }
  return { skipped };
}

function loadFromOne<T>(
  { folder, file, ours }: Candidate,
  content: () => Buffer,
  uid: number,
  load: (path: string) => T,
): T {
  const made = ours && makeFolder(folder);
  const directory = openFolder(folder, ours, uid);
  let opened: number | undefined;
  let placed = false;
  // through the descriptor, so that nobody can put another folder in this one's place
  const path = join(descriptorPath(directory), file);
  try {
    opened = openIfWhole(path, uid);
    if (opened === undefined && ours) {
      placed = true;
      opened = place(path, content(), uid);
    }
    if (opened === undefined) throw new Error(`holds no ${file} of this version`);
    return load(descriptorPath(opened));
  } catch (error) {
    // a folder that turns out to be of no use is left as it was
    if (placed) rmSync(path, { force: true });
    if (made) removeIfEmpty(folder);
    throw error;
  } finally {
    if (opened !== undefined) closeSync(opened);
    closeSync(directory);
  }
}

/**
 * Makes a folder and those above it; returns whether it was not there yet. Not Node's own `recursive`: that
 * reports ENOENT where the file system is read-only, and never returns below /proc.
 */
function makeFolder(folder: string): boolean {
  try {
    mkdirSync(folder, { mode: 0o700 });
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    const above = dirname(folder);
    if (codeOf(error) !== 'ENOENT' || existsSync(above)) throw error;
    if (!makeFolder(above) && !existsSync(above)) throw error;
    return makeFolder(folder);
  }
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // another process of ours is trying it as well
  }
}

function openFolder(folder: string, ours: boolean, uid: number): number {
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
  // where we only read, the file alone is judged
  if (!ours) return openSync(folder, O_RDONLY | O_DIRECTORY);
  if (!lstatSync(folder).isDirectory()) throw new Error('is not a folder but a link or a file');
  const directory = openSync(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  const foreign = foreignTo([uid], directory);
  if (foreign === undefined) return directory;
  closeSync(directory);
  throw new Error(foreign);
}

/** A descriptor of the file if it has the right content; undefined if it is absent or has another. */
function openIfWhole(path: string, uid: number): number | undefined {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (['ENOENT', 'ELOOP'].includes(codeOf(error))) return undefined;
    throw error;
  }
  const whole = fstatSync(file).isFile() && sha256(file) === nativeSha256;
  // whoever can write to it could still change it after the check
  const foreign = foreignTo([0, uid], file);
  if (whole && foreign === undefined) return file;
  closeSync(file);
  if (whole) throw new Error(`the file there ${foreign}`);
  return undefined;
}

/** Puts the content there, whole or not at all, and opens it. Of several processes at once the first one's stays. */
function place(path: string, content: Buffer, uid: number): number | undefined {
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    writeFileSync(temporary, content, { mode: 0o500, flag: 'wx' });
    try {
      linkSync(temporary, path);
    } catch {
      const first = openIfWhole(path, uid);
      if (first !== undefined) return first;
      renameSync(temporary, path);
    }
    return openIfWhole(path, uid);
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** Why somebody other than `owners` could change what the descriptor stands for; undefined if nobody can. */
function foreignTo(owners: readonly number[], descriptor: number): string | undefined {
  const { uid, mode } = fstatSync(descriptor);
  if (!owners.includes(uid)) return `belongs to user ${uid}`;
  return (mode & 0o022) === 0 ? undefined : 'can be written by others';
}

function sha256(file: number): string {
  const hash = createHash('sha256');
  const chunk = Buffer.allocUnsafe(1 << 18);
  for (let at = 0, length = 1; length > 0; at += length) {
    length = readSync(file, chunk, 0, chunk.length, at);
    hash.update(chunk.subarray(0, length));
  }
  return hash.digest('hex');
}

function descriptorPath(descriptor: number): string {
  return `/proc/self/fd/${descriptor}`;
}

/** The reason alone: the paths in such messages are descriptors, which tell a reader nothing. */
function shortReason(error: unknown): string {
  if (codeOf(error) === 'ERR_DLOPEN_FAILED')
    return reasonOf(error)
      .replace(/^\/proc\/self\/fd\/\d+: /, '')
      .replace('failed to map segment from shared object', '$& (mounted noexec?)');
  return codeOf(error) === '' ? reasonOf(error) : reasonOf(error).replace(/, \w+ '.*$/, '');
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? '';
}
