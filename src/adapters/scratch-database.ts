import { CompiledQuery, type Kysely, sql } from 'kysely';
import { timeStamp } from '../core/time-text.ts';
import type { Database } from '../ports/database.ts';
import type { TableShape } from '../ports/database-shape.ts';
import type { CellValue, ScratchDatabase, ScratchDatabases } from '../ports/scratch-database.ts';
import type { Migration } from './migrations/migration.ts';

/** What the two databases do not have in common. */
export interface ScratchEngine {
  /** Makes the empty place, where what killed runs left was removed. */
  make(): Promise<ScratchPlace>;
}

export interface ScratchPlace {
  open(migrations: readonly Migration[]): Database;
  /** See `ScratchDatabase.replaceReal`. */
  replaceReal(database: Database, tables: readonly TableShape[]): Promise<void>;
  /** See `ScratchDatabase.supersedeReal`; `stamp` is the time in a name, `20261122T213600Z`. */
  supersedeReal(database: Database, stamp: string): Promise<void>;
  /** See `ScratchDatabase.superseded`. */
  superseded(stamp: string): string;
  /** Rejects where it cannot. */
  remove(): Promise<void>;
}

/** A statement of SQLite takes 32,766 values, and its text is made anew for each number of rows. */
const mostParameters = 30_000;
const mostRows = 500;

export function createScratchDatabases(
  engine: ScratchEngine,
  migrations: readonly Migration[],
): ScratchDatabases {
  return {
    migrations: migrations.map(({ name }) => name),
    async create(wanted) {
      const place = await engine.make();
      const early = place.open(migrations.filter(({ name }) => wanted.includes(name)));
      const database = place.open(migrations);
      const remove = async (): Promise<void> => {
        await Promise.all([early.close(), database.close()]);
        await place.remove().catch(() => undefined);
      };
      try {
        await early.migrate();
        await early.close();
      } catch (error) {
        await remove();
        throw error;
      }
      return {
        database,
        load: (table, rows) => load(database, table, rows),
        upgrade: async () => void (await database.migrate()),
        async replaceReal() {
          const { tables } = await database.shape();
          await place.replaceReal(database, tables);
        },
        supersedeReal: (now) => place.supersedeReal(database, timeStamp(now)),
        superseded: (now) => place.superseded(timeStamp(now)),
        remove,
      } satisfies ScratchDatabase;
    },
  };
}

/** The text is made once for each number of rows: a query builder would make a thousand times as much of it. */
async function load(
  database: Database,
  { name, columns }: TableShape,
  rows: readonly (readonly CellValue[])[],
): Promise<void> {
  const names = columns.map((column) => `"${column.name}"`).join(', ');
  const atOnce = Math.min(mostRows, Math.floor(mostParameters / columns.length));
  for (let start = 0; start < rows.length; start += atOnce) {
    const some = rows.slice(start, start + atOnce);
    const text = `insert into "${name}" (${names}) values ${placeholders(database.kind, some.length, columns.length)}`;
    await kyselyOf(database).executeQuery(CompiledQuery.raw(text, some.flat()));
  }
}

function placeholders(kind: Database['kind'], rows: number, columns: number): string {
  const sign = (row: number, column: number) => (kind === 'sqlite' ? '?' : `$${row * columns + column + 1}`);
  const list = (row: number) => Array.from({ length: columns }, (_, column) => sign(row, column)).join(', ');
  return Array.from({ length: rows }, (_, row) => `(${list(row)})`).join(', ');
}

export function columnList(columns: TableShape['columns']) {
  return sql.join(columns.map((column) => sql.ref(column.name)));
}

/** The same object, with what a service has no use for. */
export function kyselyOf(database: Database): Kysely<unknown> {
  return database.queries as unknown as Kysely<unknown>;
}
