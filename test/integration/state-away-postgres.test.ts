import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { countedVisits } from '../support/counted-visits.ts';
import { fillDisk } from '../support/fill-disk.ts';
import { openDatabase } from '../support/open-database.ts';
import { placeOf, type Postgres, startPostgres } from '../support/postgres.ts';
import { dialsOf, type SlowProxy, startSlowProxy } from '../support/slow-proxy.ts';
import { startStateScene, type StateScene } from '../support/state-scene.ts';
import { until } from '../support/until.ts';

let server: Postgres;
let proxy: SlowProxy;
let scene: StateScene;
beforeAll(async () => {
  server = await startPostgres('embedded');
  proxy = await startSlowProxy(server.port);
});
afterAll(async () => {
  await proxy.stop();
  await server.remove();
});
const postgresEnv = (port: number, more: Record<string, string> = {}) => ({
  POSTGRES_HOST: '127.0.0.1',
  POSTGRES_PORT: port,
  POSTGRES_USER: server.user,
  ...more,
});
const counted = async (name = server.database, from = server) => {
  const database = openDatabase(placeOf(from, name));
  try {
    return await countedVisits(database);
  } finally {
    await database.close();
  }
};

/** All words that anybody is told, none of which may be a password. */
async function expectWords(scene: StateScene, words: RegExp, remedy: RegExp): Promise<void> {
  const { text, json } = await scene.status();
  expect(json.schema).toBe(1);
  expect(json.state.database).toMatchObject({
    ok: false,
    words: expect.stringMatching(words) as string,
    remedy: expect.stringMatching(remedy) as string,
  });
  const flat = text.replaceAll(/\s+/g, ' ');
  expect(flat).toMatch(words);
  expect(flat).toMatch(remedy);
  expect(flat).toMatch(/visits \d+ wait until they can be written/);
  expect(await scene.metric('database_up')).toBe(0);
  expect(await scene.ready()).toMatchObject({ status: 200, bare: '{"status":"ready"}' });
  expect([text, JSON.stringify(json), scene.appliance.log()].join()).not.toContain(server.password);
  expect(scene.visits.failures).toEqual([]);
}

async function expectAllCounted(...databases: string[]): Promise<void> {
  await scene.visits.stop();
  const expected = scene.visits.answered();
  const names = databases.length === 0 ? [server.database] : databases;
  let total = 0;
  await until(`${expected} visits in the database`, async () => {
    const all = await Promise.all(names.map((name) => counted(name)));
    total = all.reduce((sum, each) => sum + each.total, 0);
    return total >= expected;
  }).catch((error: unknown) => {
    throw new Error(`${String(error)}: there are ${total}; ${scene.appliance.log()}`, { cause: error });
  });
  expect(total).toBe(expected);
  expect(scene.visits.failures).toEqual([]);
}

