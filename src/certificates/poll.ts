import type { Clock } from '../core/clock.ts';
import { AuthorityFailure } from '../ports/certificate-issuer.ts';

export interface PollOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** All the waiting together. */
  readonly deadlineMs: number;
  /** Made when the deadline has passed. */
  readonly tooLate: () => AuthorityFailure;
}

const firstWaitMs = 250;
const longestWaitMs = 10_000;
/** A server that is restarted or busy must not cost an order that it has nearly done. */
const patience = 3;
/** More than this is for the schedule to wait, not for us. */
const longestRetryMs = 60_000;

/**
 * Asks until `done` (RFC 8555 §7.5.1): after 250 ms, then twice as long each time up to ten seconds, never before the
 * server's own Retry-After. A server that cannot be reached or fails is asked again up to three times in a row.
 */
export async function poll<Item extends { readonly retryAfterMs: number | undefined }>(
  first: Item | undefined,
  ask: () => Promise<Item>,
  done: (item: Item) => boolean,
  { clock, signal, deadlineMs, tooLate }: PollOptions,
): Promise<Item> {
  let item = first;
  let failures = 0;
  let waitedMs = 0;
  for (let backoffMs = firstWaitMs; ; backoffMs = Math.min(backoffMs * 2, longestWaitMs)) {
    let retryAfterMs = item?.retryAfterMs ?? 0;
    if (item === undefined) {
      try {
        item = await ask();
        failures = 0;
        retryAfterMs = item.retryAfterMs ?? 0;
      } catch (error) {
        if (!passes(error) || ++failures > patience) throw error;
        retryAfterMs = error.retryAfterMs ?? 0;
      }
    }
    if (item !== undefined && done(item)) return item;
    const waitMs = Math.max(backoffMs, Math.min(retryAfterMs, longestRetryMs));
    if (waitedMs + waitMs > deadlineMs) throw tooLate();
    await clock.wait(waitMs, signal);
    waitedMs += waitMs;
    item = undefined;
  }
}

function passes(error: unknown): error is AuthorityFailure {
  return (
    error instanceof AuthorityFailure &&
    ['unreachable', 'timeout', 'serverInternal', 'rateLimited'].includes(error.problem.type) &&
    (error.retryAfterMs ?? 0) <= longestRetryMs
  );
}
