import { clockToleranceMs } from '../core/clock.ts';

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/*
 * wait     times   since the first failure
 *  1 min     1       1 min
 *  2 min     2       5 min
 *  5 min     1      10 min
 * 10 min     3      40 min
 * 20 min     4       2 h
 * 30 min     8       6 h
 *  1 h       6      12 h
 *  2 h       3      18 h
 *  3 h       2      24 h
 *  6 h     116      30 days
 *  1 day    for ever
 *
 * CertMagic's table, but for its end: there the certificate is given up after 30 days, here never, because whatever was
 * in the way may be mended without anybody telling this program. Doubling was rejected: it is too fast for a person to
 * mend anything in its first minutes and too slow by its first evening.
 */
const rows: readonly (readonly [waitMs: number, times: number])[] = [
  [minute, 1],
  [2 * minute, 2],
  [5 * minute, 1],
  [10 * minute, 3],
  [20 * minute, 4],
  [30 * minute, 8],
  [hour, 6],
  [2 * hour, 3],
  [3 * hour, 2],
  [6 * hour, 116],
];
const waitsMs = rows.flatMap(([waitMs, times]) => Array.from({ length: times }, () => waitMs));
const lastWaitMs = day;

/** Hosts that failed together, because their authority was down, do not all come back together. */
const jitter = 0.15;
/** No authority asks for more (Let's Encrypt: a week); a mistake of one must not end renewal for years. */
const longestRetryAfterMs = 14 * day;

/** The life that is left of the certificate that serves, and how much it had, in milliseconds. */
export interface LifeLeft {
  readonly leftMs: number;
  readonly wholeMs: number;
}

/**
 * How long to wait after `failures` failures in a row (at least 1), in milliseconds. Where a certificate serves (`life`)
 * it is at most an eighth of the life that it has left, so that ten-minute certificates get their second chances too,
 * but never so little that the failures of a long-lived one would use up an authority's limit in its last hours. An
 * authority's Retry-After is kept in any case. `random` gives numbers from 0 to 1.
 */
export function retryDelayMs(
  failures: number,
  life: LifeLeft | undefined,
  retryAfterMs: number | undefined,
  random: () => number,
): number {
  const written = waitsMs[failures - 1] ?? lastWaitMs;
  const jittered = written * (1 + jitter * (2 * random() - 1));
  return Math.max(Math.min(jittered, ceilingMs(life)), retryAfter(retryAfterMs));
}

/**
 * Whether the table has come to waits of an hour, after `failures` failures in a row: attempts as rare as that use up no
 * limit (Let's Encrypt: five validations of a name that fail in an hour).
 */
export function isRare(failures: number): boolean {
  return (waitsMs[failures - 1] ?? lastWaitMs) >= hour;
}

function ceilingMs(life: LifeLeft | undefined): number {
  // what has ended cannot be late any more
  if (life === undefined || life.leftMs <= 0) return Infinity;
  const floorMs = Math.max(5 * second, Math.min(life.wholeMs / 200, 20 * minute));
  return Math.max(life.leftMs / 8, floorMs);
}

/** A Retry-After as it is obeyed: none is nothing. */
export function retryAfter(ms: number | undefined): number {
  return Math.min(Math.max(ms ?? 0, 0), longestRetryAfterMs);
}

/**
 * Whether a time that was written down at `writtenAt` comes from a clock that was ahead of today's: what was planned by
 * it lies as far ahead as that clock was wrong, and is not waited for.
 */
export function clockWasAhead(writtenAt: number, now: number): boolean {
  return writtenAt > now + clockToleranceMs;
}
