import { stat } from 'node:fs/promises';
import { type Dialect, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely';
import { Failure } from '../core/errors.ts';
import { systemCode } from '../core/storage-failure.ts';
import type { Database, DatabaseState } from '../ports/database.ts';
import type { Tables } from '../ports/database-tables.ts';
import type { Engine } from './database-engine.ts';
import { createDatabase, type DatabaseOptions, type Patience } from './database-kysely.ts';
import { SqliteDriver } from './sqlite-driver.ts';
import { sqliteFailure } from './sqlite-failure.ts';
import { createSqliteThread } from './sqlite-thread.ts';

export interface SqliteSettings extends DatabaseOptions {
  /** Made with its folder where it is not there. Several processes may use it. */
  readonly file: string;
  /** For this process: one that writes beside those that read. */
  readonly maxConnections?: number;
}

/** SQLite in a thread of its own, in WAL mode. Opens the file when first asked. */
export function createSqliteDatabase<T = Tables>(settings: SqliteSettings): Database<T> {
  const { file } = settings;
  const database = createDatabase<T>((patience) => sqliteEngine(settings, patience), settings);
  /** The file that is open; undefined until it is. */
  let opened: string | undefined;
  let gone: Failure | undefined;
  const state = (): DatabaseState => {
    const found = database.state();
    return found.failure === undefined && gone !== undefined
      ? { ...found, words: gone.message, failure: gone }
      : found;
  };
  return {
    ...database,
    state,
    async probe() {
      const { status } = await database.probe();
      const there = await identityOf(file, opened);
      // what was closed is opened anew, whatever lies there then
      opened = status === 'up' ? (opened ?? there) : undefined;
      gone = opened === undefined || opened === there ? undefined : fileGone(file, there !== undefined);
      return state();
    },
  };
}

/** Undefined where there is no file; as it was last known where it cannot be looked at. */
async function identityOf(file: string, known: string | undefined): Promise<string | undefined> {
  try {
    const { dev, ino } = await stat(file);
    return `${dev}:${ino}`;
  } catch (error) {
    return ['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '') ? undefined : known;
  }
}

/** SQLite goes on with an open file that has no name any more, and all of it is lost when that is closed. */
function fileGone(file: string, isReplaced: boolean): Failure {
  return new Failure(
    `${file} was ${isReplaced ? 'replaced' : 'removed'} while it was in use: what is written is lost at the next restart`,
    {
      code: 'database-file-gone',
      remedy: 'sudo appliance backup list; bring the newest back: sudo appliance backup restore NAME',
    },
  );
}

function sqliteEngine({ file, maxConnections = 4 }: SqliteSettings, patience: Patience): Engine {
  const where = `SQLite in ${file}`;
  const thread = createSqliteThread({ file, synchronous: 'full' });
  const dialect: Dialect = {
    createAdapter: () => new PooledSqliteAdapter(),
    createDriver: () => new SqliteDriver(thread, patience),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createIntrospector: (db) => new SqliteIntrospector(db),
  };
  return {
    kind: 'sqlite',
    where,
    dialect,
    maxConnections,
    connectionMs: patience.connectionMs,
    failureOf: (error) => sqliteFailure(where, file, error),
  };
}

/** Kysely takes SQLite for a database with one connection. */
class PooledSqliteAdapter extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true;
  }
}
