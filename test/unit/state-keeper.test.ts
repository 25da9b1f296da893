import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Failure } from '../../src/core/errors.ts';
import type { Cache, CacheState } from '../../src/ports/cache.ts';
import type { Database, DatabaseState } from '../../src/ports/database.ts';
import { createStateKeeper, type StateKeeper } from '../../src/supervisor/state-keeper.ts';
import { logLines } from '../support/log-lines.ts';

const failure = (code: string, message = `PostgreSQL at db:5432: ${code}`) =>
  new Failure(message, { code, remedy: `remedy of ${code}` });
const newer = failure('database-schema-newer', 'release 9 changed the database');

/** A database and a cache that do as they are told, and what the keeper made of it. */
class World {
  status: DatabaseState['status'] = 'up';
  failure: Failure | undefined;
  cacheOk = true;
  /** How the next questions to the cache end; after them as it is. */
  cacheAnswers: boolean[] = [];
  /** What the next questions wait for. */
  silence: Promise<void> | undefined;
  answersAfterMs = 0;
  migrating: () => Promise<readonly string[]> = async () => [];
  writeFailure: Failure | undefined;
  trial: () => Promise<void> = async () => {};
  prune = vi.fn<() => Promise<void>>(async () => {});
  readonly degraded: (readonly string[])[] = [];
  readonly ready: boolean[] = [];
  readonly newer: Failure[] = [];
  readonly log = logLines();

  state(): DatabaseState {
    const { status } = this;
    const words =
      status === 'up'
        ? 'PostgreSQL at db:5432: up'
        : `PostgreSQL at db:5432: ${status}: ${this.failure?.message}`;
    return { status, words, failure: this.failure, sinceMs: 5 };
  }

  keeper(): StateKeeper {
    const database = {
      kind: 'postgres',
      state: () => this.state(),
      probe: async () => {
        await this.silence;
        if (this.answersAfterMs > 0) await new Promise((resolve) => setTimeout(resolve, this.answersAfterMs));
        return this.state();
      },
      migrate: () => this.migrating(),
      close: async () => {
        this.status = 'closed';
      },
    } as Partial<Database> as Database;
    const cache = {
      namespace: () =>
        ({ set: async () => (this.cacheOk = this.cacheAnswers.shift() ?? this.cacheOk) }) as Partial<
          ReturnType<Cache['namespace']>
        >,
      state: (): CacheState => ({ kind: 'redis', ok: this.cacheOk, words: 'the cache', failures: 0 }),
      close: async () => {},
    } as Partial<Cache> as Cache;
    return createStateKeeper({
      database,
      cache,
      log: this.log,
      onDegraded: (missing) => this.degraded.push(missing),
      onDatabase: (ready) => this.ready.push(ready),
      writeFailure: () => this.writeFailure,
      tryWriting: () => this.trial(),
      prune: () => this.prune(),
      onNewer: (told) => this.newer.push(told),
    });
  }
}

let world: World;
let keeper: StateKeeper;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] });
  world = new World();
  keeper = world.keeper();
});
afterEach(async () => {
  await keeper.stop();
  vi.useRealTimers();
});
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const started = async (): Promise<void> => {
  const starting = keeper.start();
  await pass(2_000);
  await starting;
};
const lastTold = () => world.degraded.at(-1);

