import { dirname } from 'node:path';
import { getSystemErrorMap } from 'node:util';
import { exitCodes, Failure, reasonOf } from './errors.ts';
import { shellWord } from './shell-word.ts';

/**
 * What kept a file from being written, as a Failure: `store-full` or `store-unwritable`. Whatever is no error of the
 * system comes back as it is.
 */
export function writeFailure(path: string, error: unknown): unknown {
  const code = systemCode(error);
  if (code === undefined) return error;
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  return new Failure(`cannot write ${path}: ${reason(error)}`, {
    code: full ? 'store-full' : 'store-unwritable',
    remedy: writeRemedy(code, path),
    retryable: full,
    cause: error,
  });
}

/** What kept a file from being read, as a Failure `store-unreadable`; see `writeFailure`. */
export function readFailure(path: string, error: unknown): unknown {
  const code = systemCode(error);
  if (code === undefined) return error;
  return new Failure(`cannot read ${path}: ${reason(error)}`, {
    code: 'store-unreadable',
    remedy: isDenied(error)
      ? isOfInstalledHost(path)
        ? 'use sudo'
        : `Let ${thisUser()} read it, or run this as its owner: ls -ld ${shellWord(path)}`
      : `Find out what is wrong with the disk or the path: ls -ld ${shellWord(path)}`,
    cause: error,
  });
}

/** The same Failure for a person who named the wrong thing: exit code 2. */
export function asUsageFailure(error: unknown): unknown {
  if (!(error instanceof Failure)) return error;
  const { message, code, remedy, cause } = error;
  const detail = { code, cause, exitCode: exitCodes.usage };
  return new Failure(message, remedy === undefined ? detail : { ...detail, remedy });
}

/** `ENOSPC`, `EACCES`, …; undefined for anything else than an error of the system. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('errno' in error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

function writeRemedy(code: string, path: string): string {
  const folder = dirname(path);
  if (code === 'ENOSPC')
    return `Free some space, or some inodes: df -h ${shellWord(folder)}; df -i ${shellWord(folder)}`;
  if (code === 'EDQUOT') return `Free some space of ${thisUser()}, or have the quota raised.`;
  if (code === 'EROFS')
    return `Mount it so that it can be written; what is mounted there: findmnt --target ${shellWord(folder)}`;
  if (denials.includes(code))
    return isOfInstalledHost(path)
      ? 'use sudo'
      : `Let ${thisUser()} write there, or run this as the owner: ls -ld ${shellWord(folder)}`;
  return `Find out what is in the way: ls -ld ${shellWord(folder)} ${shellWord(path)}`;
}

const denials: readonly string[] = ['EACCES', 'EPERM'];

/** Whether the system did not let this user. */
export function isDenied(error: unknown): boolean {
  return denials.includes(systemCode(error) ?? '');
}

/** What an install made is root's, or the service's, and is to stay so; to root itself something else is in the way. */
function isOfInstalledHost(path: string): boolean {
  return process.geteuid?.() !== 0 && /^\/(etc|var\/lib)\/appliance(\/|$)/.test(path);
}

function thisUser(): string {
  return `user ${process.geteuid?.() ?? 'of this process'}`;
}

/** The system's own words, without Node's repetition of call and path. */
function reason(error: unknown): string {
  const errno = error instanceof Error && 'errno' in error ? Number(error.errno) : 0;
  return getSystemErrorMap().get(errno)?.[1] ?? reasonOf(error);
}
