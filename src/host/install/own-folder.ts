import type { Stats } from 'node:fs';
import { lookAt } from './removal.ts';
import { findServiceUser } from './service-user.ts';

/** The mode of a folder of ours in which nothing is secret by itself. */
export const openFolderMode = 0o755;

/**
 * Whether a folder of root's is there with rights that do not do: the service cannot enter it, or others may change it. One that
 * its owner closed to all but root and the service's group does. Rejects with `store-unreadable`.
 */
export async function hasWrongMode(folder: string): Promise<boolean> {
  const found = await lookAt(folder);
  if (found === undefined || !found.isDirectory()) return false;
  return found.uid !== process.geteuid?.() || (found.mode & 0o022) !== 0 || !(await isOpen(found));
}

async function isOpen({ mode, gid }: Stats): Promise<boolean> {
  if ((mode & 0o005) === 0o005) return true;
  return (mode & 0o010) !== 0 && gid === (await findServiceUser())?.gid;
}
