import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { DatabaseSync } from 'node:sqlite';
import { sql } from 'kysely';
import { afterEach, describe, expect, it } from 'vitest';
import { createSqliteThread } from '../../src/adapters/sqlite-thread.ts';
import { cacheContract } from '../contract/cache.ts';
import { openCache } from '../support/cache-client.ts';
import { logLines } from '../support/log-lines.ts';
import { openDatabase } from '../support/open-database.ts';
import { until } from '../support/until.ts';

const newFolder = () => mkdtempSync(join(tmpdir(), 'cache-sqlite-'));
const remove = (folder: string) => rmSync(folder, { recursive: true, force: true });

cacheContract('SQLite', async () => {
  const dataDir = newFolder();
  return { place: { dataDir }, stop: async () => remove(dataDir) };
});

describe('The embedded cache', () => {
  let endings: (() => unknown)[] = [];
  afterEach(async () => {
    for (const end of endings.toReversed()) await end();
    endings = [];
  });
  const open = (dataDir: string) => {
    const log = logLines();
    const cache = openCache({ dataDir }, log);
    endings.push(() => cache.close());
    const options = { name: 'answers', maxEntries: 2000, maxValueBytes: 1_000_000 };
    return {
      cache,
      log,
      answers: cache.namespace(options),
      sessions: cache.namespace({ ...options, name: 'sessions', mustKeep: true }),
    };
  };
  const folder = (): string => {
    const made = newFolder();
    endings.push(() => remove(made));
    return made;
  };
  /** Holds the write lock from a process of its own, until its input ends. */
  const lockElsewhere = async (dataDir: string): Promise<() => Promise<void>> => {
    const program = `
      const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
      const database = new DatabaseSync(process.argv[1], { timeout: 5000 });
      database.exec('PRAGMA journal_mode = WAL; BEGIN EXCLUSIVE');
      process.stdout.write('locked');
      process.stdin.resume().on('end', () => process.exit());`;
    const holder = spawn(process.execPath, ['-e', program, join(dataDir, 'state.sqlite')]);
    const closed = once(holder, 'close');
    const unlock = async (): Promise<void> => {
      holder.stdin.end();
      await closed;
    };
    endings.push(unlock);
    await once(holder.stdout, 'data');
    return unlock;
  };

  it('outlives its process', async () => {
    const dataDir = folder();
    const before = open(dataDir);
    expect(await before.sessions.set('a', 'who')).toBe(true);
    await before.cache.close();
    expect(await open(dataDir).sessions.get('a')).toBe('who');
    expect(statSync(join(dataDir, 'state.sqlite')).size).toBeGreaterThan(0);
  });

  it('goes on reading while another process holds the lock, writes nothing, and stops nobody’s loop', async () => {
    const dataDir = folder();
    const { cache, answers, sessions } = open(dataDir);
    await sessions.set('a', 'who');
    const unlock = await lockElsewhere(dataDir);
    const delay = monitorEventLoopDelay({ resolution: 5 });
    delay.enable();
    const start = performance.now();
    const writes = Array.from({ length: 500 }, (_, index) => answers.set(`${index}`, 'x'));
    const reads: number[] = [];
    while (performance.now() - start < 5000) {
      const asked = performance.now();
      expect(await sessions.get('a')).toBe('who');
      reads.push(performance.now() - asked);
      await new Promise(setImmediate);
    }
    expect(new Set(await Promise.all(writes))).toEqual(new Set([false]));
    expect(reads.length).toBeGreaterThan(20);
    // one that waited for the lock would take two seconds, and fail
    expect(reads.toSorted((a, b) => a - b)[Math.floor(reads.length * 0.9)]).toBeLessThan(1000);
    delay.disable();
    // a loop that waits for the lock is late by all of the five seconds; the machine may have other work too
    expect(delay.max / 1e6).toBeLessThan(2500);
    expect(cache.state()).toMatchObject({ kind: 'embedded', ok: false });
    // of five hundred that wait at once, the last may have run out of time before their turn
    expect(cache.state().words).toMatch(/is locked by another process|has not answered within/);
    await expect(sessions.set('b', 'who')).rejects.toMatchObject({ code: 'cache-down', retryable: true });
    // it waits as long as it may
    const patient = sessions.set('c', 'who');
    await unlock();
    expect(await patient).toBe(true);
    await until('it works again', () => answers.set('a', 'x'));
    expect(cache.state().ok).toBe(true);
  });

  it('says that it is locked, and not that the last look at the lock had no time', async () => {
    const dataDir = folder();
    const { cache, answers, sessions } = open(dataDir);
    await sessions.set('a', 'x'.repeat(1_000_000));
    await lockElsewhere(dataDir);
    let over = false;
    const busy = Array.from({ length: 10 }, async () => {
      while (!over) await sessions.get('a').catch(() => undefined);
    });
    try {
      for (let round = 0; round < 10; round++) {
        expect(await answers.set('b', 'x')).toBe(false);
        // where the first look had no answer it knows of no lock
        expect(cache.state().words).toMatch(
          /is locked by another process|has not answered within (180|200) ms/,
        );
      }
    } finally {
      over = true;
      await Promise.all(busy);
    }
  });

  it('is not late for a database in the same file that thinks for long', async () => {
    const dataDir = folder();
    const { sessions } = open(dataDir);
    const database = openDatabase({ kind: 'sqlite', file: join(dataDir, 'state.sqlite') });
    endings.push(() => database.close());
    await database.migrate();
    await sessions.set('a', 'who');
    let thinks = true;
    const thought =
      sql`with recursive c(x) as (select 1 union all select x + 1 from c limit 5000000) select max(x) from c`
        .execute(database.queries)
        .finally(() => (thinks = false));
    let turns = 0;
    for (; thinks; turns++) {
      expect(await sessions.get('a')).toBe('who');
      expect(await sessions.set('b', `${turns}`)).toBe(true);
    }
    await thought;
    // whoever waits for it has one turn
    expect(turns).toBeGreaterThan(5);
  });

  it('that is locked at the start is a miss, and works when it is free', async () => {
    const dataDir = folder();
    const unlock = await lockElsewhere(dataDir);
    const { answers, sessions } = open(dataDir);
    expect(await answers.get('a')).toBeUndefined();
    expect(await answers.set('a', 'x')).toBe(false);
    const patient = sessions.set('c', 'who');
    await unlock();
    expect(await patient).toBe(true);
    expect(await answers.get('a')).toBeUndefined();
  });

  it('that cannot be opened is a miss and said in words; it is tried again', async () => {
    const dataDir = folder();
    writeFileSync(join(dataDir, 'state.sqlite'), 'not what it should be'.repeat(1000));
    const { cache, answers } = open(dataDir);
    await until('it is said', async () => {
      expect(await answers.set('a', 'x')).toBe(false);
      return cache.state().words.includes('is damaged: restore a backup');
    });
    rmSync(join(dataDir, 'state.sqlite'));
    await until('it is made anew', () => answers.set('a', 'x'));
    const file = join(folder(), 'file');
    writeFileSync(file, '');
    const nowhere = open(file);
    expect(await nowhere.answers.set('a', 'x')).toBe(false);
    expect(nowhere.cache.state().ok).toBe(false);
  });

  it('removes what has expired, little by little', async () => {
    const dataDir = folder();
    const { sessions } = open(dataDir);
    // all of them outlive their making, so that none is removed before they are counted
    for (let batch = 0; batch < 18; batch++)
      await Promise.all(
        Array.from({ length: 50 }, (_, index) => sessions.set(`${batch}-${index}`, 'x', 10_000)),
      );
    await sessions.set('left', 'x', 600_000);
    const database = new DatabaseSync(join(dataDir, 'state.sqlite'), { readOnly: true });
    endings.push(() => database.close());
    const count = database.prepare('SELECT count(*) AS left FROM cache_entries');
    expect(count.get()?.['left']).toBe(901);
    await until('they are gone', () => count.get()?.['left'] === 1);
    expect(await sessions.get('left')).toBe('x');
    const counted = database.prepare('SELECT entries FROM cache_namespaces').get()?.['entries'];
    expect(counted).toBe(1);
  });
});

