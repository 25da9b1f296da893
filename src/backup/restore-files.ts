import { chmod, chown, lstat, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type FileOwner, makeFolder, syncFolder } from '../core/atomic-file.ts';
import { Failure } from '../core/errors.ts';
import { shellWord } from '../core/shell-word.ts';
import { systemCode, writeFailure } from '../core/storage-failure.ts';
import type { ArchiveFile } from './archive-file.ts';
import type { ReadArchive } from './archive-reader.ts';
import type { FileClass } from './format.ts';
import { readAgain } from './proof.ts';

/** Where files of a class go. */
export interface FileTarget {
  readonly fileClass: FileClass;
  /** Made where it is missing. */
  readonly folder: string;
  /** Whose they are, where this process writes for another. */
  readonly owner: FileOwner | undefined;
  /** Permission bits that a file may have at most, and those of a folder that is made. */
  readonly mode: number;
  readonly folderMode: number;
  readonly wants: (path: string) => boolean;
  /** Whether this process has no right to write there: what is not the same already is told. */
  readonly isForbidden?: boolean;
  /** Does what touches the folder, with the rights that it needs. */
  readonly act: <R>(work: () => Promise<R>) => Promise<R>;
}

/** Files that lie beside their places, whole and on the disk. */
export interface StagedFiles {
  readonly count: number;
  /** As `CLASS/PATH`: what is in the archive and is not wanted here. */
  readonly leftAlone: readonly string[];
  /** As `CLASS/PATH`: what belongs here, is another or missing here, and may not be written by this process. */
  readonly forbidden: readonly string[];
  /** Gives them their names, one after the other: whoever is killed does it all again. */
  swap(): Promise<void>;
  /** Removes them. Never rejects. */
  discard(): Promise<void>;
}

/** Beside the files, since a rename does not leave a file system. What killed runs left there is removed first. */
const stagingName = '.restore';

/**
 * Writes the files of an archive that was judged beside the places where they belong. Rejects with `store-full`,
 * `store-unwritable`, `restore-in-the-way`; then nothing is left.
 */
export async function stageFiles(
  archive: ArchiveFile,
  read: ReadArchive,
  targets: readonly FileTarget[],
  signal: AbortSignal,
): Promise<StagedFiles> {
  const staged: { readonly target: FileTarget; readonly path: string }[] = [];
  const leftAlone: string[] = [];
  const forbidden: string[] = [];
  const modes = new Map(read.manifest.entries.map(({ path, mode }) => [path, mode ?? 0o600]));
  const discard = async (): Promise<void> => {
    for (const { folder, act } of targets)
      await act(() => rm(join(folder, stagingName), { recursive: true, force: true })).catch(() => undefined);
  };
  const file = async (
    { fileClass, path }: { fileClass: FileClass; path: string },
    content: AsyncIterable<Uint8Array>,
  ) => {
    const target = targets.find((each) => each.fileClass === fileClass);
    // locks, journals and what was half written are of their own moment
    const hidden = path.split('/').some((part) => part.startsWith('.'));
    if (target === undefined || hidden || !target.wants(path)) {
      leftAlone.push(`${fileClass}/${path}`);
      return;
    }
    if (target.isForbidden === true) {
      if (!(await isSame(join(target.folder, path), content))) forbidden.push(`${fileClass}/${path}`);
      return;
    }
    const mode = (modes.get(`files/${fileClass}/${path}`) ?? 0o600) & target.mode;
    await target.act(async () => {
      await expectRoomFor(target.folder, path);
      await writeStaged(target, path, content, mode);
    });
    staged.push({ target, path });
  };
  await discard();
  try {
    await readAgain(archive, read, { file }, { signal });
  } catch (error) {
    await discard();
    throw error;
  }
  return {
    count: staged.length,
    leftAlone,
    forbidden,
    async swap() {
      for (const { target, path } of staged) await target.act(() => putInPlace(target, path));
      await discard();
    },
    discard,
  };
}

/** False too where it may not be read. */
async function isSame(place: string, content: AsyncIterable<Uint8Array>): Promise<boolean> {
  const there = await readFile(place).catch(() => undefined);
  if (there === undefined) return false;
  let at = 0;
  for await (const bytes of content) {
    if (!there.subarray(at, at + bytes.length).equals(bytes)) return false;
    at += bytes.length;
  }
  return at === there.length;
}

/** Links on the way are somebody's attempt to have us write elsewhere. */
async function expectRoomFor(folder: string, path: string): Promise<void> {
  const parts = path.split('/');
  for (let count = 1; count <= parts.length; count++) {
    const place = join(folder, ...parts.slice(0, count));
    const found = await lstat(place).catch((error: unknown) => {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw writeFailure(place, error);
    });
    if (found === undefined) return;
    const fits = count < parts.length ? found.isDirectory() : !found.isDirectory();
    if (!fits) {
      throw new Failure(`${place} is in the way: it is ${found.isDirectory() ? 'a' : 'no'} folder`, {
        code: 'restore-in-the-way',
        remedy: `Move it away: ls -ld ${shellWord(place)}`,
      });
    }
  }
}

async function writeStaged(
  target: FileTarget,
  path: string,
  content: AsyncIterable<Uint8Array>,
  mode: number,
): Promise<void> {
  const place = join(target.folder, stagingName, path);
  await makeFolders(target, join(stagingName, dirname(path)));
  try {
    const file = await open(place, 'wx', 0o600);
    try {
      if (target.owner !== undefined) await file.chown(target.owner.uid, target.owner.gid);
      await file.chmod(mode);
      for await (const bytes of content) await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    throw writeFailure(place, error);
  }
}

async function putInPlace(target: FileTarget, path: string): Promise<void> {
  const place = join(target.folder, path);
  await makeFolders(target, dirname(path));
  try {
    // what a save of the certificate store that was cut off left would count instead
    if (target.fileClass === 'certificates') await rm(`${place}.new`, { force: true });
    await rename(join(target.folder, stagingName, path), place);
    await syncFolder(dirname(place));
  } catch (error) {
    throw writeFailure(place, error);
  }
}

/** Makes what is missing of the folder and those below it. */
async function makeFolders({ folder, folderMode, owner }: FileTarget, below: string): Promise<void> {
  const parts = below.split('/').filter((part) => part !== '.' && part !== '');
  for (let count = 0; count <= parts.length; count++) {
    const place = join(folder, ...parts.slice(0, count));
    const found = await lstat(place).catch(() => undefined);
    if (found !== undefined) continue;
    await makeFolder(place, folderMode);
    try {
      // whatever the umask was
      await chmod(place, folderMode);
      if (owner !== undefined) await chown(place, owner.uid, owner.gid);
    } catch (error) {
      throw writeFailure(place, error);
    }
  }
}
