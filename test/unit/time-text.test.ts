import { describe, expect, it } from 'vitest';
import { lengthText, momentText } from '../../src/cli/time-text.ts';
import { labelled } from '../../src/cli/wrap.ts';

const second = 1000;
const hour = 3600 * second;
const day = 24 * hour;

describe('a length of time', () => {
  it.each([
    [-5, '0 s'],
    [999, '0 s'],
    [59 * second, '59 s'],
    [60 * second, '1 min'],
    [hour - 1, '59 min'],
    [hour, '1 h'],
    [hour + 60 * second, '1 h 1 min'],
    [day, '1 day'],
    [day + hour, '1 day 1 h'],
    [7 * day - 1, '6 days 23 h'],
    [7 * day + 5 * hour, '7 days'],
    [90 * day, '90 days'],
  ])('of %i ms is %s', (ms, text) => {
    expect(lengthText(ms)).toBe(text);
  });
});

it('a moment says how far away it is, either way', () => {
  const at = Date.UTC(2027, 1, 1, 10, 0, 59);
  expect(momentText(at, at - 2 * day)).toBe('2027-02-01 10:00 UTC (in 2 days)');
  expect(momentText(at, at + 30 * second)).toBe('2027-02-01 10:00 UTC (30 s ago)');
  expect(momentText(at, at)).toBe('2027-02-01 10:00 UTC (just now)');
});

it('long text is broken between words beside its label, long words are not broken', () => {
  expect(labelled('to do', `${'word '.repeat(15)}end`, 10)).toEqual([
    `to do     ${'word '.repeat(14).trim()}`,
    '          word end',
  ]);
  expect(labelled('at', `x ${'y'.repeat(90)} z`, 4)).toEqual(['at  x', `    ${'y'.repeat(90)}`, '    z']);
  expect(labelled('none', '', 6)).toEqual(['none']);
});
