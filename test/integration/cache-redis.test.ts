import { afterAll, beforeAll, describe } from 'vitest';
import { cacheContract } from '../contract/cache.ts';
import { startRedis } from '../support/redis.ts';
import { makeRedisCertificates, type RedisCertificates } from '../support/redis-certificates.ts';

const password = `p"a\\s's wörd`;

cacheContract('Redis', async () => {
  const { port, stop } = await startRedis({ password });
  const place = { connectionType: 'redis', hosts: ['127.0.0.1'], port, database: 3, password } as const;
  return { place, stop };
});

cacheContract('Redis on a Unix socket without a password', async () => {
  const { socket, stop } = await startRedis();
  const place = {
    connectionType: 'unix',
    hosts: [socket],
    port: 6379,
    database: 0,
    password: undefined,
  } as const;
  return { place, stop };
});

describe('with a private authority', () => {
  let certificates: RedisCertificates;
  beforeAll(() => {
    certificates = makeRedisCertificates();
  });
  afterAll(() => certificates.remove());

  cacheContract('Redis over TLS', async () => {
    const tls = certificates.certificate(['DNS:localhost']);
    const { port, stop } = await startRedis({ password, tls });
    const place = {
      connectionType: 'rediss',
      hosts: [`localhost:${port}`],
      port: 6379,
      database: 0,
      password,
      authorities: [certificates.authority],
    } as const;
    return { place, stop };
  });
});
