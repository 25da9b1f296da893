import type { DatabaseOptions } from '../../src/adapters/database-kysely.ts';
import { createPostgresDatabase, type PostgresSettings } from '../../src/adapters/database-postgres.ts';
import { createSqliteDatabase, type SqliteSettings } from '../../src/adapters/database-sqlite.ts';
import { migrations } from '../../src/adapters/migrations/all.ts';
import type { Database } from '../../src/ports/database.ts';
import type { Tables } from '../../src/ports/database-tables.ts';

/** Where a database is; plain values, so that another process can be told. */
export type DatabasePlace =
  | ({ readonly kind: 'sqlite' } & Omit<SqliteSettings, keyof DatabaseOptions>)
  | ({ readonly kind: 'postgres' } & Omit<PostgresSettings, keyof DatabaseOptions>);

export type OpenOptions = Partial<DatabaseOptions> & { readonly maxConnections?: number };

/** As a process of its own would have it. */
export function openDatabase<T = Tables>(place: DatabasePlace, options: OpenOptions = {}): Database<T> {
  const all = { migrations, release: '0.1.0', ...options };
  return place.kind === 'sqlite'
    ? createSqliteDatabase<T>({ ...place, ...all })
    : createPostgresDatabase<T>({ ...place, ...all });
}
