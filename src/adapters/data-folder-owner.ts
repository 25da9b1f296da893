import { mkdirSync, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname } from 'node:path';
import { Failure } from '../core/errors.ts';

/** The numbers of a user and its group. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Whom the data folder belongs to, where root runs this process for somebody else; undefined where nothing is to
 * change. One that is missing is going to be his who has the folder above. Throws the Failure `data-folder`.
 */
export function ownerToBecome(dataFolder: string): Owner | undefined {
  if (process.geteuid?.() !== 0) return undefined;
  try {
    const stat = statSync(dataFolder, { throwIfNoEntry: false });
    if (stat === undefined && dirname(dataFolder) !== dataFolder) return ownerToBecome(dirname(dataFolder));
    return stat === undefined || stat.uid === 0 ? undefined : { uid: stat.uid, gid: stat.gid };
  } catch (cause) {
    throw unusable(dataFolder, cause);
  }
}

/** Makes the data folder where it is missing, as whoever this process is. Throws the Failure `data-folder`. */
export function makeDataFolder(dataFolder: string): void {
  try {
    mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw unusable(dataFolder, cause);
  }
}

function unusable(dataFolder: string, cause: unknown): Failure {
  return new Failure(`the data folder ${dataFolder} cannot be used`, {
    code: 'data-folder',
    remedy: 'set APP_DATA_DIR to a folder that this user may write to',
    cause,
  });
}

/**
 * Makes this process, all of its threads and whatever it starts from now on the owner's, so that each file it makes is
 * the owner's too. There is no way back, and what only root may do has to be done before. Throws the Failure
 * `data-folder-owner` where root is not allowed to (a container without CAP_SETUID).
 */
export function becomeOwner({ uid, gid }: Owner): void {
  try {
    takeGroups({ uid, gid });
    process.setgid?.(gid);
    process.setuid?.(uid);
  } catch (cause) {
    throw notAllowed({ uid, gid }, cause);
  }
  const { username, homedir } = nameOf(uid);
  process.env['HOME'] = homedir;
  process.env['USER'] = username;
  process.env['LOGNAME'] = username;
}

/** Does one thing as root again. */
export type AsRoot = <R>(work: () => Promise<R>) => Promise<R>;

/**
 * As `becomeOwner`, for work that goes back and forth between the owner's files and root's: what is done within `AsRoot` is root's.
 * Nothing else may be under way then.
 */
export function actAsOwner(owner: Owner): AsRoot {
  const become = ({ uid, gid }: Owner): void => {
    process.setegid?.(gid);
    process.seteuid?.(uid);
  };
  try {
    process.setgroups?.([owner.gid]);
    become(owner);
  } catch (cause) {
    throw notAllowed(owner, cause);
  }
  return async (work) => {
    // in this order: only root may change its group
    process.seteuid?.(0);
    process.setegid?.(0);
    try {
      return await work();
    } finally {
      become(owner);
    }
  };
}

/** After `actAsOwner` as well: from here on this process is the owner's alone, for what is run next must not be root's. */
export function leaveRoot(dataFolder: string): void {
  if (process.getuid?.() === 0 && process.geteuid?.() !== 0) {
    process.seteuid?.(0);
    process.setegid?.(0);
  }
  const owner = ownerToBecome(dataFolder);
  if (owner !== undefined) becomeOwner(owner);
}

function notAllowed({ uid }: Owner, cause: unknown): Failure {
  return new Failure(`root may not become user ${uid}, whose the data folder is`, {
    code: 'data-folder-owner',
    remedy: 'run this as that user',
    cause,
  });
}

function takeGroups({ uid, gid }: Owner): void {
  try {
    // Node's types do not have it
    (process as { initgroups?(user: number, group: number): void }).initgroups?.(uid, gid);
  } catch {
    // a user whom no file knows has no other groups
    process.setgroups?.([gid]);
  }
}

function nameOf(uid: number): { username: string; homedir: string } {
  try {
    return userInfo();
  } catch {
    return { username: String(uid), homedir: '/' };
  }
}
