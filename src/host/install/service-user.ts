import { execFile } from 'node:child_process';
import { readdir, readFile, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { FileOwner } from '../../core/atomic-file.ts';
import { Failure } from '../../core/errors.ts';
import { lostAndFound } from '../lost-and-found.ts';
import { settleFolder } from '../stack/compose-files.ts';

/** Whose the data of an installed host is, and who runs the service there. */
const name = 'appliance';
const folderMode = 0o750;

/** Makes the user of the service and its group where they are missing. For root on an installed host. Rejects with `service-user`. */
export async function settleServiceUser(): Promise<FileOwner> {
  const user = (await lookUp()) ?? (await make());
  if (!(await hasServiceGroup())) await makeGroup(user);
  return user;
}

/** Whether there is its group: a useradd that was killed has made the user alone, and systemd starts nothing without both. */
export async function hasServiceGroup(): Promise<boolean> {
  return (await lineOf('/etc/group')) !== undefined;
}

/** The same for its data folder too: what is there stays as it is. Rejects as `makeFolder` does as well. */
export async function settleServiceHome(dataFolder: string): Promise<void> {
  const user = await settleServiceUser();
  if (await isUnsettled(dataFolder)) await settleFolder(dataFolder, folderMode, user);
}

/** Whether a folder is missing, or root's and empty: a disk just mounted, or made by one who was killed then. */
export async function isUnsettled(folder: string): Promise<boolean> {
  const found = await stat(folder).catch(() => undefined);
  if (found === undefined) return true;
  return found.uid === 0 && found.gid === 0 && (await readdir(folder)).every((name) => name === lostAndFound);
}

/** The user of the service; undefined where there is none. */
export function findServiceUser(): Promise<FileOwner | undefined> {
  return lookUp();
}

async function lookUp(): Promise<FileOwner | undefined> {
  const [, , uid, gid] = (await lineOf('/etc/passwd')) ?? [];
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}

async function lineOf(file: string): Promise<readonly string[] | undefined> {
  const lines = (await readFile(file, 'utf8')).split('\n');
  return lines.find((line) => line.startsWith(`${name}:`))?.split(':');
}

async function make(): Promise<FileOwner> {
  const useradd = '/usr/sbin/useradd';
  // it has no home: nothing that the service could write is ever run
  const group = (await hasServiceGroup()) ? ['--gid', name] : ['--user-group'];
  const flags = ['--system', ...group, '--no-create-home', '--home-dir', '/nonexistent'];
  try {
    await promisify(execFile)(useradd, [...flags, '--shell', '/usr/sbin/nologin', name], { env: {} });
    const made = await lookUp();
    if (made !== undefined) return made;
    throw new Error(`${useradd} made none`);
  } catch (cause) {
    // that of an install which was killed may have gone on, and been first
    const made = await lookUp();
    if (made !== undefined) return made;
    throw new Failure(`the user ${name}, who runs the service, is missing and cannot be made`, {
      code: 'service-user',
      remedy: `make it: sudo useradd --system --shell /usr/sbin/nologin ${name}`,
      cause,
    });
  }
}

async function makeGroup({ gid }: FileOwner): Promise<void> {
  const number = String(gid);
  try {
    await promisify(execFile)('/usr/sbin/groupadd', ['--system', '--gid', number, name], { env: {} });
  } catch (cause) {
    if (await hasServiceGroup()) return;
    throw new Failure(`the group ${name}, of the user who runs the service, is missing and cannot be made`, {
      code: 'service-user',
      remedy: `make it: sudo groupadd --system --gid ${number} ${name}`,
      cause,
    });
  }
}
