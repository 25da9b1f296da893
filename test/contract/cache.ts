import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Cache, CacheNamespaceOptions } from '../../src/ports/cache.ts';
import { type CachePlace, openCache } from '../support/cache-client.ts';
import { until } from '../support/until.ts';

const counter = join(import.meta.dirname, '../support/cache-counter.ts');
let names = 0;

/** Each test has namespaces of its own. */
function space(
  options: Partial<CacheNamespaceOptions> = {},
): CacheNamespaceOptions & { readonly mustKeep: boolean } {
  return { name: `test-${++names}`, maxEntries: 1000, maxValueBytes: 2_000_000, mustKeep: true, ...options };
}

/** What every `Cache` has to do. `makeServer` starts what is behind it, for clients in this process and in others. */
export function cacheContract(
  name: string,
  makeServer: () => Promise<{ place: CachePlace; stop: () => Promise<void> }>,
): void {
  describe(`${name} as a cache`, () => {
    let server: Awaited<ReturnType<typeof makeServer>>;
    let cache: Cache;
    let opened: Cache[];
    const connect = (): Cache => {
      const client = openCache(server.place);
      opened.push(client);
      return client;
    };
    beforeAll(async () => {
      server = await makeServer();
    });
    afterAll(() => server.stop());
    /** Its connection or thread is there: what follows takes the cache's own time. */
    const connected = async (): Promise<Cache> => {
      const client = connect();
      const quiet = client.namespace(space({ mustKeep: false }));
      await until('it answers', () => quiet.set('warm', 'up'));
      return client;
    };
    beforeEach(async () => {
      opened = [];
      cache = await connected();
    });
    afterEach(() => Promise.all(opened.map((client) => client.close())));

    it('has nothing at first', async () => {
      const empty = cache.namespace(space());
      expect(await empty.get('a')).toBeUndefined();
      expect(await empty.getBytes('a')).toBeUndefined();
      expect(await empty.take('a')).toBeUndefined();
      expect(await empty.delete('a')).toBe(false);
      expect(await empty.touch('a')).toBe(false);
      expect(await empty.compareAndSet('a', '', 'b')).toBe(false);
    });

    it('gives back what was set last, to another client too, and not to another namespace', async () => {
      const options = space();
      const one = cache.namespace(options);
      expect(await one.set('a', 'first')).toBe(true);
      expect(await one.set('a', 'second')).toBe(true);
      expect(await one.get('a')).toBe('second');
      expect(await (await connected()).namespace(options).get('a')).toBe('second');
      expect(await cache.namespace(space()).get('a')).toBeUndefined();
      expect(await one.delete('a')).toBe(true);
      expect(await (await connected()).namespace(options).get('a')).toBeUndefined();
    });

    it('lets an entry go when its life ends, to the second', async () => {
      const short = cache.namespace(space({ lifeMs: 1000 }));
      const lives = { own: 2000, default: undefined, fraction: 1500.5 };
      const expected = { own: 2000, default: 1000, fraction: 1501 };
      const lived = await Promise.all(
        Object.entries(lives).map(async ([key, lifeMs]) => {
          const start = performance.now();
          await short.set(key, 'x', lifeMs);
          await until(`${key} has gone`, async () => (await short.get(key)) === undefined);
          return [key, performance.now() - start] as const;
        }),
      );
      for (const [key, ms] of lived) {
        const life = expected[key as keyof typeof expected];
        expect(ms, key).toBeGreaterThan(life - 10);
        expect(ms, key).toBeLessThan(life + 1000);
      }
      expect(await short.setIfAbsent('own', 'again')).toBe(true);
      expect(await short.take('default')).toBeUndefined();
    });

    it('gives a new life to what is touched or set, and to nothing else', async () => {
      const short = cache.namespace(space({ lifeMs: 4000 }));
      const start = performance.now();
      await Promise.all(['touched', 'set', 'read', 'refused', 'shortened'].map((key) => short.set(key, 'x')));
      expect(await short.touch('touched', 60_000)).toBe(true);
      expect(await short.set('set', 'y', 60_000)).toBe(true);
      expect(await short.setIfAbsent('refused', 'y', 60_000)).toBe(false);
      expect(await short.compareAndSet('refused', 'z', 'y', 60_000)).toBe(false);
      expect(await short.touch('shortened', 1)).toBe(true);
      await until('it has gone', async () => (await short.get('shortened')) === undefined);
      expect(performance.now() - start).toBeLessThan(3990);
      await until('the life of the others ends', async () => {
        const left = await Promise.all([short.get('read'), short.get('refused')]);
        return left.every((value) => value === undefined);
      });
      expect(await short.get('touched')).toBe('x');
      expect(await short.get('set')).toBe('y');
      expect(await short.touch('read', 60_000)).toBe(false);
    });

    const keys = [
      '',
      ' ',
      '\0',
      'a\0b',
      'a\nb',
      'a\r\nb',
      `"'`,
      '{x}',
      '}{',
      'a:b',
      '*',
      '%',
      '💡',
      '\uD800',
      '\uD801',
    ];
    keys.push(
      'é'.normalize('NFC'),
      'é'.normalize('NFD'),
      'k'.repeat(200),
      'k'.repeat(201),
      'k'.repeat(1_000_000),
      '__proto__',
    );

    it('takes any text as a key, and keeps them apart', async () => {
      const odd = cache.namespace(space());
      for (const [index, key] of keys.entries()) expect(await odd.set(key, `${index}`)).toBe(true);
      for (const [index, key] of keys.entries()) expect(await odd.get(key)).toBe(`${index}`);
      for (const key of keys) expect(await odd.delete(key)).toBe(true);
    });

    it('gives back any value as it was', async () => {
      const odd = cache.namespace(space());
      for (const value of ['', '\0', 'a\nb\r\n', `"'\\`, '💡', '0', '-1', 'null', 'x'.repeat(1_000_000)]) {
        expect(await odd.set('a', value)).toBe(true);
        expect((await odd.get('a')) === value, value.slice(0, 9)).toBe(true);
        expect((await odd.take('a')) === value, value.slice(0, 9)).toBe(true);
      }
      const bytes = Uint8Array.from({ length: 1_048_576 }, (_, index) => (index * 7) % 256);
      expect(await odd.set('a', bytes.subarray(1, 1_000_001))).toBe(true);
      expect(Buffer.compare((await odd.getBytes('a'))!, bytes.subarray(1, 1_000_001))).toBe(0);
      expect(await odd.compareAndSet('a', bytes.subarray(1, 1_000_001), new Uint8Array([255, 0]))).toBe(true);
      expect([...(await odd.takeBytes('a'))!]).toEqual([255, 0]);
    });

    it('keeps no value that is too large, and leaves the old one', async () => {
      const options = space({ maxValueBytes: 10 });
      const surely = cache.namespace(options);
      const { failures } = cache.state();
      const small = cache.namespace({ ...options, mustKeep: false });
      expect(await surely.set('a', '💡💡12')).toBe(true);
      expect(await small.set('a', '💡💡123')).toBe(false);
      expect(await small.setIfAbsent('b', 'x'.repeat(11))).toBe(false);
      expect(await small.compareAndSet('a', '💡💡12', 'x'.repeat(11))).toBe(false);
      expect(await surely.get('a')).toBe('💡💡12');
      const large = { code: 'cache-value-too-large', retryable: false };
      await expect(surely.set('a', 'x'.repeat(11))).rejects.toMatchObject(large);
      expect(cache.state()).toMatchObject({ ok: true, failures });
    });

    it('refuses what would have no life, no bound or no name', async () => {
      const numbers = cache.namespace(space());
      for (const life of [0, -1, Number.NaN]) {
        await expect(numbers.set('a', 'x', life)).rejects.toThrow(RangeError);
        await expect(numbers.touch('a', life)).rejects.toThrow(RangeError);
        await expect(numbers.increment('a', life)).rejects.toThrow(RangeError);
        expect(() => cache.namespace(space({ lifeMs: life }))).toThrow(RangeError);
      }
      expect(await numbers.set('a', 'x', Infinity)).toBe(true);
      expect(() => cache.namespace(space({ maxEntries: 0 }))).toThrow(RangeError);
      expect(() => cache.namespace(space({ maxEntries: Infinity }))).toThrow(RangeError);
      expect(() => cache.namespace(space({ maxValueBytes: 0 }))).toThrow(RangeError);
      expect(() => cache.namespace(space({ name: 'a}b' }))).toThrow(RangeError);
      await expect(numbers.increment('a', 1000, 0.5)).rejects.toThrow(RangeError);
    });

    it('gives what is taken to one of many', async () => {
      const options = space();
      const clients = [cache, await connected(), await connected()].map((client) =>
        client.namespace(options),
      );
      for (let round = 0; round < 20; round++) {
        await clients[0]!.set('once', 'token');
        const taken = await Promise.all(clients.flatMap((each) => [each.take('once'), each.take('once')]));
        expect(taken.filter((value) => value === 'token')).toHaveLength(1);
      }
    });

    it('lets one of many set what is absent', async () => {
      const options = space();
      const clients = [cache, await connected(), await connected()].map((client) =>
        client.namespace(options),
      );
      for (let round = 0; round < 20; round++) {
        const done = await Promise.all(
          clients.map((each, index) => each.setIfAbsent(`${round}`, `${index}`)),
        );
        expect(done.filter(Boolean)).toHaveLength(1);
        expect(await clients[0]!.get(`${round}`)).toBe(`${done.indexOf(true)}`);
      }
    });

    it('changes what nobody else has changed meanwhile', async () => {
      const options = space();
      const clients = [cache, await connected(), await connected()].map((client) =>
        client.namespace(options),
      );
      await clients[0]!.set('sum', '0');
      await Promise.all(
        clients.map(async (each) => {
          for (let done = 0; done < 20;) {
            const before = (await each.get('sum'))!;
            if (await each.compareAndSet('sum', before, `${Number(before) + 1}`)) done += 1;
          }
        }),
      );
      expect(await clients[0]!.get('sum')).toBe('60');
      await clients[1]!.delete('sum');
      expect(await clients[2]!.compareAndSet('sum', '60', '61')).toBe(false);
      expect(await clients[0]!.get('sum')).toBeUndefined();
    });

    it('counts in a window whose end does not move', async () => {
      const limits = cache.namespace(space({ lifeMs: 4000 }));
      const first = await limits.increment('a');
      expect(first?.count).toBe(1);
      expect(first?.endsInMs).toBeGreaterThan(2000);
      expect(first?.endsInMs).toBeLessThanOrEqual(4000);
      const second = await limits.increment('a', 60_000, 10);
      expect(second?.count).toBe(11);
      expect(second?.endsInMs).toBeLessThanOrEqual(first!.endsInMs);
      expect(await limits.increment('a', 60_000, -11)).toMatchObject({ count: 0 });
      expect((await limits.increment('a', 60_000, -5))?.count).toBe(-5);
      expect(await limits.get('a')).toBe('-5');
      await until('the window ends', async () => (await limits.get('a')) === undefined);
      expect(await limits.increment('a')).toMatchObject({ count: 1 });
    });

    it('counts on from a number that was set, and anew from anything else', async () => {
      const limits = cache.namespace(space());
      for (const [value, count] of [
        ['41', 42],
        ['0', 1],
        ['-1', 0],
        ['1e3', 1],
        ['4.5', 1],
        [' 4', 1],
        ['', 1],
        ['9'.repeat(30), 1],
      ] as const) {
        await limits.set('a', value, 10_000);
        const counted = await limits.increment('a', 100_000);
        expect(counted?.count, value).toBe(count);
        expect(counted!.endsInMs > 20_000, value).toBe(count === 1 && value !== '0');
      }
    });

    it('loses no count of several processes', async () => {
      const options = space();
      const times = 100;
      const parameters = [counter, JSON.stringify(server.place), options.name, `${times}`];
      const outputs = await Promise.all(
        [1, 2, 3].map(() => promisify(execFile)(process.execPath, parameters, { timeout: 150_000 })),
      );
      const counts = outputs.flatMap(({ stdout }) => stdout.trim().split('\n').map(Number));
      expect(counts.sort((a, b) => a - b)).toEqual(
        Array.from({ length: 3 * times }, (_, index) => index + 1),
      );
      expect(await cache.namespace(options).get('count')).toBe(`${3 * times}`);
    });

    it('holds no more entries than it may: what would expire soonest goes, whatever made it', async () => {
      const bounded = cache.namespace(space({ maxEntries: 5 }));
      const kept = async (): Promise<string> => {
        const all = await Promise.all(
          [...'abcdefghij'].map(async (key) => ((await bounded.get(key)) ? key : '')),
        );
        return all.join('');
      };
      await bounded.set('a', 'x', 50_000);
      await bounded.set('b', 'x', 40_000);
      await bounded.set('c', 'x', 30_000);
      await bounded.set('d', 'x', 20_000);
      await bounded.set('e', 'x', 10_000);
      await bounded.set('e', 'y', 10_000);
      expect(await kept()).toBe('abcde');
      await bounded.touch('d', 60_000);
      await bounded.set('f', 'x', 60_000);
      expect(await kept()).toBe('abcdf');
      await bounded.increment('g', 60_000);
      expect(await kept()).toBe('abdfg');
      await bounded.setIfAbsent('h', 'x', 60_000);
      expect(await kept()).toBe('adfgh');
      // the one that has just come stays, short as its life may be
      await bounded.set('i', 'x', 5000);
      expect(await kept()).toBe('dfghi');
      await bounded.delete('d');
      await bounded.take('f');
      await bounded.set('a', 'x');
      await bounded.set('b', 'x');
      expect(await kept()).toBe('abghi');
    });

    it('does not count entries whose life has ended', async () => {
      const bounded = cache.namespace(space({ maxEntries: 3 }));
      await Promise.all(['a', 'b', 'c'].map((key) => bounded.set(key, 'x', 200)));
      await until('they have gone', async () => (await bounded.get('c')) === undefined);
      await Promise.all(['d', 'e', 'f'].map((key) => bounded.set(key, 'x')));
      expect(await Promise.all(['d', 'e', 'f'].map((key) => bounded.get(key)))).toEqual(['x', 'x', 'x']);
    });

    it('keeps sessions whatever is put into other namespaces', async () => {
      const sessions = cache.namespace(space({ maxEntries: 100 }));
      const answers = cache.namespace(space({ maxEntries: 50 }));
      await Promise.all(Array.from({ length: 100 }, (_, index) => sessions.set(`${index}`, 'who', 30_000)));
      for (let round = 0; round < 10; round++) {
        await Promise.all(
          Array.from({ length: 50 }, (_, index) => answers.set(`${round}-${index}`, 'x'.repeat(1000))),
        );
      }
      const found = await Promise.all(Array.from({ length: 100 }, (_, index) => sessions.get(`${index}`)));
      expect(found.filter((value) => value === 'who')).toHaveLength(100);
      const left = await Promise.all(
        Array.from({ length: 500 }, (_, index) => answers.get(`${Math.floor(index / 50)}-${index % 50}`)),
      );
      expect(left.filter(Boolean)).toHaveLength(50);
    });

    it('may be closed twice, and then keeps nothing and says so where it matters', async () => {
      const client = connect();
      const options = space();
      const quiet = client.namespace({ ...options, mustKeep: false });
      const sessions = client.namespace(options);
      await sessions.set('a', 'x');
      await Promise.all([client.close(), client.close()]);
      await client.close();
      expect(await quiet.get('a')).toBeUndefined();
      expect(await quiet.set('a', 'y')).toBe(false);
      expect(await quiet.increment('a')).toBeUndefined();
      await expect(sessions.get('a')).rejects.toMatchObject({ code: 'cache-down', retryable: true });
      expect(await cache.namespace(options).get('a')).toBe('x');
    });

    it('may be closed before it was used, and with requests under way', async () => {
      await connect().close();
      const client = connect();
      const quiet = client.namespace(space({ mustKeep: false }));
      const sets = Array.from({ length: 50 }, (_, index) => quiet.set(`${index}`, 'x'));
      await client.close();
      expect((await Promise.all(sets)).every((done) => typeof done === 'boolean')).toBe(true);
    });

    it('does not make a queue without end', async () => {
      const quiet = cache.namespace(space({ mustKeep: false, maxEntries: 5000 }));
      await quiet.set('warm', 'up');
      const done = await Promise.all(Array.from({ length: 3000 }, (_, index) => quiet.set(`${index}`, 'x')));
      expect(done.filter(Boolean).length).toBeLessThanOrEqual(1000);
      expect(done.slice(1000)).not.toContain(true);
      await until('it takes more again', () => quiet.set('a', 'x'));
    });

    it('says in words how it is', async () => {
      const client = connect();
      expect(client.state()).toMatchObject({ ok: true, failures: 0 });
      expect(client.state().words).toMatch(/^the cache.* has not been asked yet$/);
      await client.namespace(space()).get('a');
      expect(client.state().words).toMatch(/^the cache.* works$/);
    });
  });
}
