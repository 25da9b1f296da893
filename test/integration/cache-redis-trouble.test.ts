import { setImmediate } from 'node:timers/promises';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import type { Cache } from '../../src/ports/cache.ts';
import { type CachePlace, openCache } from '../support/cache-client.ts';
import { freePort } from '../support/free-port.ts';
import { logLines } from '../support/log-lines.ts';
import { type RedisOptions, startRedis } from '../support/redis.ts';
import { makeRedisCertificates } from '../support/redis-certificates.ts';
import { startSlowProxy } from '../support/slow-proxy.ts';
import { until } from '../support/until.ts';

const password = 'hunter2-of-redis';
let endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.toReversed()) await end();
  endings = [];
});

async function start(options: RedisOptions = {}) {
  const server = await startRedis({ password, ...options });
  endings.push(server.stop);
  return server;
}

function open(place: Partial<Exclude<CachePlace, { dataDir: string }>> & { readonly port: number }) {
  const log = logLines();
  const whole = { connectionType: 'redis', hosts: ['127.0.0.1'], database: 0, password, ...place } as const;
  const cache = openCache(whole, log);
  endings.push(() => cache.close());
  return { cache, log, ...spacesOf(cache) };
}

const spacesOf = (cache: Cache) => ({
  answers: cache.namespace({ name: 'answers', maxEntries: 100_000, maxValueBytes: 200_000 }),
  sessions: cache.namespace({
    name: 'sessions',
    maxEntries: 100_000,
    maxValueBytes: 200_000,
    mustKeep: true,
  }),
  /** The entries of `answers`, for who waits for them longer. */
  patient: cache.namespace({
    name: 'answers',
    maxEntries: 100_000,
    maxValueBytes: 200_000,
    mustKeep: true,
  }),
});

/** Nothing is written until the words say that; a first question may take too long to find out. */
const untilSays = ({ cache, answers }: Pick<ReturnType<typeof open>, 'cache' | 'answers'>, words: string) =>
  until(`it says "${words}"`, async () => {
    expect(await answers.set('a', 'x')).toBe(false);
    return cache.state().words.includes(words);
  });

async function timed<T>(action: Promise<T>): Promise<{ value: T | Error; ms: number }> {
  const start = performance.now();
  const value = await action.catch((error: Error) => error);
  return { value, ms: performance.now() - start };
}

const down = { code: 'cache-down', retryable: true };

