import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncFolder, writeFileAtomically } from '../core/atomic-file.ts';
import { isObject } from '../core/is-object.ts';
import { writeFailure } from '../core/storage-failure.ts';
import { readTextFile } from '../core/text-file.ts';

/** A restore that has begun to change things and has not come to its end. */
export interface RestoreJournal {
  readonly archive: string;
  /** Of what was there before it. */
  readonly safetyCopy: string;
  /** Where what was there before is kept besides, see `RestoredBackup`. */
  readonly damaged?: string | undefined;
  readonly newer?: string | undefined;
  /** Milliseconds since 1970. */
  readonly startedMs: number;
}

const fileName = 'restore.json';

/** `folder`: of all archives. Undefined where none was interrupted. Rejects with `store-unreadable`. */
export async function readRestoreJournal(folder: string): Promise<RestoreJournal | undefined> {
  const { text } = await readTextFile(join(folder, fileName));
  if (text === undefined) return undefined;
  try {
    const found: unknown = JSON.parse(text);
    if (!isObject(found)) return undefined;
    const { archive, safetyCopy, startedMs } = found;
    if (typeof archive !== 'string' || typeof safetyCopy !== 'string') return undefined;
    const [damaged, newer] = [found['damaged'], found['newer']].map((where) =>
      typeof where === 'string' ? where : undefined,
    );
    return { archive, safetyCopy, damaged, newer, startedMs: Number(startedMs) };
  } catch {
    return undefined;
  }
}

export function writeRestoreJournal(folder: string, journal: RestoreJournal): Promise<void> {
  return writeFileAtomically(join(folder, fileName), `${JSON.stringify(journal, null, 2)}\n`, 0o600);
}

export async function removeRestoreJournal(folder: string): Promise<void> {
  const path = join(folder, fileName);
  try {
    await rm(path, { force: true });
    await syncFolder(dirname(path));
  } catch (error) {
    throw writeFailure(path, error);
  }
}
