import { createRedisCache, type RedisCacheOptions } from '../../src/adapters/cache-redis.ts';
import { createSqliteCache } from '../../src/adapters/cache-sqlite.ts';
import type { Cache } from '../../src/ports/cache.ts';
import type { Logger } from '../../src/ports/logger.ts';
import { logLines } from './log-lines.ts';

/** Where a cache is, in a form that another process can be given. */
export type CachePlace = { readonly dataDir: string } | Omit<RedisCacheOptions, 'defaultLifeMs' | 'log'>;

const defaultLifeMs = 60_000;

export function openCache(place: CachePlace, log: Logger = logLines()): Cache {
  return 'dataDir' in place
    ? createSqliteCache({ ...place, defaultLifeMs, log })
    : createRedisCache({ ...place, defaultLifeMs, log });
}
