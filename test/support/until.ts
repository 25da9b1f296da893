import { setTimeout as wait } from 'node:timers/promises';

/** Waits for something to become true, looking every 20 ms; throws with `what` when it does not in time. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  timeoutMs = 60_000,
): Promise<void> {
  const giveUpAt = performance.now() + timeoutMs;
  for (;;) {
    if (await holds()) return;
    if (performance.now() > giveUpAt) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await wait(20);
  }
}
