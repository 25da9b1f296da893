import { join } from 'node:path';
import { writeFileAtomically } from '../core/atomic-file.ts';
import { takeLock } from '../core/file-lock.ts';
import { isObject } from '../core/is-object.ts';
import { readTextFile } from '../core/text-file.ts';

/** What became of an archive after it was made. Times are milliseconds since 1970. */
export interface ArchiveFacts {
  /** When it was last proven to restore. */
  readonly verifiedMs?: number;
  /** When `BACKUP_COPY_COMMAND` took it off this host. */
  readonly copiedMs?: number;
  /** Why it did not. */
  readonly copyFailure?: string;
}

/** What is known of the backups beside the archives themselves: `record.json` in their folder. */
export interface BackupRecord {
  readonly archives: Readonly<Record<string, ArchiveFacts>>;
  /** Of the newest run, where that failed. */
  readonly lastFailure?: { readonly atMs: number; readonly code: string; readonly message: string };
}

const fileName = 'record.json';
const nothing: BackupRecord = { archives: {} };

/** A record that is missing or damaged is an empty one: it is a help, and the archives are what counts. */
export async function readRecord(folder: string): Promise<BackupRecord> {
  try {
    const { text } = await readTextFile(join(folder, fileName));
    const found: unknown = text === undefined ? undefined : JSON.parse(text);
    return isObject(found) && isObject(found['archives']) ? (found as unknown as BackupRecord) : nothing;
  } catch {
    return nothing;
  }
}

/** Changes the record, after whoever else is at it. Rejects as the writing of a file does. */
export async function changeRecord(
  folder: string,
  change: (record: BackupRecord) => BackupRecord,
): Promise<void> {
  const lock = await takeLock({
    path: join(folder, '.record-lock'),
    subject: 'the facts about backups',
    holder: 'appliance backup',
    brief: true,
  });
  try {
    const next = change(await readRecord(folder));
    await writeFileAtomically(join(folder, fileName), `${JSON.stringify(next, null, 2)}\n`, 0o600);
  } finally {
    await lock.release();
  }
}

/** Adds to what is known of one archive. */
export function noteArchive(folder: string, name: string, facts: ArchiveFacts): Promise<void> {
  return changeRecord(folder, (record) => ({
    ...record,
    archives: { ...record.archives, [name]: { ...record.archives[name], ...facts } },
  }));
}
