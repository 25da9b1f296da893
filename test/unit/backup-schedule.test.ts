import { describe, expect, it } from 'vitest';
import { calendarTimes } from '../../src/core/calendar-times.ts';
import { dueMs } from '../../src/backup/schedule.ts';

const times = calendarTimes('*-*-* 03:00 UTC');
const at = (text: string) => Date.parse(`2026-11-${text}:00Z`);
const due = (now: string, startMs: string, newest: string | undefined): string => {
  const newestMs = newest === undefined ? undefined : at(newest);
  const found = dueMs(times, { now: at(now), startMs: at(startMs), newestMs });
  return new Date(found).toISOString().slice(8, 16);
};

describe('the next backup is due', () => {
  it('at the next time, where there is one since the last', () => {
    expect(due('22T12:00', '20T00:00', '22T03:01')).toBe('23T03:00');
    expect(due('22T12:00', '22T11:00', '22T09:00')).toBe('23T03:00');
  });

  it('now, where the time has come', () => {
    expect(due('22T03:00', '20T00:00', '21T03:01')).toBe('22T03:00');
  });

  it('soon after the start, once, where times were missed or there is none at all', () => {
    expect(due('22T12:00', '22T12:00', '19T03:01')).toBe('22T12:05');
    expect(due('22T12:00', '22T12:00', undefined)).toBe('22T12:05');
    expect(due('22T02:58', '22T02:58', undefined)).toBe('22T03:00');
    expect(due('22T12:06', '22T12:00', '22T12:05')).toBe('23T03:00');
  });

  it('as if there were none that is dated ahead of the clock', () => {
    expect(due('22T12:00', '20T00:00', '29T03:01')).toBe('22T03:00');
    expect(due('22T12:06', '22T12:00', '29T03:01')).toBe('22T12:05');
    expect(due('22T12:00', '20T00:00', '22T12:59')).toBe('23T03:00');
  });

  it('never, where the time does not come again', () => {
    const once = calendarTimes('2020-01-01 00:00 UTC');
    const now = at('22T12:00');
    expect(dueMs(once, { now, startMs: now, newestMs: now })).toBe(Infinity);
  });
});
