import {
  type CompiledQuery,
  type DatabaseConnection,
  type Driver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
} from 'kysely';
import { exitCodes, Failure } from '../../core/errors.ts';
import { createMigrationsTable } from '../database-migrate.ts';
import { migrations } from './all.ts';

/**
 * The statements that make the tables of those migrations in an empty PostgreSQL; no server is asked. Throws
 * `database-schema-newer` where one of them is of a newer release.
 */
export async function postgresStatements(names: readonly string[]): Promise<readonly string[]> {
  const unknown = names.find((name) => !migrations.some((each) => each.name === name));
  if (unknown !== undefined) {
    throw new Failure(`the database was changed by a newer release (${unknown})`, {
      code: 'database-schema-newer',
      exitCode: exitCodes.usage,
      remedy: 'Run the newest release that is installed on this host.',
    });
  }
  const statements: string[] = [];
  const driver = new RecordingDriver(statements);
  const db = new Kysely<unknown>({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => driver,
      createIntrospector: (db) => new PostgresIntrospector(db),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  });
  await createMigrationsTable(db, 'postgres');
  for (const { name, up } of migrations) if (names.includes(name)) await up(db, 'postgres');
  // what a migration does to rows was done to those that are there
  return statements.filter((statement) => /^\s*(?:create|alter|drop)\b/i.test(statement));
}

/** Writes down what it is asked to do. */
class RecordingDriver implements Driver {
  readonly #connection: DatabaseConnection;

  constructor(statements: string[]) {
    this.#connection = {
      executeQuery<R>({ sql }: CompiledQuery): Promise<QueryResult<R>> {
        statements.push(sql);
        return Promise.resolve({ rows: [] });
      },
      streamQuery() {
        throw new Error('a migration reads no stream');
      },
    };
  }

  async init(): Promise<void> {}
  acquireConnection(): Promise<DatabaseConnection> {
    return Promise.resolve(this.#connection);
  }
  async beginTransaction(): Promise<void> {}
  async commitTransaction(): Promise<void> {}
  async rollbackTransaction(): Promise<void> {}
  async releaseConnection(): Promise<void> {}
  async destroy(): Promise<void> {}
}
