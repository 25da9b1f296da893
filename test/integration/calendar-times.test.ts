import { execFileSync, spawnSync } from 'node:child_process';
import { afterAll, describe, expect, it } from 'vitest';
import { calendarTimes } from '../../src/core/calendar-times.ts';
import { calendar } from '../../src/config/calendar.ts';
import { Refusal } from '../../src/config/kind.ts';
import { refusedTimes } from '../support/refused-times.ts';

const zone = process.env['TZ'];
afterAll(() => {
  if (zone === undefined) delete process.env['TZ'];
  else process.env['TZ'] = zone;
});

/** What systemd makes of it: seconds since 1970 of the next three times. */
function systemd(text: string, fromMs: number, timeZone: string): number[] {
  const printed = execFileSync(
    'systemd-analyze',
    ['calendar', '--iterations=3', `--base-time=@${fromMs / 1000}`, text],
    { encoding: 'utf8', env: { ...process.env, TZ: timeZone, LC_ALL: 'C' } },
  );
  const inUtc = [
    ...printed.matchAll(/(?:\(in UTC\)|Next elapse|Iter(?:ation|\.) #\d): \w+ ([-\d]+ [\d:]+) UTC/g),
  ];
  return inUtc.map((match) => Date.parse(`${match[1]!.replace(' ', 'T')}Z`) / 1000);
}

const expressions = [
  'hourly',
  'daily',
  'weekly',
  'monthly',
  'quarterly',
  'semiannually',
  'yearly',
  '03:30',
  'Mon..Fri *-*-* 03:30:00',
  'Sat,Sun 12:05',
  '*:0/15',
  '*-*-1,15 04:00',
  '*-02-29 00:00',
  '*-*~1 06:00',
  '*-*~03 06:00:30',
  'Mon *-05~07/1 00:00',
  '8..17/3:00',
  '*-1/3-1 00:00 UTC',
  '2027..2029-01-01 00:00',
  'Wed *-*-01..07 23:59:59',
  '0/6:30:0/20',
  'Mon..Thu,Sun 03:00',
  '*-*~1..3 03:00',
  '*-*~1..6/2 03:00',
  '5..5/7:00',
];

describe.each(['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kathmandu'])('in %s', (timeZone) => {
  it.each(expressions)('%s comes when systemd says', (text) => {
    process.env['TZ'] = timeZone;
    expect(calendar.parse(text)).toEqual(text);
    const times = calendarTimes(text);
    for (const from of ['2026-11-22T21:36:00Z', '2028-02-28T23:59:59Z', '2027-06-30T12:00:00Z']) {
      let now = Date.parse(from);
      const ours = Array.from({ length: 3 }, () => {
        const next = times.next(now);
        if (next !== undefined) {
          expect(times.previous(next)).toBe(next);
          now = next;
        }
        return next === undefined ? [] : [next / 1000];
      }).flat();
      expect([from, ours]).toEqual([from, systemd(text, Date.parse(from), timeZone)]);
    }
  });
});

it.each(refusedTimes)('%s is refused here, as systemd refuses it', (text) => {
  expect(calendar.parse(text)).toBeInstanceOf(Refusal);
  expect(spawnSync('systemd-analyze', ['calendar', text]).status).toBe(1);
});
