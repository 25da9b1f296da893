import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createSessions } from '../../src/admin/sessions.ts';
import { createUsers } from '../../src/admin/users.ts';
import { systemClock } from '../../src/core/clock.ts';
import { createPasswordHashing } from '../../src/core/password-hash.ts';
import { peopleContract } from '../contract/people.ts';
import { openCache } from '../support/cache-client.ts';
import { openDatabase } from '../support/open-database.ts';
import { placeOf, type Postgres, startPostgres } from '../support/postgres.ts';
import { type RedisProcess, startRedis } from '../support/redis.ts';

const base = mkdtempSync(join(tmpdir(), 'people-'));
let postgres: Postgres;
let redis: RedisProcess;
beforeAll(async () => {
  [postgres, redis] = await Promise.all([startPostgres('embedded'), startRedis()]);
});
afterAll(async () => {
  await Promise.all([postgres.remove(), redis.stop()]);
  rmSync(base, { recursive: true, force: true });
});

peopleContract('People in SQLite, sessions in its cache', async () => ({
  makeDatabase: async () => ({ kind: 'sqlite', file: join(mkdtempSync(join(base, 'x')), 'state.sqlite') }),
  cache: { dataDir: base },
  async emptyCache() {
    const file = new DatabaseSync(join(base, 'state.sqlite'), { timeout: 5000 });
    const made = file.prepare("select 1 from sqlite_schema where name = 'cache_entries'").get();
    if (made !== undefined) file.exec('delete from cache_entries');
    file.close();
  },
}));

let count = 0;
peopleContract('People in PostgreSQL, sessions in Redis', async () => ({
  makeDatabase: async () => placeOf(postgres, await postgres.createDatabase(`people_${++count}`)),
  cache: {
    connectionType: 'redis',
    hosts: ['127.0.0.1'],
    port: redis.port,
    database: 0,
    password: undefined,
  },
  async emptyCache() {
    // empty as after a loss of power, not by a command
    await redis.kill();
    await redis.start();
  },
}));

it('A cache that hangs keeps the first request waiting, not each, where sessions are persistent', async () => {
  const database = openDatabase({ kind: 'sqlite', file: join(base, 'hanging.sqlite') });
  const cache = openCache({
    connectionType: 'redis',
    hosts: ['127.0.0.1'],
    port: redis.port,
    database: 1,
    password: undefined,
  });
  try {
    await database.migrate();
    const users = createUsers({ database, hashing: createPasswordHashing(), clock: systemClock });
    await users.add({ name: 'anna', password: 'correct horse battery' }, { name: 'test' });
    const anna = await users.verify('anna', 'correct horse battery');
    const now = systemClock.now();
    // the seconds for which it is not asked again do not pass
    const clock = { ...systemClock, now: () => now };
    const sessions = createSessions({ database, cache, persistent: true, clock });
    const { token } = await sessions.create(anna!);
    expect(await sessions.find(token)).toBeDefined();
    redis.freeze();
    const times: number[] = [];
    for (let request = 0; request < 4; request++) {
      const since = performance.now();
      expect(await sessions.find(token)).toMatchObject({ user: { name: 'anna', role: 'owner' } });
      times.push(performance.now() - since);
    }
    // the cache has two seconds for an answer; to wait for it twice would take four
    expect(times[0]).toBeLessThan(3_900);
    expect(Math.max(...times.slice(1))).toBeLessThan(times[0]! / 2);
  } finally {
    redis.thaw();
    await Promise.all([database.close(), cache.close()]);
  }
});
