import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { exitCodes } from '../../src/core/errors.ts';
import type { Database } from '../../src/ports/database.ts';
import { type Appliance, launchAppliance, startAppliance } from '../support/appliance.ts';
import { countedVisits } from '../support/counted-visits.ts';
import { type DatabasePlace, openDatabase } from '../support/open-database.ts';
import { placeOf, type Postgres, startPostgres } from '../support/postgres.ts';
import { startSlowProxy } from '../support/slow-proxy.ts';
import { startStateScene, type StateScene } from '../support/state-scene.ts';
import { until } from '../support/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'state-start-'));
let server: Postgres;
beforeAll(async () => {
  server = await startPostgres('embedded');
});
afterAll(async () => {
  await server.remove();
  rmSync(folder, { recursive: true, force: true });
});
let endings: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(endings.map((end) => end()));
  endings = [];
});

async function inDatabase<R>(place: DatabasePlace, work: (database: Database) => Promise<R>): Promise<R> {
  const database = openDatabase(place);
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

/** Tables as a later release leaves them. */
const leaveBehind = (place: DatabasePlace, oldestRelease: string): Promise<void> =>
  inDatabase(place, async (database) => {
    await database.migrate();
    await database.queries
      .insertInto('schema_migrations')
      .values({ name: '9000-later', applied_ms: 1, release: '9.1.0', oldest_release: oldestRelease })
      .execute();
  });
const environmentOf = ({ host, port, database, user, password }: ReturnType<typeof placeOf>) => ({
  POSTGRES_HOST: host,
  POSTGRES_PORT: String(port),
  POSTGRES_DB: database,
  POSTGRES_USER: user,
  POSTGRES_PASSWORD: password ?? '',
});

describe('a service that finds the tables of a newer release', () => {
  const places: readonly [string, () => Promise<[DatabasePlace, Record<string, string>]>][] = [
    [
      'SQLite',
      async () => [{ kind: 'sqlite', file: join(folder, 'state.sqlite') }, { APP_DATA_DIR: folder }],
    ],
    [
      'PostgreSQL',
      async () => {
        const place = placeOf(server, await server.createDatabase('excluding'));
        return [place, environmentOf(place)];
      },
    ],
  ];

  it.each(places)('which leave it out refuses to start, and says the way out: %s', async (_kind, make) => {
    const [place, environment] = await make();
    await leaveBehind(place, '9.0.0');
    const since = performance.now();
    const appliance = await launchAppliance({ environment });
    endings.push(appliance.stop);
    expect(await appliance.ended).toBe(exitCodes.usage);
    const tookMs = performance.now() - since;
    expect(appliance.log()).toMatch(/release 9\.1\.0 changed the database .* only 9\.0\.0 and later/s);
    expect(appliance.log()).toMatch(/Run release 9\.0\.0 or a later one, or restore a backup/);
    // a start waits so long for the database
    if (tookMs < 2_000) expect(appliance.stdout()).toBe('');
    const socket = connect(appliance.port, '127.0.0.1');
    await expect(once(socket, 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('which leave it out, and are found later than a start waits, ends in the same way', async () => {
    const place = placeOf(server, await server.createDatabase('late'));
    await leaveBehind(place, '9.0.0');
    const proxy = await startSlowProxy(server.port);
    endings.push(proxy.stop);
    proxy.delayMs = 1_000;
    const environment = { ...environmentOf(place), POSTGRES_PORT: String(proxy.port) };
    const appliance = await launchAppliance({ environment });
    endings.push(appliance.stop);
    expect(await appliance.ended).toBe(exitCodes.usage);
    expect(appliance.stdout()).toContain('answers on');
    expect(appliance.log()).toMatch(/Run release 9\.0\.0 or a later one, or restore a backup/);
  });

  it('which leave it in works on them', async () => {
    const place = placeOf(server, await server.createDatabase('including'));
    await leaveBehind(place, '0.1.0');
    const appliance: Appliance = await startAppliance({ environment: environmentOf(place) });
    endings.push(appliance.stop);
    await fetch(`${appliance.url}/whoami`, { headers: { connection: 'close' } });
    await until('it to count', async () => (await inDatabase(place, countedVisits)).total === 1);
  });
});

describe('two services on one PostgreSQL', () => {
  it('make the tables once, though they start at once, and count together', async () => {
    const place = placeOf(server, await server.createDatabase('shared'));
    const scenes: StateScene[] = await Promise.all(
      [1, 2].map(() => startStateScene({ environment: environmentOf(place) })),
    );
    endings.push(...scenes.map((scene) => scene.stop));
    await Promise.all(scenes.map((scene) => scene.untilDegraded([])));
    const migrated = scenes.filter((scene) => scene.appliance.log().includes('"migrations"'));
    expect(migrated).toHaveLength(1);
    await until('both to be visited', () => scenes.every(({ visits }) => visits.answered() > 300), 120_000);
    await Promise.all(scenes.map(({ visits }) => visits.stop()));
    const expected = scenes.reduce((sum, { visits }) => sum + visits.answered(), 0);
    let total = 0;
    await until('all of them', async () => {
      total = (await inDatabase(place, countedVisits)).total;
      return total >= expected;
    });
    expect(total).toBe(expected);
    expect(scenes.flatMap(({ visits }) => visits.failures)).toEqual([]);
  });
});
