import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Cache } from '../ports/cache.ts';
import type { Logger } from '../ports/logger.ts';
import { cacheHealth } from './cache-health.ts';
import { type CacheDriver, cacheNamespace, type CacheSpace, type Traffic } from './cache-namespace.ts';
import { cacheStatements, cacheTables } from './cache-sqlite-statements.ts';
import { isSqliteBusy, sqliteAilment } from './sqlite-failure.ts';
import { createSqliteThread, NoAnswer, type SqliteError, type SqliteThread } from './sqlite-thread.ts';
import type { SqliteResult, SqliteStatement, SqliteValue } from './sqlite-thread-messages.ts';

export interface SqliteCacheOptions {
  readonly dataDir: string;
  /** Life of entries that are given none, milliseconds. */
  readonly defaultLifeMs: number;
  readonly log: Logger;
}

const lookAgainMs = 10;
const sweepEveryMs = 10_000;
const sweepAtOnce = 200;
const sweepWithinMs = 1000;

/**
 * The cache of a host without Redis: a table of `state.sqlite`, shared by all processes of the host, which outlives them.
 * Whoever holds the file's write lock for long makes writes fail and no reads. The thread starts when it is first needed.
 */
export function createSqliteCache({ dataDir, defaultLifeMs, log }: SqliteCacheOptions): Cache {
  const file = join(dataDir, 'state.sqlite');
  // not the database's: one of its statements that takes long would make the cache late
  const thread = createSqliteThread({ file, synchronous: 'normal', prepare: cacheTables });
  const health = cacheHealth('embedded', `the cache in ${file}`, log);
  const traffic: Traffic = { underWay: 0, closed: false };
  const stopSweeping = sweep(thread, () => health.state().ok);
  const driver = sqliteDriver(thread);

  return {
    namespace: (options) => cacheNamespace(options, defaultLifeMs, { driver, health, traffic }),
    state: health.state,
    async close() {
      traffic.closed = true;
      stopSweeping();
      await thread.end();
    },
  };
}

function sqliteDriver(thread: SqliteThread): CacheDriver {
  let unlocked: Promise<SqliteError | undefined> | undefined;

  /** One asks for the lock again and again, and all others wait for that: undefined when it is free. */
  const unlock = async (locked: SqliteError, giveUpAt: number): Promise<SqliteError | undefined> => {
    try {
      for (;;) {
        await wait(lookAgainMs * (0.5 + Math.random()));
        const left = giveUpAt - performance.now();
        if (left <= 0) return locked;
        try {
          await thread.transaction([], left);
          return undefined;
        } catch (error) {
          // the last look has little time: then it is as it was at the one before
          if (error instanceof NoAnswer) return locked;
          // what else ails it those who wait will see
          if (!isSqliteBusy(error)) return undefined;
        }
      }
    } finally {
      unlocked = undefined;
    }
  };
  const whenUnlocked = async <T>(action: (ms: number) => Promise<T>, withinMs: number): Promise<T> => {
    const giveUpAt = performance.now() + withinMs;
    let locked: SqliteError | undefined;
    for (;;) {
      locked = (await unlocked) ?? locked;
      const left = giveUpAt - performance.now();
      if (locked !== undefined && left <= 0) throw locked;
      try {
        return await action(Math.max(lookAgainMs, left));
      } catch (error) {
        // that there was no answer in what was left says less
        if (locked !== undefined && error instanceof NoAnswer) throw locked;
        if (!isSqliteBusy(error) || left <= 0) throw error;
        locked = error;
        unlocked ??= unlock(error, giveUpAt);
      }
    }
  };
  const write = (statements: readonly SqliteStatement[], withinMs: number) =>
    whenUnlocked((ms) => thread.transaction(statements, ms), withinMs);
  /** Reading needs no lock, but the file's first opening does. */
  const read = async (statement: SqliteStatement, withinMs: number): Promise<SqliteResult> => {
    try {
      return await thread.execute(statement, withinMs);
    } catch (error) {
      if (!isSqliteBusy(error)) throw error;
      return whenUnlocked((ms) => thread.execute(statement, ms), withinMs);
    }
  };
  const writeOne = async (sql: string, parameters: readonly SqliteValue[], withinMs: number) => {
    const [result] = await write([{ sql, parameters }], withinMs);
    return result?.rows[0];
  };
  /** A write that may add an entry, and then removes what is too much. */
  const add = async (
    statement: SqliteStatement,
    { name, maxEntries }: CacheSpace,
    key: Buffer,
    withinMs: number,
  ) => {
    const trim = { sql: cacheStatements.trim, parameters: [name, key, maxEntries] };
    const [result] = await write([statement, trim], withinMs);
    return result?.rows[0];
  };

  return {
    async get({ name }, key, withinMs) {
      const parameters = [name, key, Date.now()];
      const { rows } = await read({ sql: cacheStatements.get, parameters }, withinMs);
      return rows[0]?.['value'] as Uint8Array | undefined;
    },
    async take({ name }, key, withinMs) {
      const row = await writeOne(cacheStatements.take, [name, key, Date.now()], withinMs);
      return row?.['live'] === 1n ? (row['value'] as Uint8Array) : undefined;
    },
    async set(space, key, { value, lifeMs, condition }, withinMs) {
      const now = Date.now();
      const entry = [space.name, key, value, now + lifeMs];
      if (condition instanceof Uint8Array) {
        const parameters = [...entry, now, condition];
        return (await writeOne(cacheStatements.compareAndSet, parameters, withinMs)) !== undefined;
      }
      const statement =
        condition === 'always'
          ? { sql: cacheStatements.set, parameters: entry }
          : { sql: cacheStatements.setIfAbsent, parameters: [...entry, now] };
      return (await add(statement, space, key, withinMs)) !== undefined;
    },
    async touch({ name }, key, lifeMs, withinMs) {
      const now = Date.now();
      return (await writeOne(cacheStatements.touch, [name, key, now, now + lifeMs], withinMs)) !== undefined;
    },
    async delete({ name }, key, withinMs) {
      return (await writeOne(cacheStatements.take, [name, key, Date.now()], withinMs))?.['live'] === 1n;
    },
    async increment(space, key, { by, lifeMs }, withinMs) {
      const now = Date.now();
      const parameters = [space.name, key, by, now + lifeMs, now];
      const row = await add({ sql: cacheStatements.increment, parameters }, space, key, withinMs);
      const count = Number(Buffer.from(row?.['value'] as Uint8Array).toString());
      return { count, endsInMs: Math.max(0, Number(row?.['expires_at']) - now) };
    },
    ailment: sqliteAilment,
  };
}

/** Removes what has expired, a little at a time so that nobody waits for it long. Returns how to stop. */
function sweep(thread: SqliteThread, inUse: () => boolean): () => void {
  let timer: NodeJS.Timeout;
  const next = (ms: number): void => {
    timer = setTimeout(() => void step(), ms * (0.5 + Math.random())).unref();
  };
  let stopped = false;
  const step = async (): Promise<void> => {
    let changes: number | undefined;
    try {
      const statement = { sql: cacheStatements.sweep, parameters: [Date.now(), sweepAtOnce] };
      if (inUse()) ({ changes } = await thread.execute(statement, sweepWithinMs));
    } catch {
      // locked or away: the next time then
    }
    if (!stopped) next(changes === sweepAtOnce ? 100 : sweepEveryMs);
  };
  next(sweepEveryMs);
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
