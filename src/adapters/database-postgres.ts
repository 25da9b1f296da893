import { PostgresDialect } from 'kysely';
import type { Database } from '../ports/database.ts';
import type { Tables } from '../ports/database-tables.ts';
import type { Engine } from './database-engine.ts';
import { createDatabase, type DatabaseOptions, type Patience } from './database-kysely.ts';
import { postgresFailure } from './postgres-failure.ts';
import { createPool } from './postgres-pool.ts';
import { type PostgresSslMode, waysOfTls } from './postgres-tls.ts';
import { postgresTypes } from './postgres-types.ts';

export interface PostgresSettings extends DatabaseOptions {
  /** A name, an address, or the folder of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string | undefined;
  readonly sslMode: PostgresSslMode;
  /** PEM file of the authority that `verify-ca` and `verify-full` trust; public ones and the system's without it. */
  readonly caFile?: string;
  /** Shown in pg_stat_activity. */
  readonly applicationName?: string;
  /** Where its tables are; the one that the role's `search_path` starts with where it is not given. Our own word. */
  readonly schema?: string;
  /** For this process. */
  readonly maxConnections?: number;
  readonly connectMs?: number;
}

/** PostgreSQL 15 or later. Connects when first asked. Throws `store-unreadable` where `caFile` cannot be read. */
export function createPostgresDatabase<T = Tables>(settings: PostgresSettings): Database<T> {
  return createDatabase<T>((patience) => postgresEngine(settings, patience), settings);
}

function postgresEngine(settings: PostgresSettings, { statementMs, lockMs, connectionMs }: Patience): Engine {
  const {
    host,
    port,
    database,
    user,
    password,
    sslMode,
    caFile,
    schema,
    maxConnections = 4,
    connectMs = 5_000,
  } = settings;
  const where = host.startsWith('/') ? `PostgreSQL in ${host}` : `PostgreSQL at ${host}:${port}`;
  const pool = createPool({
    host,
    port,
    database,
    user,
    // undefined would have `pg` look into the environment and ~/.pgpass
    password: password ?? '',
    ways: waysOfTls(sslMode, host, caFile),
    max: maxConnections,
    connectionTimeoutMillis: connectMs,
    idleTimeoutMillis: 60_000,
    allowExitOnIdle: true,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    application_name: settings.applicationName ?? 'appliance',
    statement_timeout: statementMs,
    lock_timeout: lockMs,
    idle_in_transaction_session_timeout: 60_000,
    // what the types are read from, whatever the server's own settings are
    options: `-c DateStyle=ISO -c TimeZone=UTC -c IntervalStyle=iso_8601 -c bytea_output=hex -c extra_float_digits=1${
      schema === undefined ? '' : ` -c search_path=${schema}`
    }`,
    types: postgresTypes,
    answerMs: statementMs + 5_000,
  });
  return {
    kind: 'postgres',
    where,
    dialect: new PostgresDialect({ pool }),
    maxConnections,
    connectionMs,
    failureOf: (error) => postgresFailure(where, error),
  };
}
