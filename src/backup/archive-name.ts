import { timeStamp } from '../core/time-text.ts';

/** A file of ours in the folder of backups. */
export interface ArchiveName {
  readonly name: string;
  /** Milliseconds since 1970, whole seconds. */
  readonly createdMs: number;
  readonly encrypted: boolean;
  /** Made by `restore` of what was there before; such copies are counted on their own. */
  readonly beforeRestore: boolean;
}

/** What a file is called until all of it is on the disk. */
export const unfinishedEnding = '.unfinished';

const form = /^appliance-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z(-before-restore)?\.tar\.zst(\.age)?$/;

/** More than a clock that the network keeps right is ever set back. */
const hourMs = 3_600_000;

/** Whether the clock was wrong when an archive was made, or is now. */
export function isAhead(createdMs: number, now: number): boolean {
  return createdMs > now + hourMs;
}

/** What is ahead of the clock counts as the oldest: it must not stand for what is made day by day. */
export function newestFirst<Archive extends Pick<ArchiveName, 'createdMs'>>(
  archives: readonly Archive[],
  now: number,
): readonly Archive[] {
  const rank = ({ createdMs }: Archive) => Number(isAhead(createdMs, now));
  return archives.toSorted((a, b) => rank(a) - rank(b) || b.createdMs - a.createdMs);
}

/** `appliance-20261122T213600Z.tar.zst`, `appliance-20261122T213600Z-before-restore.tar.zst.age`. */
export function archiveName(made: Omit<ArchiveName, 'name'>): string {
  return `appliance-${timeStamp(made.createdMs)}${made.beforeRestore ? '-before-restore' : ''}.tar.zst${made.encrypted ? '.age' : ''}`;
}

/** Undefined where the file is not one of ours. */
export function parseArchiveName(name: string): ArchiveName | undefined {
  const found = form.exec(name);
  if (found === null) return undefined;
  const [year = 0, month = 0, ...rest] = found.slice(1, 7).map(Number);
  const createdMs = Date.UTC(year, month - 1, ...rest);
  const parsed = { createdMs, encrypted: found[8] !== undefined, beforeRestore: found[7] !== undefined };
  // the 31st of February is somebody else's joke
  return archiveName(parsed) === name ? { name, ...parsed } : undefined;
}
