import { Failure, type FailureDetail } from '../core/errors.ts';
import { statementFailure, valueFailure } from './database-values.ts';
import { isTlsFailure } from './postgres-tls.ts';

/** A failure of ours, by the start of PostgreSQL's own code (its documentation, appendix A); the longest match counts. */
const byState: Readonly<
  Record<string, (reason: string) => Partial<FailureDetail> & { code: string; message?: string }>
> = {
  '08': () => down,
  '08P01': (reason) => (/startup parameter/.test(reason) ? pooler : down),
  '57P': () => down,
  '28': () => password,
  '3D000': () => ({
    code: 'database-missing',
    remedy: 'Make it (CREATE DATABASE), or set POSTGRES_DB to the one that is there.',
  }),
  '42501': () => ({
    code: 'database-rights',
    remedy: 'Make POSTGRES_USER the owner of the database, or grant it all rights on its schema.',
  }),
  '25006': () => ({
    code: 'database-read-only',
    remedy: 'It is a standby, or default_transaction_read_only is on. Point POSTGRES_HOST at the primary.',
  }),
  '53100': () => full,
  '53200': () => busy,
  '53300': () => ({
    ...busy,
    remedy: 'It has as many connections as it allows (max_connections). Close some, or raise that.',
  }),
  '40': () => ({ code: 'database-conflict', retryable: true, message: 'another transaction came first' }),
  '55P03': () => ({ ...busy, message: 'another transaction holds the lock' }),
  // it stood still between two statements for too long
  '25P03': () => ({
    code: 'database-timeout',
    retryable: true,
    message: 'the transaction took too long',
  }),
  '57014': () => ({ code: 'database-timeout', retryable: true, message: 'the statement took too long' }),
  XX001: () => damaged,
  XX002: () => damaged,
};
const down = {
  code: 'database-down',
  retryable: true,
  remedy: 'Is the server running, and are POSTGRES_HOST and POSTGRES_PORT right?',
} as const;
/** PgBouncer could be told to ignore what it refuses, but how values are read and where the tables are depends on that. */
const pooler = {
  code: 'database-pooler',
  remedy: 'That is a pooler, PgBouncer for one. Name the server itself in POSTGRES_HOST and POSTGRES_PORT.',
} as const;
const password = {
  code: 'database-password',
  remedy:
    'Put the password of POSTGRES_USER into postgres.env, then: sudo systemctl reload appliance. Or set it in the server: ALTER ROLE … PASSWORD.',
} as const;
const busy = { code: 'database-busy', retryable: true, remedy: 'Try again in a moment.' } as const;
const full = {
  code: 'database-full',
  retryable: true,
  remedy: "Free some space on the database's disk.",
} as const;
const damaged = {
  code: 'database-damaged',
  remedy: 'Restore the newest backup: appliance backup list',
} as const;

/** Errors of Node's sockets and resolver. */
const unreachable = /^(E[A-Z_]+)$/;
/** Errors of `pg` that have no code. */
const broken =
  /connection (terminated|ended)|client (was closed|has encountered a connection error)|timeout|not queryable|socket/i;

/** What any error of `pg` means to us. Gives a Failure back as it is. */
export function postgresFailure(where: string, error: unknown): Failure {
  if (error instanceof Failure) return error;
  const { code, message, constraint, table } = error as Record<string, string | undefined>;
  const reason = reasonOf(error);
  const fail = (detail: FailureDetail) => new Failure(`${where}: ${reason}`, { ...detail, cause: error });
  if (isTlsFailure(code, message ?? '')) return fail(tls);
  if (code === undefined) {
    if (/SASL|password/i.test(message ?? '')) return fail(password);
    return broken.test(message ?? '') ? fail(down) : statementFailure(reason, error);
  }
  if (code === '23505') {
    return new Failure(`the database has it already (${constraint ?? table})`, {
      code: 'duplicate-key',
      cause: error,
    });
  }
  if (code === '23503') {
    return new Failure(`it refers to what is not there, or something refers to it (${constraint})`, {
      code: 'database-reference',
      cause: error,
    });
  }
  if (code.startsWith('22') || code.startsWith('23') || code.startsWith('54'))
    return valueFailure(reason, error);
  if (unreachable.test(code)) return fail(down);
  const found = [5, 3, 2].map((length) => byState[code.slice(0, length)]).find((each) => each !== undefined);
  if (found === undefined) return statementFailure(reason, error);
  const { message: own, ...detail } = found(reason);
  return own === undefined ? fail(detail) : new Failure(`${where}: ${own}`, { ...detail, cause: error });
}

const tls = {
  code: 'database-tls',
  remedy:
    'Have the server use a certificate that is trusted here and names POSTGRES_HOST, or ask for less with POSTGRES_SSLMODE.',
} as const;

/** Of several addresses each failure counts (`AggregateError` has no text of its own). */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map((each: Error) => each.message).join('; ');
  return error instanceof Error ? error.message : String(error);
}
