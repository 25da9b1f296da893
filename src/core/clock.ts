import { setTimeout as wait } from 'node:timers/promises';

/** Time, so that tests can make it. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Rejects with the signal's reason when it aborts first. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

/** How far two clocks may be apart, or one be set back, without its being taken for wrong; milliseconds. */
export const clockToleranceMs = 5 * 60_000;

/** A timer of Node's ends at once when it is to last longer. */
const longestTimerMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  async wait(ms, signal) {
    const end = performance.now() + ms;
    try {
      for (let left = ms; left > 0; left = end - performance.now()) {
        await wait(Math.min(left, longestTimerMs), undefined, { signal });
      }
    } catch (error) {
      // Node's own error only carries the reason
      signal.throwIfAborted();
      throw error;
    }
  },
};
