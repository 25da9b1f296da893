import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ListenerCertificate, makeListenerCertificate } from '../support/listener-certificate.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { type RedisProcess, startCluster, startRedis, startSentinels } from '../support/redis.ts';
import { startStateScene, type StateScene } from '../support/state-scene.ts';
import { until } from '../support/until.ts';

const password = 'hunter2-of-redis';
const folder = mkdtempSync(join(tmpdir(), 'state-external-'));
let trusted: ListenerCertificate;
let stranger: ListenerCertificate;
let postgres: Postgres;
let redis: RedisProcess;
let scene: StateScene;
// they take some seconds to find each other
let group: ReturnType<typeof startSentinels>;
let several: ReturnType<typeof startCluster>;

const postgresEnv = (change: Record<string, string> = {}) => ({
  POSTGRES_HOST: 'localhost',
  POSTGRES_PORT: postgres.port,
  POSTGRES_USER: postgres.user,
  POSTGRES_SSLMODE: 'verify-full',
  POSTGRES_CA_FILE: trusted.caFile,
  ...change,
});
const redisEnv = (change: Record<string, string | number> = {}) => ({
  REDIS_CONNECTION_TYPE: 'rediss',
  REDIS_HOST: 'localhost',
  REDIS_PORT: redis.port,
  REDIS_PASS: password,
  ...(change['REDIS_CONNECTION_TYPE'] === undefined ? { REDIS_CA_FILE: trusted.caFile } : {}),
  ...change,
});
const reload = (change: Parameters<typeof postgresEnv>[0], redisChange: Parameters<typeof redisEnv>[0]) => {
  scene.secrets('postgres.env', postgresEnv(change));
  scene.secrets('redis.env', redisEnv(redisChange));
  scene.appliance.kill('SIGHUP');
};

beforeAll(async () => {
  trusted = await makeListenerCertificate(folder);
  stranger = await makeListenerCertificate(mkdtempSync(join(folder, 'stranger-')));
  postgres = await startPostgres('embedded', {
    certificate: trusted,
    // in the clear nobody comes in
    hba: ['hostssl all all 127.0.0.0/8 scram-sha-256'],
  });
  // not before: a cluster of PostgreSQL is made while this process does nothing else
  group = startSentinels(password);
  several = startCluster(password);
  redis = await startRedis({
    password,
    tls: trusted,
    settings: ['bind 127.0.0.1 127.0.0.2'],
  });
  scene = await startStateScene({
    secrets: { 'postgres.env': postgresEnv(), 'redis.env': redisEnv() },
    environment: { POSTGRES_PASSWORD: postgres.password },
  });
});
afterAll(async () => {
  await scene.stop();
  await Promise.all([postgres.remove(), redis.stop()]);
  await Promise.allSettled([group, several].map(async (each) => (await each).stop()));
  rmSync(folder, { recursive: true, force: true });
});

/** What is missing may have been told before by the workers of the configuration before, in the same words. */
const untilRefused = async (database: RegExp, cache: string): Promise<void> => {
  await until(`both to be refused: ${cache}`, async () => {
    const state = await scene.state();
    return database.test(state.database.words) && state.cache.words.includes(cache);
  });
  await scene.untilDegraded(distrusted);
};

const distrusted = ['the database cannot be trusted', 'the cache cannot be used'];

describe('PostgreSQL and Redis elsewhere', { timeout: 300_000 }, () => {
  it('are used over TLS that is verified by an authority of their own and by name', async () => {
    await scene.untilDegraded([]);
    await until('visits', async () => (await scene.state()).visits.written > 0);
    const connections = `select distinct ssl from pg_stat_ssl join pg_stat_activity using (pid) where usename = '${postgres.user}'`;
    expect(await postgres.admin(connections)).toEqual([{ ssl: true }]);
    expect(await redis.cli('keys', '*')).toContain('probe');
  });

  it('are refused under a name that their certificate does not have', async () => {
    reload({ POSTGRES_HOST: '127.0.0.2' }, { REDIS_HOST: '127.0.0.2' });
    await untilRefused(
      /PostgreSQL at 127\.0\.0\.2:\d+: down since .*IP: 127\.0\.0\.2 is not in/,
      'shows a certificate of another name',
    );
    const { text, json } = await scene.status();
    expect(json.state.database.remedy).toMatch(/names POSTGRES_HOST/);
    expect(text).not.toContain(password);
  });

  it('are refused with a certificate of an authority that is not theirs', async () => {
    reload({ POSTGRES_CA_FILE: stranger.caFile }, { REDIS_CA_FILE: stranger.caFile });
    await untilRefused(
      /localhost:\d+: down since .*unable to verify the first certificate/,
      'shows a certificate that is not trusted',
    );
  });

  it('are used again as soon as they are trusted, and Redis by its sentinels', async () => {
    const sentinels = await group;
    reload(
      {},
      {
        REDIS_CONNECTION_TYPE: 'sentinel',
        REDIS_HOST: sentinels.ports.map((port) => `127.0.0.1:${port}`).join(','),
      },
    );
    await scene.untilDegraded([]);
    await until('it to be used', async () =>
      (await sentinels.servers[0]!.cli('keys', '*')).includes('probe'),
    );
  });

  it('are used where Redis is a cluster', async () => {
    const cluster = await several;
    const hosts = cluster.servers.map(({ port }) => `127.0.0.1:${port}`).join(',');
    reload({}, { REDIS_CONNECTION_TYPE: 'cluster', REDIS_HOST: hosts });
    await scene.untilDegraded([]);
    await until('it to be used', async () => {
      const keys = await Promise.all(cluster.servers.map((server) => server.cli('keys', '*')));
      return keys.some((each) => each.includes('probe'));
    });
    expect(scene.visits.failures).toEqual([]);
  });
});
