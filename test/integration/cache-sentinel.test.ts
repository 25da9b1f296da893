import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cacheContract } from '../contract/cache.ts';
import { openCache } from '../support/cache-client.ts';
import { logLines } from '../support/log-lines.ts';
import { startSentinels } from '../support/redis.ts';
import { until } from '../support/until.ts';

const password = 'of the group';
const placeOf = (ports: readonly number[]) =>
  ({
    connectionType: 'sentinel',
    hosts: ports.map((port) => `127.0.0.1:${port}`),
    port: 26379,
    database: 0,
    password,
  }) as const;

cacheContract('Redis by sentinels', async () => {
  const { ports, stop } = await startSentinels(password);
  return { place: placeOf(ports), stop };
});

describe('Sentinels', () => {
  let group: Awaited<ReturnType<typeof startSentinels>>;
  beforeAll(async () => {
    group = await startSentinels(password);
  });
  afterAll(() => group.stop());

  it('lead to the new primary when the old one dies in use, and nothing that was copied is lost', async () => {
    const [first, second] = group.servers;
    const log = logLines();
    const cache = openCache(placeOf(group.ports), log);
    const sessions = cache.namespace({
      name: 'sessions',
      maxEntries: 1000,
      maxValueBytes: 100,
      mustKeep: true,
    });
    const answers = cache.namespace({ name: 'answers', maxEntries: 1000, maxValueBytes: 100 });
    for (let index = 0; index < 50; index++) await sessions.set(`${index}`, 'who', 600_000);
    expect(await first!.cli('wait', '1', '5000')).toBe('1\n');
    let [longest, misses] = [0, 0];
    let over = false;
    const asking = (async () => {
      while (!over) {
        const start = performance.now();
        if (!(await answers.set('a', 'x'))) misses += 1;
        longest = Math.max(longest, performance.now() - start);
        await setImmediate();
      }
    })();
    await until('it is in use', () => answers.set('b', 'x'));
    await first!.kill();
    await until('the group has another primary', async () => (await group.primary()) === second!.port);
    await until('the cache works again', () => answers.set('c', 'x'));
    over = true;
    await asking;
    expect(misses).toBeGreaterThan(0);
    expect(longest).toBeLessThan(600);
    for (let index = 0; index < 50; index++) expect(await sessions.get(`${index}`)).toBe('who');
    expect(cache.state()).toMatchObject({ ok: true });
    expect(log.lines.join('\n')).not.toContain(password);
    await cache.close();
  });

  it('that are all away, or know no such group, are named in words', async () => {
    const away = openCache({ ...placeOf([1, 2]) });
    const quiet = away.namespace({ name: 'answers', maxEntries: 10, maxValueBytes: 100 });
    await until('it says so', async () => {
      expect(await quiet.get('a')).toBeUndefined();
      return away.state().words.includes('has no sentinel that answers');
    });
    await away.close();
    const stranger = openCache({ ...placeOf([group.servers[1]!.port]) });
    expect(await stranger.namespace({ name: 'a', maxEntries: 1, maxValueBytes: 1 }).get('a')).toBeUndefined();
    expect(stranger.state().words).toContain('is no sentinel: correct REDIS_CONNECTION_TYPE');
    await stranger.close();
    await group.rename('others');
    const unknown = openCache(placeOf(group.ports));
    expect(await unknown.namespace({ name: 'a', maxEntries: 1, maxValueBytes: 1 }).get('a')).toBeUndefined();
    expect(unknown.state().words).toContain('has sentinels that know no group named mymaster');
    await unknown.close();
  });
});
