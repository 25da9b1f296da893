import { randomBytes } from 'node:crypto';
import { open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { sql } from 'kysely';
import { makeFolder, syncFolder } from '../core/atomic-file.ts';
import { Failure } from '../core/errors.ts';
import { writeFailure } from '../core/storage-failure.ts';
import type { Database } from '../ports/database.ts';
import type { TableShape } from '../ports/database-shape.ts';
import type { ScratchDatabases } from '../ports/scratch-database.ts';
import { createSqliteDatabase, type SqliteSettings } from './database-sqlite.ts';
import { columnList, createScratchDatabases, kyselyOf, type ScratchEngine } from './scratch-database.ts';

/** Whole tables are copied in one statement, while others may still be writing. */
const patience = { statementMs: 3_600_000, lockMs: 60_000 };

/** A file beside the real one. */
export function createScratchSqlite(settings: SqliteSettings): ScratchDatabases {
  const folder = dirname(settings.file);
  const prefix = `.${basename(settings.file)}.scratch-`;
  const aside = (stamp: string): string => `${settings.file}.newer-${stamp}`;
  const removeAll = async (start: string): Promise<void> => {
    for (const name of await readdir(folder))
      if (name.startsWith(start)) await rm(join(folder, name), { force: true });
  };
  const engine: ScratchEngine = {
    async make() {
      await makeFolder(folder);
      await removeAll(prefix).catch((error: unknown) => {
        throw writeFailure(folder, error);
      });
      const name = prefix + randomBytes(4).toString('hex');
      return {
        open: (migrations) =>
          createSqliteDatabase({ ...settings, migrations, patience, file: join(folder, name) }),
        replaceReal: (database, tables) => replace(database, settings.file, tables),
        supersedeReal: (_, stamp) => supersede(settings, join(folder, name), aside(stamp)),
        superseded: aside,
        remove: () => removeAll(name),
      };
    },
  };
  return createScratchDatabases(engine, settings.migrations);
}

/** SQLite attaches no file within a transaction, so these are begun by hand. */
async function atOnce(
  run: (statement: string) => Promise<unknown>,
  work: () => Promise<void>,
): Promise<void> {
  await run('begin immediate');
  try {
    await work();
    await run('commit');
  } catch (error) {
    await run('rollback').catch(() => undefined);
    throw error;
  }
}

function replace(database: Database, realFile: string, tables: readonly TableShape[]): Promise<void> {
  return kyselyOf(database)
    .connection()
    .execute(async (connection) => {
      const run = (statement: string) => sql.raw(statement).execute(connection);
      await sql`attach ${realFile} as real`.execute(connection);
      try {
        await atOnce(run, async () => {
          // what refers to what is looked at when all is there
          await run('pragma defer_foreign_keys = on');
          for (const { name } of tables.toReversed())
            await sql`delete from ${sql.table(`real.${name}`)}`.execute(connection);
          for (const { name, columns } of tables) {
            const list = columnList(columns);
            await sql`insert into ${sql.table(`real.${name}`)} (${list}) select ${list} from ${sql.table(`main.${name}`)}`.execute(
              connection,
            );
          }
        });
      } finally {
        await run('detach real').catch(() => undefined);
      }
    });
}

/**
 * The file stays, since others may have it open: it is copied to `aside` as it is, and then loses all tables but the embedded cache's
 * and gets those of the scratch file, in one transaction.
 */
async function supersede(settings: SqliteSettings, scratchFile: string, aside: string): Promise<void> {
  const real = createSqliteDatabase({ ...settings, patience, maxConnections: 1 });
  try {
    await kyselyOf(real)
      .connection()
      .execute(async (connection) => {
        const run = (statement: string) => sql.raw(statement).execute(connection);
        const textsOf = async (query: string) =>
          (await sql<{ text: string }>`${sql.raw(query)}`.execute(connection)).rows.map(({ text }) => text);
        await sql`attach ${scratchFile} as scratch`.execute(connection);
        // it cannot be set within a transaction; what refers to what was looked at as the rows were loaded
        await run('pragma foreign_keys = off');
        const changes = 'select data_version as text from pragma_data_version';
        const [before] = await textsOf(changes);
        // goes with the scratch file until it has its name
        const passing = `${scratchFile}-aside`;
        await copyTo(passing, (file) => sql`vacuum main into ${file}`.execute(connection));
        await atOnce(run, async () => {
          const [now] = await textsOf(changes);
          if (now !== before) throw written(settings.file);
          for (const type of ['view', 'table', 'virtual'])
            for (const name of await textsOf(ownRelations(type)))
              await sql`drop ${sql.raw(type === 'view' ? 'view' : 'table')} ${sql.table(`main.${name}`)}`.execute(
                connection,
              );
          for (const statement of await textsOf(
            `select sql as text from scratch.sqlite_schema where sql is not null and ${notSqlites} order by rowid`,
          ))
            await run(statement);
          for (const name of await textsOf(
            `select name as text from scratch.sqlite_schema where type = 'table' and ${notSqlites}`,
          ))
            await sql`insert into ${sql.table(`main.${name}`)} select * from ${sql.table(`scratch.${name}`)}`.execute(
              connection,
            );
          await keep(passing, aside);
        });
      });
  } finally {
    await real.close();
  }
}

const notSqlites = `name not like 'sqlite@_%' escape '@'`;
const ownRelations = (type: string) =>
  `select name as text from pragma_table_list where schema = 'main' and type = '${type}' and ${notSqlites} and name not glob 'cache_*'`;

/** Resolves when all of it is on the disk. */
async function copyTo(file: string, copy: (file: string) => Promise<unknown>): Promise<void> {
  try {
    const handle = await open(file, 'wx', 0o600);
    try {
      await copy(file);
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw error instanceof Failure ? error : writeFailure(file, error);
  }
}

async function keep(passing: string, file: string): Promise<void> {
  try {
    await rename(passing, file);
    await syncFolder(dirname(file));
  } catch (error) {
    throw writeFailure(file, error);
  }
}

function written(file: string): Failure {
  return new Failure(`${file} was written to by another program while it was copied`, {
    code: 'database-busy',
    retryable: true,
    remedy: 'End that program, and try again.',
  });
}
