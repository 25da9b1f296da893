import { dirname } from 'node:path';
import { Failure, reasonOf } from '../core/errors.ts';
import { statementFailure, valueFailure } from './database-values.ts';
import { NoAnswer, SqliteError, ThreadLost } from './sqlite-thread.ts';

/** What may be wrong with a file of SQLite's, whoever uses it. */
interface Ailment {
  /** SQLite's primary result codes (sqlite.org/rescode.html), the low byte of the extended ones. */
  readonly codes: readonly number[];
  /** Errors of the file system on the way to the file. */
  readonly system?: RegExp;
  /** Of the database's failure. */
  readonly code: string;
  readonly retryable?: boolean;
  /** Where SQLite's own words say less. */
  readonly says?: string;
  readonly remedy: (file: string) => string;
  /** For the cache, to go on after its name. */
  readonly words: string;
}

const look = (file: string) =>
  `Find out what is wrong with the disk or the path: ls -ld ${dirname(file)} ${file}`;

const ailments: readonly Ailment[] = [
  {
    codes: [5, 6],
    code: 'database-busy',
    retryable: true,
    says: 'another transaction holds the lock',
    remedy: () => 'Try again in a moment.',
    words: 'is locked by another process',
  },
  {
    codes: [8],
    system: /\(EROFS\)$/,
    code: 'database-read-only',
    remedy: look,
    words: 'may not be written to',
  },
  {
    codes: [13],
    system: /\((ENOSPC|EDQUOT)\)$/,
    code: 'database-full',
    retryable: true,
    remedy: (file) => `Free some space: df -h ${dirname(file)}`,
    words: 'has no room left on its disk',
  },
  {
    codes: [11, 26],
    code: 'database-damaged',
    remedy: () => 'Restore the newest backup: appliance backup list',
    // the database lies in the same file where there is no PostgreSQL
    words: 'is damaged: restore a backup, or remove it if the database is elsewhere',
  },
  {
    codes: [10, 14],
    system: /\(E[A-Z]+\)$/,
    code: 'database-unopenable',
    remedy: look,
    words: 'cannot be opened',
  },
  { codes: [3, 23], code: 'database-rights', remedy: look, words: 'may not be used' },
];
/** Of a transaction that read before another wrote: waiting would not help it. */
const busySnapshot = 517;
/** Primary codes, and extended ones of constraints. */
const constraint = 19;
const valueCodes = [18, 20];
const uniqueCodes = [2067, 1555, 2579];
const foreignKey = 787;

function ailmentOf(error: unknown): Ailment | undefined {
  if (!(error instanceof SqliteError) || error.errcode === busySnapshot) return undefined;
  const { errcode, message } = error;
  return errcode === undefined
    ? ailments.find(({ system }) => system?.test(message))
    : ailments.find(({ codes }) => codes.includes(errcode & 0xff));
}

/** Whether another connection held the lock; nothing was done then. */
export function isSqliteBusy(error: unknown): error is SqliteError {
  return ailmentOf(error)?.code === 'database-busy';
}

/** What an error of the thread means for the cache, to go on after its name. */
export function sqliteAilment(error: unknown): string {
  if (error instanceof NoAnswer) return reasonOf(error).replace(/^no answer/, 'has not answered');
  return ailmentOf(error)?.words ?? `fails: ${reasonOf(error)}`;
}

/** What any error of the thread means for the database. Gives a Failure back as it is. */
export function sqliteFailure(where: string, file: string, error: unknown): Failure {
  if (error instanceof Failure) return error;
  const reason = reasonOf(error);
  const fail = (code: string, says = reason, remedy?: string, retryable = true) =>
    new Failure(`${where}: ${says}`, {
      code,
      retryable,
      cause: error,
      ...(remedy === undefined ? {} : { remedy }),
    });
  if (error instanceof ThreadLost) return fail('database-down', reason, 'Try again.');
  if (error instanceof NoAnswer) return fail('database-timeout');
  if (!(error instanceof SqliteError)) return statementFailure(reason, error);
  const { errcode } = error;
  if (errcode === busySnapshot) return fail('database-conflict', 'another transaction came first');
  const ailment = ailmentOf(error);
  if (ailment !== undefined) {
    const { code, says, remedy, retryable = false } = ailment;
    return fail(code, says, remedy(file), retryable);
  }
  if (errcode === undefined)
    return /too large to bind/.test(reason) ? valueFailure(reason, error) : statementFailure(reason, error);
  if (valueCodes.includes(errcode & 0xff)) return valueFailure(reason, error);
  return (errcode & 0xff) === constraint
    ? constraintFailure(errcode, reason, error)
    : statementFailure(reason, error);
}

function constraintFailure(errcode: number, reason: string, cause: unknown): Failure {
  const subject = reason.split(': ').at(-1) ?? reason;
  if (uniqueCodes.includes(errcode))
    return new Failure(`the database has it already (${subject})`, { code: 'duplicate-key', cause });
  if (errcode === foreignKey)
    return new Failure('it refers to what is not there, or something refers to it', {
      code: 'database-reference',
      cause,
    });
  return valueFailure(reason, cause);
}
