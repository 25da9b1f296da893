import { setTimeout as wait } from 'node:timers/promises';
import { Kysely, sql, type IsolationLevel } from 'kysely';
import { type Clock, systemClock } from '../core/clock.ts';
import { Failure } from '../core/errors.ts';
import type { Database, DatabaseState } from '../ports/database.ts';
import type { Tables } from '../ports/database-tables.ts';
import type { Engine } from './database-engine.ts';
import { guard } from './database-guard.ts';
import { createDatabaseLink, type DatabaseLink } from './database-link.ts';
import { expectOwnRelease, migrate, pendingMigrations } from './database-migrate.ts';
import { readShape } from './database-shape.ts';
import type { Migration } from './migrations/migration.ts';

/** How patient an engine is, milliseconds. */
export interface Patience {
  /** For a statement to end. */
  readonly statementMs: number;
  /** For a lock that another transaction or process holds. */
  readonly lockMs: number;
  /** For one of our connections to be free, when all are in use. */
  readonly connectionMs: number;
}

const everyday: Patience = { statementMs: 30_000, lockMs: 5_000, connectionMs: 10_000 };
/** A migration may rewrite a large table, or wait for the one that does. */
const migrating: Patience = { statementMs: 3_600_000, lockMs: 3_600_000, connectionMs: 10_000 };

/** A transaction that lost against another is tried again after that long at most, each time. */
const conflictDelaysMs = [5, 10, 20, 50, 100, 200, 400, 800, 1000, 1000, 1000, 1000];
const closeGraceMs = 3_000;

export interface DatabaseOptions {
  readonly clock?: Clock;
  /** Other than the everyday ones. */
  readonly patience?: Partial<Patience>;
  readonly migrations: readonly Migration[];
  /** This release, `MAJOR.MINOR.PATCH`. */
  readonly release: string;
}

/** A database with its own engine; `migrate` makes a second one for as long as it lasts. */
export function createDatabase<T = Tables>(
  makeEngine: (patience: Patience) => Engine,
  { clock = systemClock, patience, migrations, release }: DatabaseOptions,
): Database<T> {
  const engine = makeEngine({ ...everyday, ...patience });
  const link = createDatabaseLink(engine.where, clock);
  const { kysely, close } = connect<T>(engine, link);
  let closing: Promise<void> | undefined;

  const inTransaction = (isolation: IsolationLevel) => kysely.transaction().setIsolationLevel(isolation);

  const probe = async (): Promise<DatabaseState> => {
    await sql`select 1`.execute(kysely).catch(() => undefined);
    return link.state();
  };

  return {
    kind: engine.kind,
    queries: kysely,
    transaction: (work) =>
      // not `read write`: that would overrule a server that was made read-only (default_transaction_read_only)
      repeated(() => inTransaction('serializable').execute(work)),
    snapshot: (work) => inTransaction('repeatable read').setAccessMode('read only').execute(work),
    async migrate() {
      if (closing !== undefined) throw new Failure('the database was closed', { code: 'database-closed' });
      const patient = connect<T>(makeEngine({ ...migrating, ...patience }), link);
      try {
        return await migrate(patient.kysely, { kind: engine.kind, migrations, release, clock });
      } finally {
        await patient.close(0);
      }
    },
    pendingMigrations: () => pendingMigrations(kysely, { kind: engine.kind, migrations, release, clock }),
    async shape(queries = kysely) {
      // what a newer release made is nothing that somebody should move away
      await expectOwnRelease(queries, { kind: engine.kind, migrations, release, clock });
      return readShape(queries, engine.kind);
    },
    state: () => link.state(),
    probe,
    close: () => {
      closing ??= close(closeGraceMs);
      link.closed();
      return closing;
    },
  };
}

function connect<T>(engine: Engine, link: DatabaseLink) {
  const guarded = guard(engine, link);
  const kysely = new Kysely<T>({ dialect: guarded.dialect, log: () => undefined });
  // Kysely's own `destroy` would have later calls fail without a name
  return { kysely, close: guarded.close };
}

async function repeated<R>(attempt: () => Promise<R>): Promise<R> {
  for (const delayMs of conflictDelaysMs) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== 'database-conflict') throw error;
    }
    await wait(delayMs * (0.5 + Math.random() / 2));
  }
  return attempt();
}
