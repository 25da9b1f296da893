import { getCACertificates } from 'node:tls';
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { cacheScripts } from './cache-redis-scripts.ts';

/** Where the server is, as the configuration has it. */
export interface RedisServer {
  readonly connectionType: 'redis' | 'rediss' | 'unix' | 'sentinel' | 'cluster';
  /** Each a host, `HOST:PORT`, `[IPV6]:PORT`, or a path; the sentinels' or some of the cluster's where there are several. */
  readonly hosts: readonly string[];
  /** Where a host names none. */
  readonly port: number;
  readonly database: number;
  readonly password: string | undefined;
  /** PEM of authorities for `rediss`. Else those that Node brings and those of the host (`update-ca-certificates`). */
  readonly authorities?: readonly string[];
}

export interface RedisConnection {
  /** The client, connected: waits for that. Without `patient`, rejects at once while the last attempt has failed. */
  client(patient: boolean, withinMs: number): Promise<Redis | Cluster>;
  close(): Promise<void>;
}

/** The group that sentinels watch: what Redis's own example and most installations call it. */
const sentinelGroup = 'mymaster';
/** The texts that ioredis has for it. */
const disconnected = /^(Connection is closed|Stream isn't writeable)/;
const connectTimeoutMs = 2000;
const silenceMs = 2000;
const shortestRetryMs = 50;
const longestRetryMs = 5000;
const closeWithinMs = 1000;

/** Milliseconds until the next attempt: 50, 100, 200 … 5000, a random half of it taken off. */
function retryDelay(attempt: number): number {
  return (
    Math.min(longestRetryMs, shortestRetryMs * 2 ** Math.min(attempt - 1, 10)) * (0.5 + Math.random() / 2)
  );
}

/**
 * Connects when first asked and again for ever. Nothing is queued while there is no connection, nothing is sent twice to a
 * single server after one broke, and a server that is silent for two seconds loses it. `tell`: each time it comes (undefined) or fails.
 */
export function connectRedis(server: RedisServer, tell: (error: Error | undefined) => void): RedisConnection {
  const client = makeClient(server);
  let failure: Error | undefined;
  let closed = false;
  let restarts = 0;
  let restart: NodeJS.Timeout | undefined;
  let change = Promise.withResolvers<void>();
  const changed = (): void => {
    change.resolve();
    change = Promise.withResolvers();
  };
  const fail = (error: Error): void => {
    // the end of a connection is told after the reason for it
    if (closed || (failure !== undefined && disconnected.test(error.message))) return;
    failure = error;
    tell(error);
    changed();
  };

  client.on('ready', () => {
    failure = undefined;
    restarts = 0;
    tell(undefined);
    changed();
  });
  let sentinelError: Error | undefined;
  client.on('error', (error: Error) => {
    // ioredis would go on in database 0
    if (error.message.includes('DB index')) client.disconnect(true);
    fail(error.message.startsWith('All sentinels') ? (sentinelError ?? error) : error);
  });
  client.on('sentinelError', (error: Error) => (sentinelError = error));
  client.on('node error', fail);
  // of its own accord it ends only where it has not come to a server at all
  client.on('end', () => {
    if (closed) return;
    failure ??= new Error('Connection is closed.');
    restarts += 1;
    restart = setTimeout(() => void client.connect().catch(() => {}), retryDelay(restarts));
  });

  return {
    async client(patient, withinMs) {
      const giveUpAt = performance.now() + withinMs;
      if (client.status === 'wait' && !closed) void client.connect().catch(() => {});
      while (client.status !== 'ready') {
        if (closed) throw new Error('it was closed');
        if (failure !== undefined && !patient) throw failure;
        const leftMs = giveUpAt - performance.now();
        if (leftMs <= 0) throw failure ?? new Error('connect ETIMEDOUT');
        await within(leftMs, change.promise);
      }
      return client;
    },
    async close() {
      if (closed) return;
      closed = true;
      clearTimeout(restart);
      changed();
      const ended = new Promise<void>((resolve) => client.once('end', resolve));
      const { status } = client;
      client.disconnect();
      if (status !== 'wait' && status !== 'end') await within(closeWithinMs, ended);
    },
  };
}

async function within(ms: number, promise: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([promise, over]);
  clearTimeout(timer);
}

function makeClient(server: RedisServer): Redis | Cluster {
  const { connectionType, database, password } = server;
  const addresses = server.hosts.map((host) => addressOf(host, server.port));
  const shared = {
    ...(password === undefined ? {} : { password }),
    lazyConnect: true,
    connectTimeout: connectTimeoutMs,
    socketTimeout: silenceMs,
    disconnectTimeout: closeWithinMs / 2,
    maxLoadingRetryTime: 500,
    autoResendUnfulfilledCommands: false,
  } satisfies RedisOptions;
  if (connectionType === 'cluster') {
    return new Cluster(addresses, {
      lazyConnect: true,
      enableOfflineQueue: false,
      clusterRetryStrategy: retryDelay,
      slotsRefreshTimeout: connectTimeoutMs,
      redisOptions: shared,
      scripts: cacheScripts,
    });
  }
  const single = {
    ...shared,
    db: database,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: retryDelay,
    reconnectOnError: lostItsRole(),
    scripts: cacheScripts,
  } satisfies RedisOptions;
  const [first] = server.hosts;
  switch (connectionType) {
    case 'unix':
      return new Redis({ ...single, path: first! });
    case 'sentinel':
      return new Redis({
        ...single,
        name: sentinelGroup,
        sentinels: addresses,
        ...(password === undefined ? {} : { sentinelPassword: password }),
        // its wait could not be cut short by closing
        sentinelRetryStrategy: () => null,
        sentinelCommandTimeout: connectTimeoutMs,
      });
    case 'rediss': {
      const ca = [...(server.authorities ?? trustedAuthorities())];
      return new Redis({ ...single, ...addresses[0], tls: { ca, minVersion: 'TLSv1.2' } });
    }
    default:
      return new Redis({ ...single, ...addresses[0] });
  }
}

/** A primary that became a replica: looks for the new one, but not with every write. Redis 6.2 says so at the end of what a script met. */
export function lostItsRole(): (error: Error) => boolean {
  let last = -Infinity;
  return ({ message }) => {
    if (!message.includes('READONLY') || performance.now() - last < longestRetryMs) return false;
    last = performance.now();
    return true;
  };
}

function trustedAuthorities(): string[] {
  return [...getCACertificates('default'), ...getCACertificates('system')];
}

function addressOf(host: string, port: number): { host: string; port: number } {
  const [, bracketed, bare, digits] = /^(?:\[([^\]]*)\]|([^:]*)):(\d+)$/.exec(host) ?? [];
  const name = bracketed ?? bare;
  return name === undefined ? { host, port } : { host: name, port: Number(digits) };
}
