import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RedisProcess, startRedis } from '../support/redis.ts';
import { dialsOf, type SlowProxy, startSlowProxy } from '../support/slow-proxy.ts';
import { startStateScene, type StateScene } from '../support/state-scene.ts';
import { until } from '../support/until.ts';

const password = 'hunter2-of-redis';
const missing = ['the cache cannot be used'];
const remedy = /is redis\.env right\?/;

let server: RedisProcess;
let other: RedisProcess;
let proxy: SlowProxy;
let scene: StateScene;
const redisEnv = (port: number) => ({ REDIS_HOST: '127.0.0.1', REDIS_PORT: port, REDIS_PASS: password });
beforeAll(async () => {
  server = await startRedis({ password });
  other = await startRedis({ password });
  proxy = await startSlowProxy(server.port);
  await server.kill();
  scene = await startStateScene({ secrets: { 'redis.env': redisEnv(proxy.port) } });
});
afterAll(async () => {
  await scene.stop();
  await proxy.stop();
  await Promise.all([server.stop(), other.stop()]);
});

async function expectWords(words: RegExp): Promise<void> {
  const { text, json } = await scene.status();
  expect(json.state.cache).toMatchObject({
    ok: false,
    words: expect.stringMatching(words) as string,
    remedy: expect.stringMatching(remedy) as string,
  });
  const flat = text.replaceAll(/\s+/g, ' ');
  expect(flat).toMatch(words);
  expect(flat).toMatch(remedy);
  expect(await scene.metric('cache_up')).toBe(0);
  expect(await scene.metric('database_up')).toBe(1);
  expect(await scene.ready()).toMatchObject({ status: 200, degraded: missing, bare: '{"status":"ready"}' });
  expect([text, JSON.stringify(json), scene.appliance.log()].join()).not.toMatch(/hunter2|another-password/);
  expect(scene.visits.failures).toEqual([]);
}

describe('a service whose Redis', { timeout: 300_000 }, () => {
  it('is not there at the start says so, and uses it once it comes', async () => {
    await scene.untilDegraded(missing);
    await expectWords(/Redis at 127\.0\.0\.1:\d+, (is not connected|does not answer), for \d+ s now/);
    await server.start();
    await scene.untilDegraded([]);
    expect(await scene.metric('cache_up')).toBe(1);
    await until('it to be used', async () => (await server.cli('keys', '*')).includes('probe'));
  });

  it('is killed says so, and is dialled less and less often until it is back', async () => {
    await server.kill();
    await scene.untilDegraded(missing);
    const { dials, spanMs } = await dialsOf(proxy);
    console.log(`Redis away: ${dials} connections were tried in ${spanMs.toFixed(0)} ms`);
    expect(dials / spanMs).toBeLessThan(12 / 3_000);
    await server.start();
    await scene.untilDegraded([]);
  });

  it('stands still, or is slow, is missed', async () => {
    server.freeze();
    await scene.untilDegraded(missing);
    await expectWords(/Redis at .*, (has not answered within|does not answer|is not connected)/);
    server.thaw();
    await scene.untilDegraded([]);
    proxy.delayMs = 400;
    await scene.untilDegraded(missing);
    await expectWords(/has not answered within 200 ms/);
    proxy.delayMs = 0;
    await scene.untilDegraded([]);
  });

  it('is full says so', async () => {
    await server.cli('config', 'set', 'maxmemory', '1');
    await scene.untilDegraded(missing);
    await expectWords(/is out of memory: raise its maxmemory/);
    await server.cli('config', 'set', 'maxmemory', '0');
    await scene.untilDegraded([]);
  });

  it('refuses the password says so, and not which one', async () => {
    await server.cli('config', 'set', 'requirepass', 'another-password');
    proxy.cut();
    await scene.untilDegraded(missing);
    await expectWords(/refuses the password: correct REDIS_PASS/);
  });

  it('becomes another one by SIGHUP uses that', async () => {
    scene.secrets('redis.env', redisEnv(other.port));
    scene.appliance.kill('SIGHUP');
    await scene.untilDegraded([]);
    await until('it to be used', async () => (await other.cli('keys', '*')).includes('probe'));
    expect((await scene.status()).text).toMatch(
      new RegExp(`cache +the cache, Redis at 127\\.0\\.0\\.1:${other.port}, works`),
    );
    expect(scene.visits.failures).toEqual([]);
  });
});
