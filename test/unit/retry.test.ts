import { describe, expect, it } from 'vitest';
import { forClock } from '../../src/certificates/outcome.ts';
import { freshState } from '../../src/certificates/renewal-state.ts';
import { clockWasAhead, retryDelayMs } from '../../src/certificates/retry.ts';
import { day, factsOf, hour, made, minute, second, seeded } from '../support/certificate-world.ts';

const middle = () => 0.5;
const written = (failures: number) => retryDelayMs(failures, undefined, undefined, middle);
const elapsed = (failures: number) =>
  Array.from({ length: failures }, (_, index) => written(index + 1)).reduce((sum, ms) => sum + ms, 0);

describe('the retry table', () => {
  it('is what its comment says', () => {
    const firstRows = Array.from({ length: 12 }, (_, index) => written(index + 1) / minute);
    expect(firstRows).toEqual([1, 2, 2, 5, 10, 10, 10, 20, 20, 20, 20, 30]);
    expect([4, 7, 11, 19, 25, 28, 30].map((rows) => elapsed(rows) / hour)).toEqual([
      10 / 60,
      40 / 60,
      2,
      6,
      12,
      18,
      24,
    ]);
    expect(elapsed(146)).toBe(30 * day);
    expect(written(147)).toBe(day);
    expect(written(100_000)).toBe(day);
  });

  it('is spread by 15 % to either side', () => {
    const random = seeded(7);
    const waits = Array.from({ length: 1000 }, () => retryDelayMs(5, undefined, undefined, random));
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(8.5 * minute);
    expect(Math.min(...waits)).toBeLessThan(8.6 * minute);
    expect(Math.max(...waits)).toBeLessThanOrEqual(11.5 * minute);
    expect(Math.max(...waits)).toBeGreaterThan(11.4 * minute);
  });

  it.each([
    ['an eighth of what is left', 40 * second * 8, 10 * minute, 40 * second],
    ['not less than five seconds', 8 * second, 10 * minute, 5 * second],
    ['not less than twenty minutes for a long life, whose authority counts', minute, 90 * day, 20 * minute],
    ['the table where that is less', 30 * day, 90 * day, 6 * hour],
    ['the table for what has ended', -1, 90 * day, 6 * hour],
  ])('waits %s', (_, leftMs, wholeMs, expected) => {
    expect(retryDelayMs(60, { leftMs, wholeMs }, undefined, middle)).toBe(expected);
  });

  it('gives way to a longer Retry-After, whatever life is left, but not to one of years', () => {
    const life = { leftMs: minute, wholeMs: 10 * minute };
    expect(retryDelayMs(1, life, hour, middle)).toBe(hour);
    expect(retryDelayMs(1, undefined, second, middle)).toBe(minute);
    expect(retryDelayMs(1, undefined, 3650 * day, middle)).toBe(14 * day);
    expect(retryDelayMs(1, undefined, -5, middle)).toBe(minute);
  });
});

it('a time that was written down in the future comes from a clock that was wrong', () => {
  expect(clockWasAhead(hour, 0)).toBe(true);
  expect(clockWasAhead(minute, 0)).toBe(false);
  expect(clockWasAhead(0, hour)).toBe(false);
});

it('what failed while our clock was behind is forgotten when it no longer is, and not before', () => {
  const issued = factsOf(made({ names: ['a.test'], notBefore: day }));
  const lastError = { at: hour, code: 'acme-tls', message: 'refused', remedy: undefined };
  const failed = { ...freshState, failures: 3, nextAttemptAt: 2 * hour, lastError };
  expect(forClock(failed, issued, hour)).toEqual(failed);
  expect(forClock(failed, issued, day)).toEqual(freshState);
  expect(forClock({ ...failed, lastError: { ...lastError, at: day } }, issued, day)).toMatchObject({
    failures: 3,
  });
});