describe('a service whose PostgreSQL', { timeout: 300_000 }, () => {
  beforeAll(async () => {
    await server.stop();
    scene = await startStateScene({
      secrets: { 'postgres.env': postgresEnv(proxy.port) },
      environment: { POSTGRES_PASSWORD: server.password },
    });
  });
  afterAll(() => scene.stop());
  afterEach(() => {
    expect(scene.visits.failures).toEqual([]);
  });

  it('is not there at the start answers, and has its tables once it comes', async () => {
    await scene.untilDegraded(['the database is away']);
    await expectWords(
      scene,
      /PostgreSQL at 127\.0\.0\.1:\d+: down since 20.*; tried again/,
      /Is the server running, and are POSTGRES_HOST and POSTGRES_PORT right/,
    );
    await server.start();
    await scene.untilDegraded([]);
  });

  it('is there writes visits within two seconds, by country, operator and status, and no address', async () => {
    await until('the first visits', () => scene.visits.answered() > 20);
    const before = scene.visits.answered();
    const since = performance.now();
    await until('them to be written', async () => (await counted()).total >= before);
    const tookMs = performance.now() - since;
    console.log(`PostgreSQL: visits are in the database after ${tookMs.toFixed(0)} ms`);
    // two seconds on a machine that has nothing else to do
    expect(tookMs).toBeLessThan(10_000);
    const { countries, operators, classes, addresses } = await counted();
    expect(countries).toMatchObject({ US: expect.any(Number) as number, DE: expect.any(Number) as number });
    expect(Object.keys(operators)).toEqual(expect.arrayContaining(['15169', '3320']));
    expect(Object.keys(classes)).toEqual(['2']);
    expect(addresses).toEqual({});
    expect(await scene.metric('database_up')).toBe(1);
  });

  it('is killed says so, is dialled less and less often, and gets what waited once it is back', async () => {
    await server.stop('kill');
    await scene.untilDegraded(['the database is away']);
    const { dials, spanMs } = await dialsOf(proxy);
    console.log(`PostgreSQL away: ${dials} connections were tried in ${spanMs.toFixed(0)} ms`);
    // by TLS and without it each time
    expect(dials / spanMs).toBeLessThan(16 / 3_000);
    await server.start();
    await scene.untilDegraded([]);
  });

  it('stands still is missed within seconds, and gets what waited once it goes on', async () => {
    server.freeze();
    try {
      await scene.untilDegraded(['the database does not answer']);
      await expectWords(scene, /has not answered for \d+ s/, /Is the server overloaded, or stopped/);
    } finally {
      server.thaw();
    }
    await scene.untilDegraded([]);
  });

  it('is slow is called slow', async () => {
    proxy.delayMs = 1_300;
    try {
      await scene.untilDegraded(['the database is slow']);
      const { database } = (await scene.status()).json.state;
      expect(database).toMatchObject({
        ok: true,
        words: expect.stringMatching(/up, but slow: .* \d{4} ms/) as string,
      });
      expect(await scene.metric('database_answer_seconds')).toBeGreaterThan(1);
    } finally {
      proxy.delayMs = 0;
    }
    await scene.untilDegraded([]);
  });

  it('may only be read says so', async () => {
    const set = async (change: string): Promise<void> => {
      await server.admin(`alter system ${change}`);
      await server.admin('select pg_reload_conf()');
    };
    await set('set default_transaction_read_only = on');
    await scene.untilDegraded(['the database may only be read']);
    await expectWords(scene, /up, but .*read-only transaction/, /Point POSTGRES_HOST at the primary/);
    await set('reset default_transaction_read_only');
    await scene.untilDegraded([]);
  });

  it('grants no right to write says so', async () => {
    await server.admin(`revoke insert on visits from ${server.user}`, server.database);
    await server.admin(`alter table visits owner to postgres`, server.database);
    await scene.untilDegraded(['the database grants too few rights']);
    await expectWords(scene, /up, but permission denied for table visits/, /grant it all rights/);
    await server.admin(`alter table visits owner to ${server.user}`, server.database);
    await server.admin(`grant all on visits to ${server.user}`, server.database);
    await scene.untilDegraded([]);
  });

  it('refuses the password says so, and not which one', async () => {
    await server.admin(`alter role ${server.user} password 'another'`);
    proxy.cut();
    await scene.untilDegraded(['the database refuses the password']);
    await expectWords(
      scene,
      /password authentication failed/,
      /Put the password of POSTGRES_USER into postgres\.env, then: sudo systemctl reload appliance/,
    );
    await server.admin(`alter role ${server.user} password '${server.password.replaceAll("'", "''")}'`);
    await scene.untilDegraded([]);
  });

  it('is restarted misses nothing', async () => {
    await server.stop();
    await server.start();
    await scene.untilDegraded([]);
  });

  it('becomes another one by SIGHUP writes there what waited, all of it once', async () => {
    const second = await server.createDatabase('second');
    const before = await scene.state();
    scene.secrets(
      'postgres.env',
      postgresEnv(server.port, { POSTGRES_HOST: '127.0.0.2', POSTGRES_DB: second }),
    );
    scene.appliance.kill('SIGHUP');
    await until('it to be used', async () => {
      const { database } = await scene.state().catch(() => before);
      return database.words === `PostgreSQL at 127.0.0.2:${server.port}: up`;
    });
    await scene.untilDegraded([]);
    await until('visits there', async () => (await counted(second)).total > 0);
    await expectAllCounted(server.database, second);
    const bytes = await scene.memoryBytes();
    console.log(`the supervisor has ${(bytes / 1e6).toFixed(0)} MB after all of it`);
    expect(bytes).toBeLessThan(250e6);
  });
});

describe('a service whose PostgreSQL', { timeout: 300_000 }, () => {
  it('has a full disk says so, goes on once there is room, and forgets addresses when it is told to', async () => {
    const full = await startPostgres('embedded', { diskMegabytes: 80 });
    const ballast = join(full.tables(), 'ballast');
    let scene: StateScene | undefined;
    try {
      let made = 0;
      scene = await startStateScene({
        secrets: { 'app.env': { APP_KEEP_ADDRESSES: 2 }, 'postgres.env': postgresEnv(full.port) },
        environment: { POSTGRES_PASSWORD: full.password },
        // new rows all the time
        visits: { addressOf: () => `2001:4860:4860::${(made++).toString(16)}`, pauseMs: 3 },
      });
      await scene.untilDegraded([]);
      fillDisk(ballast);
      await scene.untilDegraded(['the database is full']);
      await expectWords(scene, /up, but could not extend file .*No space left on device/, /Free some space/);
      rmSync(ballast);
      await scene.untilDegraded([]);
      await scene.visits.stop();
      const expected = scene.visits.answered();
      await until('all of them', async () => (await counted(full.database, full)).total === expected);
      const { addresses } = await counted(full.database, full);
      expect(Object.values(addresses).reduce((sum, visits) => sum + visits, 0)).toBe(expected);
      expect(Object.keys(addresses)).toHaveLength(expected);
      scene.secrets('app.env', { APP_KEEP_ADDRESSES: 'off' });
      scene.appliance.kill('SIGHUP');
      await until(
        'addresses to be gone',
        async () => Object.keys((await counted(full.database, full)).addresses).length === 0,
      );
      expect(scene.visits.failures).toEqual([]);
    } finally {
      await scene?.stop();
      await full.remove();
    }
  });
});
