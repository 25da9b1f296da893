import { Failure } from '../core/errors.ts';
import { redisAilment } from './cache-redis-ailment.ts';
import { connectRedis, type RedisServer } from './cache-redis-connection.ts';

const withinMs = 5000;

/**
 * Signs in once and asks what the server does when it is full (`maxmemory-policy`); undefined where this user may not ask.
 * Rejects with the Failure `cache-password` where it refuses the password, `cache-down` where it cannot be asked.
 */
export async function askRedisPolicy(server: RedisServer): Promise<string | undefined> {
  const connection = connectRedis(server, () => {});
  try {
    const client = await connection.client(false, withinMs);
    await client.ping();
    const told = await client.call('CONFIG', 'GET', 'maxmemory-policy').catch(() => []);
    return Array.isArray(told) && typeof told[1] === 'string' ? told[1] : undefined;
  } catch (error) {
    const words = redisAilment(error);
    const refused = /password/.test(words);
    throw new Failure(`Redis at ${server.hosts.join(', ')} ${words}`, {
      code: refused ? 'cache-password' : 'cache-down',
      retryable: !refused,
      cause: error,
    });
  } finally {
    await connection.close();
  }
}
