import { expect, it } from 'vitest';
import type { ServiceManager } from '../../src/supervisor/notify.ts';
import { feedWatchdog } from '../../src/supervisor/watchdog.ts';

const log = { debug() {}, info() {}, warn() {}, error() {}, debugging: false };

it('feeding that systemd did not hear is done again before its patience ends', async () => {
  const everyMs = 1000;
  const ending = new AbortController();
  const times: number[] = [];
  const systemd = {
    watchdogEveryMs: everyMs,
    async watchdog() {
      times.push(performance.now());
      if (times.length === 3) ending.abort();
      return times.length !== 1;
    },
  };
  await feedWatchdog(
    {
      systemd: systemd as unknown as ServiceManager,
      selfCheck: async () => ({ workers: 1, answering: 1 }),
      words: () => 'well',
      log,
    },
    ending.signal,
  );
  const [unheard = 0, heard = 0, next = 0] = times;
  expect(heard - unheard).toBeLessThan(everyMs);
  expect(next - heard).toBeGreaterThan(everyMs * 0.9);
});
