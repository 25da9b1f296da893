import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { Clock } from '../core/clock.ts';
import { Failure } from '../core/errors.ts';
import type { Database } from '../ports/database.ts';
import { type CreateOptions, lockBackups } from './create.ts';
import type { ReadArchive } from './archive-reader.ts';
import type { ArchiveHead } from './format.ts';
import { proveArchive, type ProofOptions } from './proof.ts';
import { type FileTarget, type StagedFiles, stageFiles } from './restore-files.ts';
import { readRestoreJournal, removeRestoreJournal, writeRestoreJournal } from './restore-journal.ts';

export interface RestoreOptions extends ProofOptions {
  /** The database that gets the rows. */
  readonly real: Database;
  /** Moves that database out of the way where it is damaged, before anybody opens it; gives where it is kept then. */
  readonly setAsideDamaged: () => Promise<string | undefined>;
  /** Where its files go, by what it says of itself. */
  readonly targets: (head: ArchiveHead) => Promise<readonly FileTarget[]>;
  /** Makes an archive of what there is, under the lock of the folder that is held; gives its file. `withoutRows`: of files alone. */
  readonly safetyCopy: (signal: AbortSignal, withoutRows: CreateOptions['withoutRows']) => Promise<string>;
  /** Called when the rows are in place, to note in the same database that they were put there; again in a run that goes on. */
  readonly note: (read: ReadArchive) => Promise<void>;
  /** Asked when the archive is proven, and before anything changes. */
  readonly confirm: (read: ReadArchive) => Promise<boolean>;
  /** Does it while nobody else writes certificates. */
  readonly withCertificates: <R>(work: () => Promise<R>) => Promise<R>;
  /** Told of each step that may take long. */
  readonly step?: (step: string) => void;
  readonly clock: Pick<Clock, 'now'>;
}

export interface RestoredBackup {
  readonly read: ReadArchive;
  /** What was there before; restoring it goes back. */
  readonly safetyCopy: string;
  /** What there was just now; another one only where a run before this one was cut off. */
  readonly latestCopy: string;
  /** Where the database is kept that was too damaged to be copied: the copies hold files alone then. */
  readonly damaged: string | undefined;
  /** Where the database is kept that a newer release had changed, in words: the copies hold files alone then. */
  readonly newer: string | undefined;
  readonly files: number;
  /** As `CLASS/PATH`: in the archive and not put in place. */
  readonly leftAlone: readonly string[];
  /** As `CLASS/PATH`: not put in place for lack of rights. */
  readonly forbidden: readonly string[];
}

/**
 * Puts what an archive holds in the place of what there is: rows in one transaction, then files. The archive is proven first, and what
 * there is goes into an archive of its own. Whoever is killed before the rows are in place leaves all as it was, and after that the
 * old files beside the new rows for a moment: the same call again brings it to its end, and the copy is the one from before
 * the first; one is made of what there is now all the same. A database that is damaged, or that a newer release changed beyond what this one can
 * work on, is set aside, and a new one gets the rows. Resolves with undefined where `confirm` said no. Rejects as `proveArchive`, `stageFiles` and
 * `createBackup` do, and with `locked` (exit code 5); then nothing was changed.
 */
export async function restoreBackup(options: RestoreOptions): Promise<RestoredBackup | undefined> {
  const lock = await lockBackups(options.folder, 'appliance backup restore');
  try {
    return await underLock({ ...options, signal: AbortSignal.any([options.signal, lock.signal]) });
  } finally {
    await lock.release();
  }
}

async function underLock(options: RestoreOptions): Promise<RestoredBackup | undefined> {
  const { archive, folder, real, signal, step } = options;
  const { read, scratch, end } = await proveArchive(options);
  let staged: StagedFiles | undefined;
  try {
    if (!(await options.confirm(read))) return undefined;
    await endSessions(scratch.database);
    const damagedNow = await options.setAsideDamaged();
    const isNewer = await isOfNewerRelease(real);
    staged = await stageFiles(archive, read, await options.targets(read.head), signal);
    const before = await readRestoreJournal(folder);
    step?.('copying what there is');
    const { migrations } = options.scratch;
    const latestCopy = await options.safetyCopy(signal, isNewer ? { migrations } : undefined);
    // a run before this one may have changed everything already: then its copy is the one from before
    const goesOn = before?.archive === archive.path && existsSync(before.safetyCopy);
    const safetyCopy = goesOn ? before.safetyCopy : latestCopy;
    const startedMs = options.clock.now();
    const damaged = damagedNow ?? (goesOn ? before.damaged : undefined);
    const newer = isNewer ? scratch.superseded(startedMs) : goesOn ? before.newer : undefined;
    const files = staged;
    signal.throwIfAborted();
    await options.withCertificates(async () => {
      await writeRestoreJournal(folder, { archive: archive.path, safetyCopy, damaged, newer, startedMs });
      step?.('putting the rows in place');
      try {
        if (isNewer) await scratch.supersedeReal(startedMs);
        else await scratch.replaceReal();
      } catch (error) {
        // nothing was changed, unless a run before this one did, or nobody knows
        if (before === undefined && !isUnsure(error))
          await removeRestoreJournal(folder).catch(() => undefined);
        throw error;
      }
      await options.note(read);
      await files.swap();
      await removeRestoreJournal(folder);
    });
    return {
      read,
      safetyCopy,
      latestCopy,
      damaged,
      newer,
      files: files.count,
      leftAlone: files.leftAlone,
      forbidden: files.forbidden,
    };
  } finally {
    await staged?.discard();
    await end();
  }
}

/** Whether a newer release left it so that this one cannot work on it; else it has the tables of this release from then on. */
async function isOfNewerRelease(database: Database): Promise<boolean> {
  try {
    await database.migrate();
    return false;
  } catch (error) {
    if (error instanceof Failure && error.code === 'database-schema-newer') return true;
    throw error;
  }
}

/** Whoever was signed in may have been shut out since the archive was made. */
async function endSessions({ queries }: Database): Promise<void> {
  await queries.updateTable('users').set({ session_stamp: randomUUID() }).execute();
}

/** The connection went away, and perhaps that was while the transaction was being ended. */
function isUnsure(error: unknown): boolean {
  return !(error instanceof Failure) || ['database-down', 'database-timeout'].includes(error.code);
}
