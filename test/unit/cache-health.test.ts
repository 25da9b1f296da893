import { describe, expect, it } from 'vitest';
import { cacheHealth } from '../../src/adapters/cache-health.ts';
import { logLines } from '../support/log-lines.ts';

const newHealth = () => {
  const log = logLines();
  return { log, health: cacheHealth('redis', 'the cache', log) };
};

describe('what ails a cache', () => {
  it('that takes no writes is not over because it was connected to anew, nor because it can be read', () => {
    const { log, health } = newHealth();
    health.failed('is a replica', 'write');
    health.recovered();
    health.succeeded('read');
    expect(health.state()).toMatchObject({ ok: false, failures: 1 });
    expect(log.lines).toEqual(['warn: the cache is a replica {}']);
    health.succeeded('write');
    expect(health.state()).toMatchObject({ ok: true, words: 'the cache works' });
  });

  it('that was away is over when it is there, though writes met it too', () => {
    const { health } = newHealth();
    health.ails('does not run');
    health.failed('does not run', 'write');
    health.recovered();
    expect(health.state().ok).toBe(true);
  });
});
