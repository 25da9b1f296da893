import { lstatSync, readdirSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { lostAndFound } from '../lost-and-found.ts';

/** What is wrong with the rights to a file, and the command that puts it right. */
export interface WrongRights {
  readonly words: string;
  readonly remedy: string;
}

export interface WantedRights {
  /** Bits that nobody may have, such as 0o027. */
  readonly forbidden: number;
  /** The mode that the remedy gives. */
  readonly mode: number;
  /** Whose it has to be, as numbers; anybody's where absent. */
  readonly owners?: readonly number[];
  /** The group it has to be of. */
  readonly group?: number;
  /** What the remedy calls the owner: `appliance:appliance`. */
  readonly ownerName?: string;
}

/** Undefined where all is well, and where there is nothing at that path. */
export function wrongRights(path: string, wanted: WantedRights): WrongRights | undefined {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined || found.isSymbolicLink()) return undefined;
  const { forbidden, mode, owners, group, ownerName = 'root:root' } = wanted;
  if (owners !== undefined && !owners.includes(found.uid)) {
    return {
      words: `${path} belongs to user ${found.uid}`,
      remedy: `sudo chown ${ownerName} ${path}`,
    };
  }
  if (group !== undefined && found.gid !== group) {
    return { words: `${path} is of group ${found.gid}`, remedy: `sudo chown ${ownerName} ${path}` };
  }
  if ((found.mode & forbidden) === 0) return undefined;
  const verb = (found.mode & forbidden & 0o022) === 0 ? 'read' : 'changed';
  return {
    words: `${path} may be ${verb} by others (mode ${modeText(found)})`,
    remedy: `sudo chmod ${mode.toString(8).padStart(4, '0')} ${path}`,
  };
}

export function modeText({ mode }: Pick<Stats, 'mode'>): string {
  return (mode & 0o777).toString(8).padStart(4, '0');
}

/** The paths below a folder, itself first, down to `depth` levels; links are not followed, and what is fsck's is left out. */
export function* pathsBelow(folder: string, depth: number): Iterable<string> {
  yield folder;
  if (depth === 0) return;
  const entries = lstatSync(folder, { throwIfNoEntry: false })?.isDirectory()
    ? readdirSync(folder, { withFileTypes: true })
    : [];
  for (const entry of entries) {
    if (entry.name === lostAndFound) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* pathsBelow(path, depth - 1);
    else yield path;
  }
}
