import type { Config } from '../../config/schema.ts';
import { exitCodes, Failure } from '../../core/errors.ts';
import type { StackLayout } from './stack-layout.ts';

/** What the configuration says of the servers that run in our containers; a server elsewhere is not among them. */
export interface StackServices {
  readonly postgres: PostgresService | undefined;
  readonly redis: RedisService | undefined;
}

export interface PostgresService {
  readonly role: string;
  readonly database: string;
  readonly password: string;
}

export interface RedisService {
  readonly password: string;
}

type Keys =
  | 'postgresHost'
  | 'postgresPort'
  | 'postgresUser'
  | 'postgresDatabase'
  | 'postgresPassword'
  | 'redisConnectionType'
  | 'redisHosts'
  | 'redisPassword';

/** Names that the server keeps for itself. */
const reservedRole = /^(postgres|pg_.*|public|none)$/i;
const reservedDatabase = /^(postgres|template0|template1)$/i;

/** Throws a Failure `stack-config` (exit code 2) for what no container of ours can be. */
export function stackServices(config: Pick<Config, Keys>, layout: StackLayout): StackServices {
  return {
    postgres: config.postgresHost === layout.postgresHost ? postgresOf(config) : undefined,
    redis:
      config.redisConnectionType === 'unix' && config.redisHosts?.[0] === layout.redisSocket
        ? { password: needed(config.redisPassword, 'REDIS_PASS', 'redis.env') }
        : undefined,
  };
}

function postgresOf(config: Pick<Config, Keys>): PostgresService {
  const { postgresUser: role, postgresDatabase: database } = config;
  if (config.postgresPort !== 5432)
    throw unfit('POSTGRES_PORT has to be 5432: the container has no other', 'take the line out');
  if (reservedRole.test(role)) {
    throw unfit(
      `POSTGRES_USER cannot be ${role}: the server keeps that role for itself`,
      'take another name',
    );
  }
  if (reservedDatabase.test(database)) {
    throw unfit(`POSTGRES_DB cannot be ${database}: the server needs it itself`, 'take another name');
  }
  return { role, database, password: needed(config.postgresPassword, 'POSTGRES_PASSWORD', 'postgres.env') };
}

function needed(value: string | undefined, key: string, file: string): string {
  if (value !== undefined) return value;
  throw unfit(`${key} is missing in ${file}`, '"appliance secrets init" makes one');
}

function unfit(message: string, remedy: string): Failure {
  return new Failure(message, { code: 'stack-config', exitCode: exitCodes.usage, remedy });
}