describe('who keeps an eye on database and cache', () => {
  it('tells once that all is there, even where that is nothing new', async () => {
    await started();
    await pass(60_000);
    expect(world.degraded).toEqual([[]]);
    expect(world.ready).toEqual([true]);
    expect(keeper.status()).toMatchObject({
      database: {
        kind: 'postgres',
        ok: true,
        words: 'PostgreSQL at db:5432: up',
        remedy: undefined,
        since: 5,
      },
      cache: { ok: true, remedy: undefined },
    });
    expect(world.log.lines).toEqual([]);
  });

  it('says of a database that is being opened just that, until something goes wrong', async () => {
    const answer = Promise.withResolvers<void>();
    const migrations = Promise.withResolvers<readonly string[]>();
    const opening = { ok: false, opening: true, words: 'PostgreSQL at db:5432: opening', remedy: undefined };
    world.silence = answer.promise;
    world.status = 'unknown';
    world.migrating = () => migrations.promise;
    expect(keeper.status().database).toMatchObject(opening);
    const starting = keeper.start();
    await pass(1_000);
    expect(keeper.status().database).toMatchObject(opening);
    world.status = 'up';
    answer.resolve();
    await pass(500);
    expect(keeper.status().database).toMatchObject(opening);
    migrations.resolve([]);
    await pass(2_000);
    await starting;
    expect(keeper.status().database).toMatchObject({ ok: true, words: 'PostgreSQL at db:5432: up' });
    expect(keeper.status().database).not.toHaveProperty('opening');
  });

  it('says of a database that cannot be opened what is wrong with it', async () => {
    world.status = 'down';
    world.failure = failure('database-away');
    expect(keeper.status().database).not.toHaveProperty('opening');
    expect(keeper.status().database).toMatchObject({ ok: false, remedy: 'remedy of database-away' });
    await started();
    expect(keeper.status().database).not.toHaveProperty('opening');
  });

  it('does not keep the start waiting for a database that says nothing, and misses it then', async () => {
    const answer = Promise.withResolvers<void>();
    world.silence = answer.promise;
    world.status = 'unknown';
    await started();
    expect(lastTold()).toEqual(['the database is away']);
    await pass(2_000);
    expect(lastTold()).toEqual(['the database does not answer']);
    expect(keeper.status().database).toMatchObject({
      ok: false,
      words: 'PostgreSQL at db:5432: has not answered for 4 s',
      remedy: expect.stringContaining('overloaded') as string,
    });
    world.status = 'up';
    answer.resolve();
    world.silence = undefined;
    await pass(2_500);
    expect(lastTold()).toEqual([]);
    expect(world.ready).toEqual([true]);
  });

  it('calls one slow that takes long, and no more', async () => {
    world.answersAfterMs = 1_500;
    await started();
    await pass(5_000);
    expect(world.degraded).toHaveLength(1);
    expect(lastTold()).toEqual(['the database is slow']);
    expect(keeper.status().database).toMatchObject({
      ok: true,
      answeredInMs: 1_500,
      words: 'PostgreSQL at db:5432: up, but slow: it took 1500 ms to answer',
    });
  });

  it('has nothing written to one that went away until its tables are looked at again', async () => {
    await started();
    world.status = 'down';
    world.failure = failure('database-down');
    await pass(2_500);
    expect(world.ready).toEqual([true, false]);
    expect(lastTold()).toEqual(['the database is away']);
    world.status = 'up';
    world.failure = undefined;
    world.migrating = () => Promise.reject(newer);
    await pass(2_500);
    expect(world.ready).toEqual([true, false]);
    expect(lastTold()).toEqual(['the database belongs to a newer release']);
    expect(keeper.status().database.words).toBe(
      'PostgreSQL at db:5432: up, but its tables cannot be used: release 9 changed the database',
    );
    world.migrating = async () => ['0001-state'];
    await pass(2_500);
    expect(world.ready).toEqual([true, false, true]);
    expect(lastTold()).toEqual([]);
    expect(world.log.lines).toEqual([
      expect.stringContaining('database-down'),
      expect.stringContaining('database-schema-newer'),
      expect.stringContaining('the database has the tables of this release'),
      expect.stringContaining('PostgreSQL at db:5432 works again'),
    ]);
  });

  it('refuses to start on the tables of a newer release, and finds out when that is over', async () => {
    world.migrating = () => Promise.reject(newer);
    await expect(keeper.start()).rejects.toBe(newer);
    expect(world.ready).toEqual([]);
    world.migrating = async () => [];
    await pass(2_500);
    expect(world.ready).toEqual([true]);
    expect(world.newer).toEqual([]);
  });

  it('tells of the tables of a newer release also where they are found later than a start waits', async () => {
    world.answersAfterMs = 3_000;
    world.migrating = () => Promise.reject(newer);
    await started();
    expect(world.newer).toEqual([]);
    await pass(10_000);
    expect(world.newer).toEqual([newer]);
  });

  it('says so while the tables are brought up to date, which may take long', async () => {
    const done = Promise.withResolvers<readonly string[]>();
    world.migrating = () => done.promise;
    await started();
    await pass(10_000);
    expect(lastTold()).toEqual(['the database is being brought up to date']);
    expect(keeper.status().database.words).toContain('up; waits for its tables to be brought up to date');
    done.resolve(['0001-state']);
    await pass(2_500);
    expect(lastTold()).toEqual([]);
  });

  it.each([
    ['database-full', 'is full'],
    ['database-read-only', 'may only be read'],
    ['database-rights', 'grants too few rights'],
    ['database-busy', 'is locked'],
    ['database-statement', 'has trouble'],
  ])('tells what cannot be written although the database answers: %s', async (code, words) => {
    await started();
    world.writeFailure = failure(code, `PostgreSQL at db:5432: no ${code}`);
    await pass(500);
    expect(lastTold()).toEqual([`the database ${words}`]);
    expect(keeper.status().database).toMatchObject({
      ok: false,
      words: `PostgreSQL at db:5432: up, but no ${code}`,
      remedy: `remedy of ${code}`,
    });
    world.writeFailure = undefined;
    await pass(500);
    expect(lastTold()).toEqual([]);
  });

  it('does not call a database locked that lets nobody in', async () => {
    world.status = 'down';
    world.failure = failure('database-busy');
    await started();
    expect(lastTold()).toEqual(['the database is busy']);
  });

  it('tries to write where the last that was written failed, or nobody would find out that it can be again', async () => {
    await started();
    world.failure = failure('database-full');
    world.trial = () => Promise.reject(world.failure!);
    await pass(10_000);
    expect(lastTold()).toEqual(['the database is full']);
    world.trial = async () => {
      world.failure = undefined;
    };
    await pass(2_500);
    expect(lastTold()).toEqual([]);
  });

  it('tells of the cache as well', async () => {
    await started();
    world.cacheOk = false;
    await pass(500);
    expect(lastTold()).toEqual(['the cache cannot be used']);
    expect(keeper.status().cache).toMatchObject({
      ok: false,
      remedy: expect.stringContaining('redis.env') as string,
    });
    world.status = 'down';
    world.failure = failure('database-password');
    await pass(2_500);
    expect(lastTold()).toEqual(['the database refuses the password', 'the cache cannot be used']);
  });

  it('tells nobody of one late answer of the cache, and of two in a row', async () => {
    await started();
    world.cacheAnswers = [false, true];
    for (let tenths = 0; tenths < 50; tenths++) {
      await pass(100);
      expect(keeper.status().cache.ok).toBe(true);
    }
    expect([world.cacheAnswers, world.degraded]).toEqual([[], [[]]]);
    world.cacheAnswers = [false, false];
    await pass(3_000);
    expect(lastTold()).toEqual(['the cache cannot be used']);
    expect(keeper.status().cache.ok).toBe(false);
  });

  it('has things deleted once an hour, and says once that it fails', async () => {
    await started();
    expect(world.prune).toHaveBeenCalledTimes(1);
    await pass(3_500_000);
    expect(world.prune).toHaveBeenCalledTimes(1);
    world.prune.mockRejectedValue(new Error('locked'));
    await pass(200_000);
    expect(world.prune.mock.calls.length).toBeGreaterThan(2);
    expect(world.log.lines).toEqual([
      expect.stringMatching(/^warn: what is kept no longer could not be deleted/),
    ]);
  });

  it('that was stopped tells nobody anything, whatever still comes', async () => {
    const done = Promise.withResolvers<readonly string[]>();
    world.migrating = () => done.promise;
    await started();
    const told = world.degraded.length;
    await keeper.stop();
    done.resolve([]);
    world.cacheOk = false;
    await pass(60_000);
    expect(world.ready).toEqual([]);
    expect(world.degraded).toHaveLength(told);
    expect(world.prune).not.toHaveBeenCalled();
  });
});
