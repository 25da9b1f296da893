import { cacheContract } from '../contract/cache.ts';
import { startRedis } from '../support/redis.ts';

cacheContract('Valkey', async () => {
  const password = 'of the valkey';
  const { port, stop } = await startRedis({ password, program: 'valkey-server' });
  const place = { connectionType: 'redis', hosts: ['127.0.0.1'], port, database: 0, password } as const;
  return { place, stop };
});
