import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Cache } from '../../src/ports/cache.ts';
import { cacheContract } from '../contract/cache.ts';
import { openCache } from '../support/cache-client.ts';
import { type RedisProcess, startCluster } from '../support/redis.ts';
import { until } from '../support/until.ts';

const password = 'of the cluster';
const placeOf = (ports: readonly number[]) =>
  ({
    connectionType: 'cluster',
    hosts: ports.map((port) => `127.0.0.1:${port}`),
    port: 6379,
    database: 0,
    password,
  }) as const;

cacheContract('A Redis cluster', async () => {
  const { servers, stop } = await startCluster(password);
  // one is enough to find the others
  return { place: placeOf([servers[1]!.port]), stop };
});

describe('A cluster in use', () => {
  let cluster: Awaited<ReturnType<typeof startCluster>>;
  let cache: Cache;
  beforeAll(async () => {
    cluster = await startCluster(password);
  });
  afterAll(() => cluster.stop());
  afterEach(() => cache.close());

  /** The names of as many namespaces as it takes for each server to have one, by server. */
  const namesByServer = async (servers: readonly RedisProcess[]): Promise<Map<RedisProcess, string>> => {
    const names = new Map<RedisProcess, string>();
    for (let number = 0; names.size < servers.length; number++) {
      const slot = (await servers[0]!.cli('cluster', 'keyslot', `{n${number}}`)).trim();
      for (const server of servers) {
        const [, own = ''] = /myself.* (\d+-\d+)/.exec(await server.cli('cluster', 'nodes')) ?? [];
        const [from = 0, to = 0] = own.split('-').map(Number);
        if (Number(slot) >= from && Number(slot) <= to && !names.has(server)) names.set(server, `n${number}`);
      }
    }
    return names;
  };

  it('spreads namespaces over the servers, and misses only what is on the one that is away', async () => {
    const names = await namesByServer(cluster.servers);
    cache = openCache(placeOf(cluster.servers.map(({ port }) => port)));
    const spaces = cluster.servers.map((server) =>
      cache.namespace({ name: names.get(server)!, maxEntries: 10, maxValueBytes: 100 }),
    );
    for (const each of spaces) await until('it works', () => each.set('a', 'x'));
    for (const server of cluster.servers) expect(await server.cli('dbsize')).toBe('2\n');
    await cluster.servers[0]!.kill();
    const start = performance.now();
    expect(await spaces[0]!.get('a')).toBeUndefined();
    expect(performance.now() - start).toBeLessThan(1500);
    await cluster.servers[0]!.start();
    await until('all of them work again', async () => {
      const done = await Promise.all(spaces.map((each) => each.set('a', 'y')));
      return done.every(Boolean);
    });
    expect(cache.state().ok).toBe(true);
  });

  it('follows slots to the server that they were moved to', async () => {
    const [from, to] = [cluster.servers[1]!, cluster.servers[2]!];
    const name = (await namesByServer(cluster.servers)).get(from)!;
    cache = openCache(placeOf([from.port]));
    const moving = cache.namespace({ name, maxEntries: 10, maxValueBytes: 100, mustKeep: true });
    const slot = (await from.cli('cluster', 'keyslot', `{${name}}`)).trim();
    const toId = (await to.cli('cluster', 'myid')).trim();
    const fromId = (await from.cli('cluster', 'myid')).trim();
    await moving.delete('a');
    await to.cli('cluster', 'setslot', slot, 'importing', fromId);
    await from.cli('cluster', 'setslot', slot, 'migrating', toId);
    // while a slot is on its way a cluster does nothing there that has to do with two keys
    await expect(moving.set('a', 'x')).rejects.toMatchObject({ code: 'cache-down', retryable: true });
    expect(cache.state().words).toContain('is moving a part of its data between servers');
    for (const server of [to, from, cluster.servers[0]!])
      await server.cli('cluster', 'setslot', slot, 'node', toId);
    expect(await moving.set('a', 'moved')).toBe(true);
    expect(await moving.increment('b')).toMatchObject({ count: 1 });
    expect(await moving.get('a')).toBe('moved');
    expect(await to.cli('cluster', 'countkeysinslot', slot)).toBe('3\n');
  });

  it('says so where the server is no cluster, or a part of one', async () => {
    cache = openCache({ ...placeOf([cluster.servers[0]!.port]), connectionType: 'redis' });
    const names = await namesByServer(cluster.servers);
    const quiet = cache.namespace({
      name: names.get(cluster.servers[2]!)!,
      maxEntries: 10,
      maxValueBytes: 100,
    });
    await until('it says so', async () => {
      expect(await quiet.set('a', 'x')).toBe(false);
      return cache.state().words.includes('is part of a cluster: set REDIS_CONNECTION_TYPE to cluster');
    });
  });
});
