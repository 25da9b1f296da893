import { type Kysely, sql } from 'kysely';
import type { Clock } from '../core/clock.ts';
import { exitCodes, Failure } from '../core/errors.ts';
import { compareReleases } from '../core/release-order.ts';
import type { PendingMigration, Queries } from '../ports/database.ts';
import type { SchemaMigrationsTable } from '../ports/database-tables.ts';
import type { Migration } from './migrations/migration.ts';
import { createTable, type DatabaseKind, integer, text } from './migrations/table.ts';

export interface MigrateOptions {
  readonly kind: DatabaseKind;
  readonly migrations: readonly Migration[];
  readonly release: string;
  readonly clock: Pick<Clock, 'now'>;
}

type Done = Pick<SchemaMigrationsTable, 'name' | 'release' | 'oldest_release'>;
interface Schema {
  readonly schema_migrations: SchemaMigrationsTable;
}

/** Any number that no other program takes for its own locks in the same database. */
const advisoryLock = 5_921_743_301;

/**
 * Does what has not been done yet, each in a transaction of its own under the one lock: SQLite's write lock, which BEGIN
 * IMMEDIATE takes, or an advisory lock of PostgreSQL that ends with the transaction, however that ends. So whoever
 * comes second finds it done, and whoever is killed leaves nothing. Gives the names of those that it did.
 */
export async function migrate<T>(database: Kysely<T>, options: MigrateOptions): Promise<readonly string[]> {
  const db = database as unknown as Kysely<Schema>;
  const did: string[] = [];
  // nobody waits for a lock when there is nothing to do
  const before = await alreadyDone(db, options);
  if (before !== undefined && next(before, options) === undefined) return did;
  for (;;) {
    const name = await db
      .transaction()
      // each statement has to see what others committed while it waited for the lock
      .setIsolationLevel('read committed')
      .execute((transaction) => step(transaction, options));
    if (name === undefined) return did;
    did.push(name);
  }
}

/** What `migrate` would do. */
export async function pendingMigrations<T>(
  database: Kysely<T>,
  options: MigrateOptions,
): Promise<readonly PendingMigration[]> {
  const done = (await alreadyDone(database as unknown as Kysely<Schema>, options)) ?? [];
  const pending = options.migrations.filter(({ name }) => !done.some((each) => each.name === name));
  return pending.map(({ name, oldestRelease }) => ({ name, oldestRelease }));
}

/** Throws `database-schema-newer` where a newer release left tables that this one cannot work on. */
export async function expectOwnRelease<T>(queries: Queries<T>, options: MigrateOptions): Promise<void> {
  await alreadyDone(queries as unknown as Kysely<Schema>, options);
}

/** The next one, under the lock. Gives its name, or undefined where there was none. */
async function step(db: Kysely<Schema>, options: MigrateOptions): Promise<string | undefined> {
  const { kind, release, clock } = options;
  if (kind === 'postgres') await sql`select pg_advisory_xact_lock(${advisoryLock}::bigint)`.execute(db);
  let done = await alreadyDone(db, options);
  if (done === undefined) {
    await createMigrationsTable(db as Kysely<unknown>, kind);
    done = [];
  }
  const migration = next(done, options);
  if (migration === undefined) return undefined;
  const { name, oldestRelease } = migration;
  await migration.up(db as Kysely<unknown>, kind);
  const row = { name, release, oldest_release: oldestRelease, applied_ms: clock.now() };
  await db.insertInto('schema_migrations').values(row).execute();
  return name;
}

export async function createMigrationsTable(db: Kysely<unknown>, kind: DatabaseKind): Promise<void> {
  const columns = { name: text, applied_ms: integer, release: text, oldest_release: text };
  await createTable(db, kind, 'schema_migrations', columns, { primaryKey: ['name'] });
}

/** What was done to this database; undefined where it is new. Throws where a newer release left us behind. */
async function alreadyDone(
  db: Kysely<Schema>,
  { kind, migrations, release }: MigrateOptions,
): Promise<readonly Done[] | undefined> {
  const found =
    kind === 'postgres'
      ? // not to_regclass, which may answer from before we waited for the lock
        await sql`select 1 from pg_tables where schemaname = current_schema() and tablename = 'schema_migrations'`.execute(
          db,
        )
      : await sql`select 1 from sqlite_schema where type = 'table' and name = 'schema_migrations'`.execute(
          db,
        );
  if (found.rows.length === 0) return undefined;
  const done = await db
    .selectFrom('schema_migrations')
    .select(['name', 'release', 'oldest_release'])
    .orderBy('name')
    .execute();
  const known = new Set(migrations.map(({ name }) => name));
  const foreign = done.filter(({ name }) => !known.has(name));
  const excluding = foreign
    .toSorted((a, b) => compareReleases(b.oldest_release, a.oldest_release))
    .find(({ oldest_release }) => compareReleases(release, oldest_release) < 0);
  if (excluding !== undefined) throw tooNew(excluding, release);
  return done;
}

function next(done: readonly Done[], { migrations }: MigrateOptions): Migration | undefined {
  return migrations.find(({ name }) => !done.some((each) => each.name === name));
}

function tooNew({ name, release, oldest_release }: Done, own: string): Failure {
  return new Failure(
    `release ${release} changed the database (${name}) so that only ${oldest_release} and later can work on it; this is ${own}`,
    {
      code: 'database-schema-newer',
      exitCode: exitCodes.usage,
      remedy: `Run release ${oldest_release} or a later one, or restore a backup that was made before ${release} (this database is then kept aside): appliance backup list`,
    },
  );
}
