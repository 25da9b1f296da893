import { constants } from 'node:fs';
import {
  chmod,
  chown,
  copyFile,
  lstat,
  mkdir,
  open,
  readdir,
  readlink,
  rename,
  rm,
  stat,
  symlink,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import {
  makeFolder,
  isTemporaryName,
  removeLeftovers,
  syncFolder,
  temporaryName,
  writeFileAtomically,
} from '../../core/atomic-file.ts';
import { expectRoom } from '../../core/disk-room.ts';
import { type HeldLock, takeLock } from '../../core/file-lock.ts';
import { readFailure, systemCode, writeFailure } from '../../core/storage-failure.ts';
import { haveSameContent } from './same-content.ts';

/** Where the releases of a host lie: a folder for each version, and the link to the binary in use. Absolute paths. */
export interface ReleasesPlace {
  readonly folder: string;
  readonly link: string;
}

export const installedReleases: ReleasesPlace = {
  folder: '/usr/local/lib/appliance',
  link: '/usr/local/bin/appliance',
};

/** What a release consists of, wherever it lies now. */
export interface ReleaseFiles {
  readonly version: string;
  /** The binary to copy. */
  readonly binary: string;
  /** What the binary loads from beside itself. */
  readonly native: { readonly name: string; content(): Uint8Array };
}

/** What stands where the link should be: ours, nothing, a file (a binary copied by hand), or a link to elsewhere. */
export type LinkState = 'ours' | 'absent' | 'file' | 'elsewhere';

export interface Releases {
  readonly link: LinkState;
  /** The version that the link leads to. */
  readonly current: string | undefined;
  /** The one before it, to go back to. */
  readonly previous: string | undefined;
  /** All that are there whole, oldest first by number. */
  readonly versions: readonly string[];
}

const binaryName = 'appliance';
/** A link beside the folders, to the version that was in use before. */
const previousName = 'previous';
const versionText = /^\d+\.\d+\.\d+([-+][\w.+-]*)?$/;
const mode = 0o755;

/** What "install" wrote elsewhere on this host, so that it knows its own files again. */
export const recordName = '.written';

/** At which step an install is that has not come to its end. */
export const unfinishedName = '.unfinished';

/** The folder of a release that is being judged, beside those that were. */
export const candidateName = '.candidate';

/** Whether a name in the folder of releases is one that is written there: a version, the link back, a record, what a killed run left. */
export function isReleaseName(name: string): boolean {
  const others = [previousName, recordName, unfinishedName];
  return versionText.test(name) || others.includes(name) || isTemporaryName(name);
}

export function releaseFolder(place: ReleasesPlace, version: string): string {
  return join(place.folder, version);
}

export function releaseBinary(place: ReleasesPlace, version: string): string {
  return join(releaseFolder(place, version), binaryName);
}

/** Whoever places, switches or removes releases, or installs, holds this meanwhile. Rejects with `locked` (exit code 5). */
export function lockReleases(holder: string, path = '/run/appliance-install.lock'): Promise<HeldLock> {
  return takeLock({ path, subject: 'the releases of this host', holder });
}

/** What there is. Rejects with `store-unreadable`. */
export async function readReleases(place: ReleasesPlace): Promise<Releases> {
  const names = await readdir(place.folder).catch((error: unknown) => {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return [];
    throw readFailure(place.folder, error);
  });
  const versions: string[] = [];
  for (const name of names) {
    if (versionText.test(name) && (await isFile(releaseBinary(place, name)))) versions.push(name);
  }
  const { link, current } = await readLink(place);
  const before = await readlink(join(place.folder, previousName)).catch(() => undefined);
  const previous =
    before !== undefined && before !== current && versions.includes(before) ? before : undefined;
  versions.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  return { link, current, previous, versions };
}

async function readLink({ folder, link }: ReleasesPlace): Promise<{ link: LinkState; current?: string }> {
  const found = await lstat(link).catch((error: unknown) => {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return undefined;
    throw readFailure(link, error);
  });
  if (found === undefined) return { link: 'absent' };
  if (!found.isSymbolicLink()) return { link: found.isFile() ? 'file' : 'elsewhere' };
  const target = await readlink(link);
  const version = basename(dirname(target));
  if (!versionText.test(version) || target !== join(folder, version, binaryName))
    return { link: 'elsewhere' };
  return { link: 'ours', current: version };
}

/** Whether that release lies there whole, with this very content. Rejects with `store-unreadable`. */
export async function isPlaced(place: ReleasesPlace, files: ReleaseFiles): Promise<boolean> {
  const folder = releaseFolder(place, files.version);
  return (
    (await haveSameContent(releaseBinary(place, files.version), files.binary)) &&
    (await haveSameContent(join(folder, files.native.name), files.native.content())) &&
    (await isRootsAlone(place.folder)) &&
    (await isRootsAlone(folder)) &&
    (await isRootsAlone(releaseBinary(place, files.version)))
  );
}

/**
 * Puts a release in its folder, which is not there before all of it is. A version that is there with another content
 * gets the new one in one step: the native file that each binary loads is there whenever the binary is. Says whether
 * anything had to be done. The caller holds the lock. Rejects with `store-full`, `store-unwritable`, `store-unreadable`.
 */
export async function placeRelease(place: ReleasesPlace, files: ReleaseFiles): Promise<boolean> {
  await removeReleaseLeftovers(place);
  if (await isPlaced(place, files)) return false;
  const folder = releaseFolder(place, files.version);
  const size = await stat(files.binary).then(
    (found) => found.size,
    (error: unknown) => {
      throw readFailure(files.binary, error);
    },
  );
  await expectRoom(folder, size + files.native.content().byteLength + 1_000_000, 'a release');
  await makeFolder(place.folder, mode);
  await settle(place.folder);
  const there = await lstat(folder).catch(() => undefined);
  if (there?.isDirectory()) await fillFolder(folder, files);
  else {
    const temporary = temporaryName(folder);
    try {
      await mkdir(temporary, { mode: 0o700 });
      await fillFolder(temporary, files);
      await rename(temporary, folder);
    } catch (error) {
      await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
      throw writeFailure(folder, error);
    }
  }
  await syncFolder(place.folder);
  return true;
}

async function fillFolder(folder: string, { binary, native }: ReleaseFiles): Promise<void> {
  const owner = asRoot();
  await writeFileAtomically(join(folder, native.name), native.content(), mode, owner);
  const path = join(folder, binaryName);
  const temporary = temporaryName(path);
  try {
    await copyFile(binary, temporary, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    const copy = await open(temporary, 'r');
    try {
      if (owner !== undefined) await copy.chown(owner.uid, owner.gid);
      await copy.chmod(mode);
      await copy.sync();
    } finally {
      await copy.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw writeFailure(path, error);
  }
  for (const name of await readdir(folder)) {
    if (name !== binaryName && name !== native.name) await rm(join(folder, name), { recursive: true });
  }
  await settle(folder);
  await syncFolder(folder);
}

/**
 * Makes that version the one in use: the link leads to it from one moment to the next, whatever was there before. The
 * one that was in use is the previous one from then on. Says whether anything had to be done. The caller holds the lock.
 */
export async function switchRelease(place: ReleasesPlace, version: string): Promise<boolean> {
  const { current } = await readReleases(place);
  if (current === version) return false;
  if (current !== undefined) await placeLink(join(place.folder, previousName), current);
  await makeFolder(dirname(place.link), mode);
  await placeLink(place.link, releaseBinary(place, version));
  return true;
}

async function placeLink(path: string, target: string): Promise<void> {
  const temporary = temporaryName(path);
  try {
    await symlink(target, temporary);
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw writeFailure(path, error);
  }
}

/** Removes all versions but the current, the previous and `alsoKept`; gives which. The caller holds the lock. */
export async function pruneReleases(
  place: ReleasesPlace,
  alsoKept: readonly string[] = [],
): Promise<readonly string[]> {
  const { current, previous, versions } = await readReleases(place);
  // without a link nobody knows which one is needed
  if (current === undefined) return [];
  const old = versions.filter((each) => each !== current && each !== previous && !alsoKept.includes(each));
  for (const version of old) {
    const folder = releaseFolder(place, version);
    // what is half gone counts as no release any more
    await rm(releaseBinary(place, version), { force: true });
    await rm(folder, { recursive: true, force: true });
  }
  return old;
}

/** What a killed run left, the release that it judged included. For whoever has just taken the lock. Never rejects. */
export async function removeCutOff(place: ReleasesPlace): Promise<void> {
  await rm(join(place.folder, candidateName), { recursive: true, force: true }).catch(() => undefined);
  await removeReleaseLeftovers(place);
}

/** Nobody else is at it, by the lock. */
async function removeReleaseLeftovers(place: ReleasesPlace): Promise<void> {
  await removeLeftovers(place.folder, { olderThanMs: 0 });
  await removeLeftovers(dirname(place.link), { olderThanMs: 0, of: basename(place.link) });
}

/** For all to enter and for root alone to change, as `isRootsAlone` asks. */
async function settle(folder: string): Promise<void> {
  const owner = asRoot();
  if (owner !== undefined) await chown(folder, owner.uid, owner.gid);
  await chmod(folder, mode);
}

function asRoot() {
  return process.geteuid?.() === 0 ? { uid: 0, gid: 0 } : undefined;
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false;
}

/** Whether nobody but root (or who runs this, in a folder of theirs) may change it. */
async function isRootsAlone(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  return found !== undefined && found.uid === process.geteuid?.() && (found.mode & 0o777) === mode;
}
