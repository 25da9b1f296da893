import type { Cluster, Redis } from 'ioredis';
import { reasonOf } from '../core/errors.ts';
import type { Cache } from '../ports/cache.ts';
import type { Logger } from '../ports/logger.ts';
import { cacheHealth } from './cache-health.ts';
import {
  type CacheCondition,
  type CacheDriver,
  cacheNamespace,
  type CacheSpace,
  type Traffic,
} from './cache-namespace.ts';
import { redisAilment } from './cache-redis-ailment.ts';
import { connectRedis, type RedisConnection, type RedisServer } from './cache-redis-connection.ts';
import type { cacheScripts } from './cache-redis-scripts.ts';

export interface RedisCacheOptions extends RedisServer {
  /** Life of entries that are given none, milliseconds. */
  readonly defaultLifeMs: number;
  readonly log: Logger;
}

const prefix = 'appliance:';
const roomAtOnce = 100;
const roomRounds = 5;

/**
 * The cache in Redis 6.2 or later, or Valkey: a single server, one that sentinels watch over, or a cluster, where each namespace
 * is in one slot. The server should run with `noeviction`: the bounds of the namespaces hold its size.
 */
export function createRedisCache({ defaultLifeMs, log, ...server }: RedisCacheOptions): Cache {
  const places = server.hosts.map((host) =>
    host.startsWith('/') || /[^:]:\d+$/.test(host) ? host : `${host}:${server.port}`,
  );
  const health = cacheHealth('redis', `the cache, Redis at ${places.join(', ')},`, log);
  const connection = connectRedis(server, (error) =>
    error === undefined ? health.recovered() : health.ails(redisAilment(error)),
  );
  const traffic: Traffic = { underWay: 0, closed: false };
  const yielding = new Set<string>();
  const driver = redisDriver(connection, yielding);

  return {
    namespace(options) {
      const opened = cacheNamespace(options, defaultLifeMs, { driver, health, traffic });
      if (options.mustKeep !== true) yielding.add(options.name);
      return opened;
    },
    state: health.state,
    close() {
      traffic.closed = true;
      return connection.close();
    },
  };
}

/** `yielding`: the namespaces whose entries may go for those that must be kept. */
function redisDriver(connection: RedisConnection, yielding: ReadonlySet<string>): CacheDriver {
  const index = (name: string) => Buffer.from(`${prefix}{${name}}`);
  const entry = (name: string, key: Buffer) => Buffer.concat([index(name), Buffer.from(':'), key]);
  const connected = (space: CacheSpace, withinMs: number) => connection.client(space.mustKeep, withinMs);

  const runOn = async (
    space: CacheSpace,
    key: Buffer,
    script: keyof typeof cacheScripts,
    parameters: readonly Parameter[],
    withinMs: number,
  ): Promise<unknown> => {
    const client = await connected(space, withinMs);
    return run(client, script, [index(space.name), entry(space.name, key), key, ...parameters]);
  };
  const makeRoom = async (withinMs: number, space: CacheSpace): Promise<number> => {
    const client = await connected(space, withinMs);
    let removed = 0;
    for (const name of yielding)
      removed += Number(await run(client, 'cacheMakeRoom', [index(name), roomAtOnce]));
    return removed;
  };
  /** A write that adds to the server: what must be kept drives others out of one that is full. */
  const add: typeof runOn = async (space, key, script, parameters, withinMs) => {
    for (let round = 1; ; round++) {
      try {
        return await runOn(space, key, script, parameters, withinMs);
      } catch (error) {
        if (!space.mustKeep || !isFull(error) || round > roomRounds) throw error;
        if ((await makeRoom(withinMs, space)) === 0) throw error;
      }
    }
  };

  return {
    async get(space, key, withinMs) {
      const client = await connected(space, withinMs);
      return (await client.getBuffer(entry(space.name, key))) ?? undefined;
    },
    async take(space, key, withinMs) {
      return ((await runOn(space, key, 'cacheTake', [], withinMs)) as Buffer | null) ?? undefined;
    },
    async set(space, key, { value, lifeMs, condition }, withinMs) {
      const parameters = [value, lifeMs, space.maxEntries, ...conditionOf(condition)];
      return (await add(space, key, 'cacheSet', parameters, withinMs)) === 1;
    },
    async touch(space, key, lifeMs, withinMs) {
      return (await runOn(space, key, 'cacheTouch', [lifeMs], withinMs)) === 1;
    },
    async delete(space, key, withinMs) {
      return (await runOn(space, key, 'cacheDelete', [], withinMs)) === 1;
    },
    async increment(space, key, { by, lifeMs }, withinMs) {
      const parameters = [by, lifeMs, space.maxEntries];
      const reply = await add(space, key, 'cacheIncrement', parameters, withinMs);
      const [count = 0, endsInMs = 0] = reply as number[];
      return { count, endsInMs };
    },
    ailment: redisAilment,
  };
}

type Parameter = Uint8Array | string | number;

/** ioredis makes a method of each script, unknown to its types; the one with `Buffer` gives bytes. */
function run(
  client: Redis | Cluster,
  script: keyof typeof cacheScripts,
  parameters: readonly Parameter[],
): Promise<unknown> {
  const scripts = client as unknown as Record<string, (...args: Parameter[]) => Promise<unknown>>;
  return scripts[`${script}Buffer`]!.call(client, ...parameters.map(asBuffer));
}

function asBuffer(parameter: Parameter): Parameter {
  if (!(parameter instanceof Uint8Array) || Buffer.isBuffer(parameter)) return parameter;
  return Buffer.from(parameter.buffer, parameter.byteOffset, parameter.byteLength);
}

function conditionOf(condition: CacheCondition): Parameter[] {
  return condition instanceof Uint8Array ? ['equal', condition] : [condition];
}

function isFull(error: unknown): boolean {
  return reasonOf(error).includes('OOM ');
}
