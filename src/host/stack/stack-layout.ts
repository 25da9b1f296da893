import { join } from 'node:path';
import type { Config } from '../../config/schema.ts';
import { exitCodes, Failure } from '../../core/errors.ts';

/** Where the containers, their secrets and their sockets lie on this host. Absolute paths. */
export interface StackLayout {
  /** What the binary unpacks: the compose file and what is mounted beside it. */
  readonly composeFolder: string;
  /** One folder for each container with what it alone may read. Only root enters the folder above them. */
  readonly secretsFolder: string;
  /** One folder for each container with its socket. Only root and the service enter the folder above them. */
  readonly socketsFolder: string;
  /** `POSTGRES_HOST` of the container. */
  readonly postgresHost: string;
  /** `REDIS_HOST` of the container. */
  readonly redisSocket: string;
}

/** The user that both servers run as, by the number that the official images give it. */
export const containerUser = { uid: 999, gid: 999 } as const;

/** `sun_path` of unix(7), without the byte that ends it. */
const longestSocketPath = 107;

/** Throws the Failure `stack-path` where the data folder is so deep that no socket fits below it. */
export function stackLayout({ installed, dataDir }: Pick<Config, 'installed' | 'dataDir'>): StackLayout {
  const base = join(dataDir, 'stack');
  const socketsFolder = installed ? '/run/appliance-stack' : join(base, 'sockets');
  const postgresHost = join(socketsFolder, 'postgres');
  const longest = join(postgresHost, '.s.PGSQL.65535');
  if (Buffer.byteLength(longest) > longestSocketPath) {
    throw new Failure(`the path of a socket may have ${longestSocketPath} bytes, and ${longest} is longer`, {
      code: 'stack-path',
      exitCode: exitCodes.usage,
      remedy: 'set APP_DATA_DIR to a folder with a shorter path',
    });
  }
  return {
    composeFolder: installed ? '/etc/appliance/compose' : join(base, 'compose'),
    secretsFolder: installed ? '/etc/appliance/stack' : join(base, 'secrets'),
    socketsFolder,
    postgresHost,
    redisSocket: join(socketsFolder, 'redis', 'redis.sock'),
  };
}