describe('A thread with SQLite in it', () => {
  const ms = 60_000;

  it('does all statements of a transaction or none, and says what SQLite refused', async () => {
    const folder = newFolder();
    const file = join(folder, 'new', 'x.sqlite');
    const thread = createSqliteThread({
      file,
      synchronous: 'full',
      prepare: 'CREATE TABLE IF NOT EXISTS t (n INTEGER UNIQUE)',
    });
    const insert = (n: bigint) => ({ sql: 'INSERT INTO t VALUES (?)', parameters: [n] });
    const select = { sql: 'SELECT n FROM t ORDER BY n' };
    expect(await thread.transaction([insert(1n), insert(2n ** 62n)], ms)).toMatchObject([
      { changes: 1 },
      { changes: 1 },
    ]);
    await expect(thread.transaction([insert(3n), insert(1n)], ms)).rejects.toMatchObject({
      errcode: 2067,
    });
    expect((await thread.execute(select, ms)).rows).toEqual([{ n: 1n }, { n: 2n ** 62n }]);
    expect(statSync(join(folder, 'new')).mode & 0o777).toBe(0o700);
    for (const name of ['', '-wal', '-shm']) expect(statSync(file + name).mode & 0o777).toBe(0o600);
    await Promise.all([thread.end(), thread.end()]);
    await expect(thread.execute(select, ms)).rejects.toThrow('has ended');
    remove(folder);
  });

  it('leaves undone what nobody waits for any longer', async () => {
    const folder = newFolder();
    const thread = createSqliteThread({
      file: join(folder, 'x.sqlite'),
      synchronous: 'full',
      prepare: 'CREATE TABLE IF NOT EXISTS t (n)',
    });
    const endless = {
      sql: 'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 3000000) SELECT max(x) FROM c',
    };
    await thread.execute({ sql: 'SELECT 1' }, ms);
    const busy = thread.execute(endless, ms);
    await expect(thread.execute({ sql: 'INSERT INTO t VALUES (1)' }, 5)).rejects.toThrow(
      'no answer within 5 ms',
    );
    await busy;
    expect((await thread.execute({ sql: 'SELECT n FROM t' }, ms)).rows).toEqual([]);
    await thread.end();
    remove(folder);
  });
});
