import { setTimeout as wait } from 'node:timers/promises';
import type { CompiledQuery, DatabaseConnection, Driver, QueryResult, TransactionSettings } from 'kysely';
import type { Patience } from './database-kysely.ts';
import { exactNumber } from './database-values.ts';
import { createSlots } from '../core/slots.ts';
import { isSqliteBusy } from './sqlite-failure.ts';
import type { SqliteConnection, SqliteThread } from './sqlite-thread.ts';
import type { SqliteResult, SqliteStatement, SqliteValue } from './sqlite-thread-messages.ts';

/** How long to wait before the lock is tried again: SQLite's own way of waiting, off the thread. */
const retryDelaysMs = [1, 2, 5, 10, 15, 20, 25];

/** Kysely's driver over connections of the thread: one for each who asks, kept for the next. */
export class SqliteDriver implements Driver {
  readonly #thread: SqliteThread;
  readonly #patience: Patience;
  readonly #idle: PooledConnection[] = [];
  /** Our own writers wait in a row here; only other processes' have to be waited for by trying. */
  readonly #writers = createSlots(1);
  #ended = false;

  constructor(thread: SqliteThread, patience: Patience) {
    this.#thread = thread;
    this.#patience = patience;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<PooledConnection> {
    for (;;) {
      const idle = this.#idle.pop();
      if (idle === undefined) break;
      if (idle.usable) return idle;
    }
    const { statementMs } = this.#patience;
    const opened = await this.#untilFree(() => this.#thread.open(statementMs));
    return new PooledConnection(opened, statementMs, (work) => this.#untilFree(work));
  }

  async releaseConnection(connection: PooledConnection): Promise<void> {
    connection.writing?.();
    connection.writing = undefined;
    if (connection.usable && !this.#ended) this.#idle.push(connection);
    else await connection.close();
  }

  async beginTransaction(connection: PooledConnection, { accessMode }: TransactionSettings): Promise<void> {
    if (accessMode === 'read only') {
      await connection.run('pragma query_only = on');
      connection.readOnly = true;
      await connection.run('begin');
      return;
    }
    const release = await this.#writers.take(this.#patience.lockMs);
    connection.writing = release;
    // also where our own do not end: then this fails with SQLite's own words
    await this.#untilFree(() => connection.run('begin immediate'));
  }

  async commitTransaction(connection: PooledConnection): Promise<void> {
    await connection.run('commit');
    await this.#over(connection);
  }

  async rollbackTransaction(connection: PooledConnection): Promise<void> {
    try {
      await connection.run('rollback');
    } catch (error) {
      connection.discard();
      throw error;
    }
    await this.#over(connection);
  }

  async destroy(): Promise<void> {
    this.#ended = true;
    await this.#thread.end();
  }

  async #over(connection: PooledConnection): Promise<void> {
    connection.writing?.();
    connection.writing = undefined;
    if (!connection.readOnly) return;
    connection.readOnly = false;
    await connection.run('pragma query_only = off');
  }

  /** Does it again while another connection holds the lock, until patience ends. */
  async #untilFree<R>(work: () => Promise<R>): Promise<R> {
    const giveUpAt = performance.now() + this.#patience.lockMs;
    for (let attempt = 0; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        if (!isSqliteBusy(error) || performance.now() > giveUpAt || this.#ended) throw error;
        await wait(retryDelaysMs[Math.min(attempt, retryDelaysMs.length - 1)]);
      }
    }
  }
}

class PooledConnection implements DatabaseConnection {
  /** Lets the next of our writers in. */
  writing: (() => void) | undefined;
  readOnly = false;
  readonly #connection: SqliteConnection;
  readonly #statementMs: number;
  readonly #untilFree: <R>(work: () => Promise<R>) => Promise<R>;
  #discarded = false;

  constructor(
    connection: SqliteConnection,
    statementMs: number,
    untilFree: <R>(work: () => Promise<R>) => Promise<R>,
  ) {
    this.#connection = connection;
    this.#statementMs = statementMs;
    this.#untilFree = untilFree;
  }

  get usable(): boolean {
    return !this.#discarded && this.#connection.alive;
  }

  discard(): void {
    this.#discarded = true;
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    const bound = parameters as NonNullable<SqliteStatement['parameters']>;
    const result = await this.#untilFree(() => this.run(sql, bound));
    const { changes } = result;
    const rows = result.rows.map((row) => decoded(row, result)) as R[];
    return changes === undefined ? { rows } : { rows, numAffectedRows: BigInt(changes) };
  }

  run(sql: string, parameters: SqliteStatement['parameters'] = []): Promise<SqliteResult> {
    return this.#connection.execute({ sql, parameters }, this.#statementMs);
  }

  // eslint-disable-next-line require-yield
  async *streamQuery(): AsyncIterableIterator<never> {
    throw new Error('not supported');
  }

  async close(): Promise<void> {
    await this.#connection.close().catch(() => undefined);
  }
}

function decoded(
  row: Readonly<Record<string, SqliteValue>>,
  { booleans, json }: SqliteResult,
): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(row))
    values[name] = typeof value === 'bigint' ? exactNumber(value) : value;
  for (const name of booleans) if (typeof values[name] === 'number') values[name] = values[name] === 1;
  for (const name of json) if (typeof values[name] === 'string') values[name] = JSON.parse(values[name]);
  return values;
}
