import { describe, expect, it } from 'vitest';
import { compareReleases } from '../../src/core/release-order.ts';
import { migrations } from '../../src/adapters/migrations/all.ts';
import { postgresFailure } from '../../src/adapters/postgres-failure.ts';
import { sqliteFailure } from '../../src/adapters/sqlite-failure.ts';
import { NoAnswer, SqliteError, ThreadLost } from '../../src/adapters/sqlite-thread.ts';
import { version } from '../../src/core/version.ts';

const withCode = (code: string, message = 'the server said so') =>
  Object.assign(new Error(message), { code });

/** Error of the driver → code of the failure, and whether it may pass by itself. */
const ofPostgres: readonly [Error, string, boolean][] = [
  [withCode('ECONNREFUSED'), 'database-down', true],
  [withCode('ENOTFOUND'), 'database-down', true],
  [withCode('EAI_AGAIN'), 'database-down', true],
  [withCode('ENOENT'), 'database-down', true],
  [
    Object.assign(new AggregateError([withCode('ECONNREFUSED')], ''), { code: 'ECONNREFUSED' }),
    'database-down',
    true,
  ],
  [new Error('Connection terminated unexpectedly'), 'database-down', true],
  [new Error('Client has encountered a connection error and is not queryable'), 'database-down', true],
  [withCode('57P01'), 'database-down', true],
  [withCode('57P03'), 'database-down', true],
  [withCode('08006'), 'database-down', true],
  [withCode('08P01', 'invalid message format'), 'database-down', true],
  [withCode('08P01', 'unsupported startup parameter: statement_timeout'), 'database-pooler', false],
  [withCode('08P01', 'unsupported startup parameter in options: DateStyle'), 'database-pooler', false],
  [withCode('28P01'), 'database-password', false],
  [withCode('28000'), 'database-password', false],
  [withCode('3D000'), 'database-missing', false],
  [withCode('42501'), 'database-rights', false],
  [withCode('25006'), 'database-read-only', false],
  [withCode('53100'), 'database-full', true],
  [withCode('53300'), 'database-busy', true],
  [withCode('55P03'), 'database-busy', true],
  [withCode('40001'), 'database-conflict', true],
  [withCode('40P01'), 'database-conflict', true],
  [withCode('57014'), 'database-timeout', true],
  [withCode('25P03'), 'database-timeout', true],
  [withCode('XX001'), 'database-damaged', false],
  [withCode('23505'), 'duplicate-key', false],
  [withCode('23503'), 'database-reference', false],
  [withCode('23502'), 'database-value', false],
  [withCode('23514'), 'database-value', false],
  [withCode('22021'), 'database-value', false],
  [withCode('54000'), 'database-value', false],
  [withCode('42P01'), 'database-statement', false],
  [withCode('SELF_SIGNED_CERT_IN_CHAIN'), 'database-tls', false],
  [withCode('ERR_TLS_CERT_ALTNAME_INVALID'), 'database-tls', false],
  [new Error('The server does not support SSL connections'), 'database-tls', false],
];
const ofSqlite: readonly [Error, string, boolean][] = [
  [new SqliteError('x', 5), 'database-busy', true],
  [new SqliteError('x', 261), 'database-busy', true],
  [new SqliteError('x', 517), 'database-conflict', true],
  [new SqliteError('x', 8), 'database-read-only', false],
  [new SqliteError('x', 1032), 'database-read-only', false],
  [new SqliteError('x', 13), 'database-full', true],
  [new SqliteError('x', 11), 'database-damaged', false],
  [new SqliteError('x', 26), 'database-damaged', false],
  [new SqliteError('x', 14), 'database-unopenable', false],
  [new SqliteError('x', 266), 'database-unopenable', false],
  [new SqliteError('x (EACCES)'), 'database-unopenable', false],
  [new SqliteError('x (EROFS)'), 'database-read-only', false],
  [new SqliteError('x (ENOSPC)'), 'database-full', true],
  [new SqliteError('UNIQUE constraint failed: users.name', 2067), 'duplicate-key', false],
  [new SqliteError('UNIQUE constraint failed: users.id', 1555), 'duplicate-key', false],
  [new SqliteError('x', 787), 'database-reference', false],
  [new SqliteError('x', 275), 'database-value', false],
  [new SqliteError('x', 1299), 'database-value', false],
  [new SqliteError('x', 1), 'database-statement', false],
  [new ThreadLost('x'), 'database-down', true],
  [new NoAnswer('x'), 'database-timeout', true],
];

describe('what a database refuses', () => {
  it.each(ofPostgres)('has a name: %s of PostgreSQL is %s, retryable: %s', (error, code, retryable) => {
    expect(postgresFailure('PostgreSQL', error)).toMatchObject({ code, retryable });
  });

  it.each(ofSqlite)('has a name: %s of SQLite is %s, retryable: %s', (error, code, retryable) => {
    expect(sqliteFailure('SQLite', '/x/state.sqlite', error)).toMatchObject({
      code,
      retryable,
      cause: error,
    });
  });

  it('does not show in the message what somebody wanted to write', () => {
    const error = Object.assign(withCode('23505', 'duplicate key value'), {
      constraint: 'users_name_key',
      detail: 'Key (name)=(secret) already exists.',
    });
    const { message } = postgresFailure('PostgreSQL', error);
    expect(message).toBe('the database has it already (users_name_key)');
  });
});

describe('releases', () => {
  it.each([
    ['0.1.0', '0.1.0', 0],
    ['0.9.0', '0.10.0', -1],
    ['1.0.0', '0.99.99', 1],
    ['1.2.3', '1.2.4', -1],
    ['1.2.3-beta.1', '1.2.3', 0],
    ['nonsense', '0.0.1', -1],
  ])('%s against %s: %d', (a, b, expected) => {
    expect(Math.sign(compareReleases(a, b))).toBe(expected);
    expect(Math.sign(compareReleases(b, a))).toBe(-expected || 0);
  });
});

describe('our migrations', () => {
  it('come in the order of their names, and leave this release in', () => {
    const names = migrations.map(({ name }) => name);
    expect(names).toEqual([...new Set(names)].toSorted());
    for (const { name, oldestRelease } of migrations) {
      expect(name).toMatch(/^\d{4}-[a-z-]+$/);
      expect(compareReleases(oldestRelease, version)).toBeLessThanOrEqual(0);
    }
  });
});
