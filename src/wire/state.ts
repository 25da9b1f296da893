import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config/schema.ts';
import { readFailure } from '../core/storage-failure.ts';
import { version } from '../core/version.ts';
import type { Cache } from '../ports/cache.ts';
import type { Database } from '../ports/database.ts';
import type { ScratchDatabases } from '../ports/scratch-database.ts';
import type { Logger } from '../ports/logger.ts';

/** The embedded database and cache. */
const stateFile = (config: Pick<Config, 'dataDir'>): string => join(config.dataDir, 'state.sqlite');

/** The database of the configuration: PostgreSQL, or embedded. Nobody is asked yet. Throws `store-unreadable` for POSTGRES_CA_FILE. */
export async function openDatabase(config: Config): Promise<Database> {
  // Workers and most commands live without these libraries, and in less memory.
  const { migrations } = await import('../adapters/migrations/all.ts');
  const options = { migrations, release: version };
  if (config.postgresHost === undefined) {
    const { createSqliteDatabase } = await import('../adapters/database-sqlite.ts');
    return createSqliteDatabase({ ...options, file: stateFile(config) });
  }
  const { createPostgresDatabase } = await import('../adapters/database-postgres.ts');
  return createPostgresDatabase({ ...options, ...postgresSettings(config, config.postgresHost) });
}

/** Renames an embedded database that is damaged; gives its new name, or undefined where there was no need. Rejects with a Failure. */
export async function setAsideDamagedDatabase(config: Config, now: number): Promise<string | undefined> {
  if (config.postgresHost !== undefined) return undefined;
  const { setAsideDamaged } = await import('../adapters/sqlite-damage.ts');
  return setAsideDamaged(stateFile(config), now);
}

/** Databases for proofs, of the kind and in the place of that of the configuration. Nobody is asked yet. */
export async function openScratch(config: Config): Promise<ScratchDatabases> {
  const { migrations } = await import('../adapters/migrations/all.ts');
  const options = { migrations, release: version };
  if (config.postgresHost === undefined) {
    const { createScratchSqlite } = await import('../adapters/scratch-database-sqlite.ts');
    return createScratchSqlite({ ...options, file: stateFile(config) });
  }
  const { createScratchPostgres } = await import('../adapters/scratch-database-postgres.ts');
  const { dataDir } = config;
  return createScratchPostgres({ ...options, dataDir, ...postgresSettings(config, config.postgresHost) });
}

function postgresSettings(config: Config, host: string) {
  return {
    host,
    port: config.postgresPort,
    database: config.postgresDatabase,
    user: config.postgresUser,
    password: config.postgresPassword,
    sslMode: config.postgresSslMode,
    ...(config.postgresCaFile === undefined ? {} : { caFile: config.postgresCaFile }),
  };
}

/** The cache of the configuration: Redis, or embedded. Nobody is asked yet. Throws `store-unreadable` for REDIS_CA_FILE. */
export async function openCache(config: Config, log: Logger): Promise<Cache> {
  const defaultLifeMs = config.redisTtlMs;
  if (config.redisHosts === undefined) {
    const { createSqliteCache } = await import('../adapters/cache-sqlite.ts');
    return createSqliteCache({ dataDir: config.dataDir, defaultLifeMs, log });
  }
  const { createRedisCache } = await import('../adapters/cache-redis.ts');
  return createRedisCache({
    connectionType: config.redisConnectionType,
    hosts: config.redisHosts,
    port: config.redisPort,
    database: config.redisDatabase,
    password: config.redisPassword,
    ...authoritiesOf(config),
    defaultLifeMs,
    log,
  });
}

/** Whom a `rediss` server's certificate may be of, where the configuration says. Throws `store-unreadable`. */
export function authoritiesOf({ redisCaFile }: Pick<Config, 'redisCaFile'>): {
  readonly authorities?: string[];
} {
  return redisCaFile === undefined ? {} : { authorities: [readAuthorities(redisCaFile)] };
}

function readAuthorities(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw readFailure(file, error);
  }
}
