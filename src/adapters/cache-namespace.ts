import { Failure, reasonOf } from '../core/errors.ts';
import type { CacheCount, CacheNamespace, CacheNamespaceOptions } from '../ports/cache.ts';
import type { CacheHealth } from './cache-health.ts';
import { cacheKey } from './cache-key.ts';

/** A namespace as drivers see it: with nothing left open. */
export interface CacheSpace {
  readonly name: string;
  readonly maxEntries: number;
  readonly mustKeep: boolean;
}

/** When a value is set: always, only where there is none, or only where these bytes are. */
export type CacheCondition = 'always' | 'absent' | Uint8Array;

/**
 * What each kind of cache does in its own way, in bytes. Everything here rejects when it cannot be done; `withinMs` is how
 * long the caller is going to wait for it.
 */
export interface CacheDriver {
  get(space: CacheSpace, key: Buffer, withinMs: number): Promise<Uint8Array | undefined>;
  take(space: CacheSpace, key: Buffer, withinMs: number): Promise<Uint8Array | undefined>;
  set(
    space: CacheSpace,
    key: Buffer,
    entry: { readonly value: Uint8Array; readonly lifeMs: number; readonly condition: CacheCondition },
    withinMs: number,
  ): Promise<boolean>;
  touch(space: CacheSpace, key: Buffer, lifeMs: number, withinMs: number): Promise<boolean>;
  delete(space: CacheSpace, key: Buffer, withinMs: number): Promise<boolean>;
  increment(
    space: CacheSpace,
    key: Buffer,
    step: { readonly by: number; readonly lifeMs: number },
    withinMs: number,
  ): Promise<CacheCount>;
  /** What an error of the above means, to go on after the server's name. */
  ailment(error: unknown): string;
}

const missAfterMs = 200;
const failAfterMs = 2000;
/** What drivers have less, to tell why. */
const forTheReasonMs = 20;
const maxLifeMs = 366 * 24 * 60 * 60 * 1000;
const maxStep = 1e9;
const maxUnderWay = 1000;

/** Counts what is under way, so that a slow server does not make a queue without end. */
export interface Traffic {
  underWay: number;
  closed: boolean;
}

/** The port's namespace over a driver: what is the same for all of them. Throws `RangeError`. */
export function cacheNamespace(
  options: CacheNamespaceOptions,
  defaultLifeMs: number,
  { driver, health, traffic }: { driver: CacheDriver; health: CacheHealth; traffic: Traffic },
): CacheNamespace {
  const { name, maxEntries, maxValueBytes, mustKeep = false } = options;
  if (!/^[a-z0-9-]{1,40}$/.test(name)) throw new RangeError(`"${name}" cannot name a part of the cache`);
  if (!(Number.isSafeInteger(maxEntries) && maxEntries > 0))
    throw new RangeError(`maxEntries: ${maxEntries}`);
  if (!(maxValueBytes > 0)) throw new RangeError(`maxValueBytes: ${maxValueBytes}`);
  const life = (lifeMs = options.lifeMs ?? defaultLifeMs): number => {
    if (!(lifeMs > 0)) throw new RangeError(`a life of ${lifeMs} ms`);
    return Math.ceil(Math.min(lifeMs, maxLifeMs));
  };
  life();
  const space: CacheSpace = { name, maxEntries, mustKeep };
  const withinMs = mustKeep ? failAfterMs : missAfterMs;

  /** Does it in time, or says so by `miss`. */
  const attempt = async <T>(
    miss: T,
    action: (withinMs: number) => Promise<T>,
    kind: 'read' | 'write' = 'write',
  ): Promise<T> => {
    if (traffic.closed && !mustKeep) return miss;
    try {
      if (traffic.closed) throw new Error('it was closed');
      if (traffic.underWay >= maxUnderWay)
        throw new Error(`${traffic.underWay} requests wait for it already`);
      const done = await inTime(action, withinMs, traffic);
      health.succeeded(kind);
      return done;
    } catch (error) {
      const ailment =
        error instanceof Late ? `has not answered within ${Math.round(withinMs)} ms` : driver.ailment(error);
      if (!traffic.closed) health.failed(ailment, kind);
      if (!mustKeep) return miss;
      // The client's own errors carry what was sent, and so passwords and sessions: their text alone goes on.
      throw new Failure(`the cache ${ailment}`, {
        code: 'cache-down',
        retryable: true,
        remedy: 'try again; "appliance status" says how the cache is',
        cause: new Error(reasonOf(error)),
      });
    }
  };

  const set = async (key: string, entry: Parameters<CacheDriver['set']>[2]): Promise<boolean> => {
    const { byteLength } = entry.value;
    if (byteLength <= maxValueBytes)
      return attempt(false, (ms) => driver.set(space, cacheKey(key), entry, ms));
    if (!mustKeep) return false;
    throw new Failure(`a value of ${byteLength} bytes is too large for the cache's ${name}`, {
      code: 'cache-value-too-large',
      remedy: `keep it to ${maxValueBytes} bytes`,
    });
  };
  const getBytes = (key: string) => attempt(undefined, (ms) => driver.get(space, cacheKey(key), ms), 'read');
  const takeBytes = (key: string) => attempt(undefined, (ms) => driver.take(space, cacheKey(key), ms));

  return {
    getBytes,
    takeBytes,
    get: async (key) => textOf(await getBytes(key)),
    take: async (key) => textOf(await takeBytes(key)),
    set: async (key, value, lifeMs) =>
      set(key, { value: bytesOf(value), lifeMs: life(lifeMs), condition: 'always' }),
    setIfAbsent: async (key, value, lifeMs) =>
      set(key, { value: bytesOf(value), lifeMs: life(lifeMs), condition: 'absent' }),
    compareAndSet: async (key, expected, value, lifeMs) =>
      set(key, { value: bytesOf(value), lifeMs: life(lifeMs), condition: bytesOf(expected) }),
    async touch(key, lifeMs) {
      const ms = life(lifeMs);
      return attempt(false, (withinMs) => driver.touch(space, cacheKey(key), ms, withinMs));
    },
    delete: (key) => attempt(false, (ms) => driver.delete(space, cacheKey(key), ms)),
    async increment(key, lifeMs, by = 1) {
      const step = { by, lifeMs: life(lifeMs) };
      if (!Number.isInteger(by) || Math.abs(by) > maxStep) throw new RangeError(`an increment by ${by}`);
      return attempt<CacheCount | undefined>(undefined, (ms) =>
        driver.increment(space, cacheKey(key), step, ms),
      );
    },
  };
}

class Late extends Error {}

function inTime<T>(action: (withinMs: number) => Promise<T>, withinMs: number, traffic: Traffic): Promise<T> {
  traffic.underWay += 1;
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Late()), withinMs);
    action(withinMs - forTheReasonMs)
      .then(resolve, reject)
      .finally(() => {
        traffic.underWay -= 1;
        clearTimeout(timer);
      });
  });
}

function bytesOf(value: string | Uint8Array): Uint8Array {
  return typeof value === 'string' ? Buffer.from(value) : value;
}

function textOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined
    ? undefined
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
}
