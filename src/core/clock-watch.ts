import { clockToleranceMs } from './clock.ts';

/** A clock that was wrong at the start of the host is right by then, or was set meanwhile. */
const believedAfterMs = 3_600_000;

/**
 * Tells whether what the clock says may be acted on where that cannot be undone: it has gone as time passes for an hour. A host
 * may start years ahead and be set right a moment later. Both give milliseconds, `now` since 1970, `passed` since any moment.
 */
export function createClockWatch(
  now: () => number = Date.now,
  passed: () => number = () => performance.now(),
): () => boolean {
  let sinceMs = passed();
  let offsetMs = now() - sinceMs;
  return () => {
    const atMs = passed();
    const found = now() - atMs;
    if (Math.abs(found - offsetMs) > clockToleranceMs) {
      sinceMs = atMs;
      offsetMs = found;
    }
    return atMs - sinceMs >= believedAfterMs;
  };
}
