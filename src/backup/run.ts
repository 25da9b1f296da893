import { rm } from 'node:fs/promises';
import { syncFolder } from '../core/atomic-file.ts';
import { Failure, reasonOf } from '../core/errors.ts';
import { writeFailure } from '../core/storage-failure.ts';
import type { Alert } from '../ports/alerter.ts';
import type { BackupCopier } from '../ports/backup-copier.ts';
import {
  type CreatedBackup,
  type CreateOptions,
  createBackup,
  type Progress,
  lockBackups,
} from './create.ts';
import { listBackups } from './list.ts';
import { changeRecord, noteArchive } from './record.ts';
import { surplus } from './retention.ts';

export interface RunOptions extends CreateOptions {
  /** Who takes the lock, for people: `appliance backup create`. */
  readonly holder: string;
  /** How many archives stay. */
  readonly keep: number;
  /** Takes the archive off this host, where that is wanted. */
  readonly copy: BackupCopier | undefined;
  /** Tells a person what went wrong, where somebody is to be told. */
  readonly alert: ((alert: Alert) => Promise<void>) | undefined;
}

/** What a command asks for. */
export interface BackupRequest {
  /** Undefined: what the configuration says; false: not encrypted at all. */
  readonly passphraseFile: string | false | undefined;
  /** Whether APP_ALERT_COMMAND is told of a backup that failed: nobody is looking. */
  readonly alert: boolean;
  readonly progress: (done: Progress) => void;
  /** Told of the archive's file, which is there by now, before it is copied. */
  readonly onCopy: (file: string) => void;
  readonly warn: (text: string) => void;
  readonly signal: AbortSignal;
}

export interface BackupOutcome extends CreatedBackup {
  /** Names of older archives that had to go. */
  readonly removed: readonly string[];
  /** Undefined where no copy is wanted. */
  readonly copied: boolean | undefined;
  /** Why it was not copied: `backup-copy-failed`. The archive is there all the same. */
  readonly copyFailure: Failure | undefined;
}

/**
 * Makes a backup, removes those that are too many, and copies the new one. Rejects as `createBackup` does, and with `locked`
 * (exit code 5) where another run is at it. What went wrong is in the record, and told.
 */
export async function runBackup(options: RunOptions): Promise<BackupOutcome> {
  const { folder, clock, alert } = options;
  try {
    const { created, removed } = await underLock(options);
    const copyFailure = await copyOf(created, options);
    const copied = options.copy === undefined ? undefined : copyFailure === undefined;
    return { ...created, removed, copied, copyFailure };
  } catch (error) {
    await noteFailure({ folder, clock, alert }, error);
    throw error;
  }
}

/** Keeps why no backup was made, for `status`, and tells a person. Never rejects, unless `alert` does. */
export async function noteFailure(
  { folder, clock, alert }: Pick<RunOptions, 'folder' | 'clock' | 'alert'>,
  error: unknown,
): Promise<void> {
  const code = error instanceof Failure ? error.code : 'fault';
  // another run, or a person, knows about it
  if (code === 'locked' || code === 'interrupted') return;
  const lastFailure = { atMs: clock.now(), code, message: reasonOf(error) };
  await changeRecord(folder, (record) => ({ ...record, lastFailure })).catch(() => undefined);
  await alert?.(alertOf('backup-failed', 'The backup failed', error));
}

async function underLock(
  options: RunOptions,
): Promise<{ readonly created: CreatedBackup; readonly removed: readonly string[] }> {
  const { folder, holder, clock, signal } = options;
  const lock = await lockBackups(folder, holder);
  try {
    const created = await createBackup({ ...options, signal: AbortSignal.any([signal, lock.signal]) });
    const removed = await removeSurplus(options, created.name);
    await forget(folder, clock.now());
    return { created, removed };
  } finally {
    await lock.release();
  }
}

async function removeSurplus(
  { folder, keep, clock }: Pick<RunOptions, 'folder' | 'keep' | 'clock'>,
  made: string,
): Promise<readonly string[]> {
  const removed: string[] = [];
  const now = clock.now();
  for (const { file, name } of surplus(await listBackups(folder, now), keep, now)) {
    // the clock may have been set back a little since the last one
    if (name === made) continue;
    await rm(file).catch((error: unknown) => {
      throw writeFailure(file, error);
    });
    removed.push(name);
  }
  if (removed.length > 0) await syncFolder(folder);
  return removed;
}

/** The run went well, and what is gone need not be remembered. */
async function forget(folder: string, now: number): Promise<void> {
  const names = (await listBackups(folder, now)).map(({ name }) => name);
  await changeRecord(folder, ({ archives }) => ({
    archives: Object.fromEntries(Object.entries(archives).filter(([name]) => names.includes(name))),
  }));
}

async function copyOf(created: CreatedBackup, options: RunOptions): Promise<Failure | undefined> {
  const { folder, copy, clock, signal, alert } = options;
  if (copy === undefined) return undefined;
  try {
    await copy(created.file, signal);
    await noteArchive(folder, created.name, { copiedMs: clock.now() });
    return undefined;
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'backup-copy-failed') throw error;
    await noteArchive(folder, created.name, { copyFailure: error.message });
    await alert?.(alertOf('backup-copy-failed', 'The backup was not copied off this host', error));
    return error;
  }
}

/** What a person is told of a failure: what happened, why, what to do. */
export function alertOf(kind: string, subject: string, error: unknown): Alert {
  const remedy = error instanceof Failure && error.remedy !== undefined ? `\n${error.remedy}` : '';
  return { kind, subject, body: `${reasonOf(error)}${remedy}` };
}
