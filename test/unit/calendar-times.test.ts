import { describe, expect, it } from 'vitest';
import { calendar } from '../../src/config/calendar.ts';
import { Refusal } from '../../src/config/kind.ts';
import { calendarTimes } from '../../src/core/calendar-times.ts';
import { refusedTimes } from '../support/refused-times.ts';

const at = (text: string) => Date.parse(`${text}Z`);
const iso = (ms: number | undefined) =>
  ms === undefined ? 'never' : new Date(ms).toISOString().slice(0, 19);

describe('a time that comes again', () => {
  it.each([
    ['daily UTC', '2026-11-22T21:00:00', '2026-11-23T00:00:00', '2026-11-22T00:00:00'],
    ['*-*-* 00:00:00 UTC', '2026-11-23T00:00:00', '2026-11-24T00:00:00', '2026-11-23T00:00:00'],
    ['Mon..Fri *-*-* 03:30:00 UTC', '2026-11-20T04:00:00', '2026-11-23T03:30:00', '2026-11-20T03:30:00'],
    ['Sun,Wed 12:00 UTC', '2026-11-22T13:00:00', '2026-11-25T12:00:00', '2026-11-22T12:00:00'],
    ['*:0/15 UTC', '2026-11-22T13:07:00', '2026-11-22T13:15:00', '2026-11-22T13:00:00'],
    ['*-02-29 00:00 UTC', '2026-01-01T00:00:00', '2028-02-29T00:00:00', '2024-02-29T00:00:00'],
    ['*-*~1 06:00 UTC', '2026-02-01T00:00:00', '2026-02-28T06:00:00', '2026-01-31T06:00:00'],
    ['Mon *-05~07/1 00:00 UTC', '2026-05-01T00:00:00', '2026-05-25T00:00:00', '2025-05-26T00:00:00'],
    ['*-*~1..6/2 00:00 UTC', '2026-11-01T00:00:00', '2026-11-26T00:00:00', '2026-10-31T00:00:00'],
    ['8..17/3:00 UTC', '2026-11-22T12:00:00', '2026-11-22T14:00:00', '2026-11-22T11:00:00'],
    ['2020-01-01 00:00 UTC', '2026-01-01T00:00:00', 'never', '2020-01-01T00:00:00'],
    ['30-01-01 00:00 UTC', '2026-01-01T00:00:00', '2030-01-01T00:00:00', 'never'],
  ])('such as %s is found from %s', (text, now, next, previous) => {
    // a word has no zone of its own; the process's is UTC or it is not, and these say so
    const times = calendarTimes(text.replace(/^daily UTC$/, '*-*-* 00:00 UTC'));
    expect([iso(times.next(at(now))), iso(times.previous(at(now)))]).toEqual([next, previous]);
  });
});

describe('a schedule', () => {
  it.each(['*-06-31 03:00', '*-02-30 00:00', '2020-01-01 00:00', '2021..2023-*-* 12:00'])(
    'of %s never comes, and is refused',
    (text) => {
      expect(calendar.parse(text)).toMatchObject({ found: text, why: 'there is no such time to come' });
    },
  );

  it.each(refusedTimes)('such as %s is refused, and told why: %s', (text, why) => {
    expect(calendar.parse(text)).toEqual(new Refusal(text, why));
  });

  it.each(['*-02-29 00:00', 'Mon *-02-29 00:00', '*-*-31 03:00'])('of %s comes, be it seldom', (text) => {
    expect(calendar.parse(text)).not.toBeInstanceOf(Refusal);
  });
});