describe('The cache in Redis', () => {
  it('that is not there at the start is a miss at once, an error for sessions, and works when it comes', async () => {
    const port = await freePort();
    const opened = open({ port });
    const { cache, answers, sessions, log } = opened;
    const first = await timed(answers.get('a'));
    expect(first.value).toBeUndefined();
    expect(first.ms).toBeLessThan(1500);
    expect((await timed(answers.set('a', 'x'))).value).toBe(false);
    const session = await timed(sessions.get('a'));
    expect(session.value).toMatchObject(down);
    expect(session.ms).toBeLessThan(8000);
    expect(cache.state()).toMatchObject({ kind: 'redis', ok: false, failures: 3 });
    await untilSays(opened, 'does not run: the connection was refused');
    expect(cache.state().words).toMatch(
      /^the cache, Redis at 127.0.0.1:\d+, does not run: the connection was refused, for \d+ s now$/,
    );
    const since = performance.now();
    for (let asked = 0; asked < 1000; asked++) await answers.get('a');
    // each of them would take a fifth of a second if it waited
    expect(performance.now() - since).toBeLessThan(20_000);
    await start({ port });
    await until('it works', () => answers.set('a', 'x'));
    expect(await sessions.set('a', 'who')).toBe(true);
    expect(cache.state().ok).toBe(true);
    await until('the log says so', () => log.lines.at(-1)!.includes('works again'));
    expect(log.lines[0]).toMatch(/^warn: .* does not run: the connection was refused {}$/);
  });

  it('that is killed and started again is used again, and nothing is sent twice', async () => {
    const server = await start();
    const { cache, answers, sessions, patient } = open({ port: server.port });
    for (let round = 0; round < 3; round++) {
      expect(await sessions.set('a', 'who')).toBe(true);
      const counted = Array.from({ length: 200 }, () => answers.increment('a'));
      await server.kill();
      await Promise.all(counted);
      expect(await answers.get('a')).toBeUndefined();
      await server.start();
      await until('it works again', async () => !(await sessions.get('a').catch(() => 'not yet')));
      expect(await patient.increment('a')).toMatchObject({ count: 1 });
    }
    expect(cache.state().ok).toBe(true);
  });

  it('that breaks off connections is used over new ones, and the scripts are there still', async () => {
    const server = await start();
    const proxy = await startSlowProxy(server.port);
    endings.push(proxy.stop);
    const { answers, patient } = open({ port: proxy.port });
    for (let round = 0; round < 5; round++) {
      await until('it works', () => answers.set('a', 'x'));
      await server.cli('script', 'flush');
      expect(await patient.set('a', 'y')).toBe(true);
      proxy.cut();
    }
  });

  it('that is slow is a miss after 200 ms, and no queue grows', async () => {
    const server = await start();
    const proxy = await startSlowProxy(server.port);
    endings.push(proxy.stop);
    const { cache, answers, sessions } = open({ port: proxy.port });
    await until('it works', () => answers.set('a', 'x'));
    proxy.delayMs = 500;
    const read = await timed(answers.get('a'));
    expect(read.value).toBeUndefined();
    expect(read.ms).toBeGreaterThan(190);
    expect(read.ms).toBeLessThan(1500);
    expect(cache.state().words).toContain('has not answered within 200 ms');
    expect((await timed(sessions.get('a'))).value).toBeUndefined();
    const many = await Promise.all(Array.from({ length: 3000 }, () => timed(answers.get('a'))));
    // those of a queue would each wait for the one before
    expect(Math.max(...many.map(({ ms }) => ms))).toBeLessThan(6000);
    proxy.delayMs = 0;
    await until('it is quick again', async () => (await answers.get('a')) === 'x');
  });

  it('that is frozen loses its connection, and is found again', async () => {
    const server = await start();
    const proxy = await startSlowProxy(server.port);
    endings.push(proxy.stop);
    const { cache, answers, sessions } = open({ port: proxy.port });
    await until('it works', () => answers.set('a', 'x'));
    server.freeze();
    endings.push(server.thaw);
    expect((await timed(answers.get('a'))).value).toBeUndefined();
    const session = await timed(sessions.set('a', 'who'));
    expect(session.value).toMatchObject(down);
    expect(session.ms).toBeLessThan(8000);
    await until('it tries another connection', async () => {
      expect(await answers.get('a')).toBeUndefined();
      return proxy.connections() > 1;
    });
    expect(cache.state().ok).toBe(false);
    server.thaw();
    await until('it works again', async () => (await answers.get('a')) === 'x');
  });

  it('that is full misses, drops no session, and takes new ones in the place of other entries', async () => {
    const server = await start({ settings: ['maxmemory 8mb', 'maxmemory-policy noeviction'] });
    const { cache, answers, sessions, patient } = open({ port: server.port });
    for (let index = 0; index < 50; index++) await sessions.set(`old-${index}`, 'who');
    let kept = 0;
    await until('it is full', async () => {
      while (await answers.set(`${kept}`, 'x'.repeat(10_000))) kept += 1;
      return cache.state().words.includes('is out of memory: raise its maxmemory');
    });
    expect(kept).toBeGreaterThan(100);
    expect(await patient.get('0')).toBe('x'.repeat(10_000));
    expect(cache.state().ok).toBe(false);
    expect(await answers.increment('new')).toBeUndefined();
    expect(await patient.delete('0')).toBe(true);
    for (let index = 0; index < 50; index++)
      expect(await sessions.set(`new-${index}`, 'y'.repeat(20_000))).toBe(true);
    for (let index = 0; index < 50; index++) {
      expect(await sessions.get(`old-${index}`)).toBe('who');
      expect(await sessions.get(`new-${index}`)).toBe('y'.repeat(20_000));
    }
    // with nothing left to make room with, it says so
    const large = 'z'.repeat(200_000);
    const stuffed = (async () => {
      for (let index = 0; ; index++) await sessions.set(`large-${index}`, large);
    })();
    await expect(stuffed).rejects.toMatchObject(down);
    expect(await sessions.get('old-0')).toBe('who');
    expect(await sessions.touch('old-0')).toBe(true);
    expect(
      Number(
        await server.cli(
          'eval',
          'local n = 0 for _, k in ipairs(redis.call("keys", "*")) do if redis.call("pttl", k) < 0 then n = n + 1 end end return n',
          '0',
        ),
      ),
    ).toBe(0);
  });

  it('that refuses the password, or wants one, says so and never tells the password', async () => {
    const server = await start();
    const wrong = open({ port: server.port, password: 'wrong-password-of-redis' });
    expect(await wrong.answers.get('a')).toBeUndefined();
    const failure = (await timed(wrong.sessions.set('session-key', 'secret-value'))).value;
    expect(failure).toMatchObject(down);
    await untilSays(wrong, 'refuses the password: correct REDIS_PASS');
    const none = open({ port: server.port, password: undefined });
    await untilSays(none, 'wants a password: set REDIS_PASS');
    const told = [wrong.log.lines, wrong.cache.state(), failure].map((each) =>
      inspect(each, { depth: 10, showHidden: true }),
    );
    expect(told.join('\n')).not.toMatch(/wrong-password|hunter2|secret-value/);
    await server.cli('config', 'set', 'requirepass', 'wrong-password-of-redis');
    await until('the password is right', () => wrong.answers.set('a', 'x'));
  });

  it('that changes its password under way goes on until it is asked for again, and then says so', async () => {
    const server = await start();
    const proxy = await startSlowProxy(server.port);
    endings.push(proxy.stop);
    const { cache, answers } = open({ port: proxy.port });
    await until('it works', () => answers.set('a', 'x'));
    await server.cli('config', 'set', 'requirepass', 'another');
    proxy.cut();
    await until('it says so', async () => {
      await answers.get('a');
      return cache.state().words.includes('refuses the password');
    });
  });

  it('that is a replica reads, writes nothing and says so, and does not connect without end', async () => {
    const primary = await start();
    const replica = await start({ settings: [`replicaof 127.0.0.1 ${primary.port}`] });
    const proxy = await startSlowProxy(replica.port);
    endings.push(proxy.stop);
    await until('it follows', async () => (await replica.cli('info')).includes('master_link_status:up'));
    const opened = open({ port: proxy.port });
    const { answers } = opened;
    await untilSays(opened, 'is a replica, which takes no writes: name the primary');
    const since = performance.now();
    while (performance.now() - since < 1500) {
      expect(await answers.set('a', 'x')).toBe(false);
      await setImmediate();
    }
    expect(proxy.connections()).toBeLessThan(5);
    await replica.cli('replicaof', 'no', 'one');
    await until('it is a primary', () => answers.set('a', 'x'));
  });

  it('that has no such database is not used with another', async () => {
    const server = await start();
    const opened = open({ port: server.port, database: 1000 });
    for (let asked = 0; asked < 20; asked++) expect(await opened.answers.set('a', 'x')).toBe(false);
    await untilSays(opened, 'has no database of that number: correct REDIS_DB');
    expect(await server.cli('dbsize')).toBe('0\n');
  });

  it('that is busy with a script is a miss', async () => {
    const server = await start({ settings: ['busy-reply-threshold 50'] });
    const { cache, answers, patient } = open({ port: server.port });
    await until('it works', () => answers.set('a', 'x'));
    const script = server.cli('eval', 'while true do end', '0').catch(() => {});
    await until('it says so', async () => {
      await answers.set('a', 'y');
      return cache.state().words.includes('is busy with a script');
    });
    await server.cli('script', 'kill');
    await script;
    await until('it works again', () => answers.set('a', 'z'));
    expect(await patient.get('a')).toBe('z');
  });

  it('that loads its data is a miss until it has', async () => {
    const server = await start({
      settings: ['key-load-delay 3000', 'loading-process-events-interval-bytes 1024'],
    });
    const { answers, patient } = open({ port: server.port });
    for (let batch = 0; batch < 9; batch++)
      await Promise.all(
        Array.from({ length: 100 }, (_, index) => patient.set(`${batch * 100 + index}`, 'x'.repeat(1000))),
      );
    await server.cli('save');
    await server.kill();
    let loaded = false;
    const starting = server.start().then(() => (loaded = true));
    let loading = 0;
    await until('it has loaded', async () => {
      if (!loaded && (await server.cli('get', 'a').catch(() => '')).includes('LOADING')) {
        loading += 1;
        expect((await timed(answers.get('1'))).ms).toBeLessThan(1500);
      }
      return loaded;
    });
    await starting;
    expect(loading).toBeGreaterThan(0);
    await until('it works', async () => (await answers.get('1')) !== undefined);
  });

  it('over TLS is not used where its certificate is not trusted, of another name, or missing', async () => {
    const certificates = makeRedisCertificates();
    endings.push(certificates.remove);
    const tls = certificates.certificate(['DNS:redis.example', 'IP:127.0.0.1']);
    const { port } = await start({ tls });
    const authorities = [certificates.authority];
    const rediss = { connectionType: 'rediss', port, authorities } as const;
    const right = open(rediss);
    await until('it works', () => right.answers.set('a', 'x'));
    const otherName = open({ ...rediss, hosts: ['localhost'] });
    expect(await otherName.sessions.set('a', 'x').catch(() => 'refused')).toBe('refused');
    await untilSays(otherName, 'shows a certificate of another name');
    const { authorities: _, ...publicOnly } = rediss;
    const stranger = open(publicOnly);
    expect(await stranger.sessions.set('a', 'x').catch(() => 'refused')).toBe('refused');
    await untilSays(stranger, 'shows a certificate that is not trusted');
    const plain = await start();
    const noTls = open({ ...rediss, port: plain.port });
    expect(await noTls.sessions.set('a', 'x').catch(() => 'refused')).toBe('refused');
    // whichever of two limits of two seconds comes first
    expect(noTls.cache.state().words).toMatch(/does not answer|has not answered/);
    const unencrypted = open({ port });
    expect(await unencrypted.answers.set('a', 'x')).toBe(false);
    expect(unencrypted.cache.state().ok).toBe(false);
  });

  it('is closed soon, whatever state the server is in', async () => {
    const server = await start();
    const { port } = server;
    server.freeze();
    endings.push(server.thaw);
    const caches = [
      open({ port }),
      open({ port: 1 }),
      open({ connectionType: 'sentinel', hosts: ['127.0.0.1:1'], port: 1 }),
      open({ connectionType: 'cluster', hosts: ['127.0.0.1:1'], port: 1 }),
      open({ connectionType: 'unix', hosts: ['/nonexistent/redis.sock'], port: 1 }),
    ];
    for (const { answers } of caches) await answers.get('a');
    await untilSays(caches[4]!, 'does not run: there is no such socket');
    const closed = await timed(Promise.all(caches.map(({ cache }) => cache.close())));
    expect(closed.ms).toBeLessThan(5000);
  });
});
