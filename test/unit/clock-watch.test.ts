import { describe, expect, it } from 'vitest';
import { createClockWatch } from '../../src/core/clock-watch.ts';

const hourMs = 3_600_000;

describe('the clock', () => {
  const watch = () => {
    const time = { nowMs: Date.UTC(2031, 0, 1), passedMs: 7 };
    const isBelieved = createClockWatch(
      () => time.nowMs,
      () => time.passedMs,
    );
    const pass = (ms: number) => {
      time.nowMs += ms;
      time.passedMs += ms;
    };
    return { time, isBelieved, pass };
  };

  it('is believed after an hour in which it went as time passes', () => {
    const { time, isBelieved, pass } = watch();
    expect(isBelieved()).toBe(false);
    pass(hourMs - 1);
    expect(isBelieved()).toBe(false);
    time.nowMs += 60_000;
    pass(1);
    expect(isBelieved()).toBe(true);
  });

  it.each([-5 * 365 * 24 * hourMs, -6 * 60_000, 24 * hourMs])(
    'that was set by %d ms is believed an hour later',
    (ms) => {
      const { time, isBelieved, pass } = watch();
      time.nowMs += ms;
      pass(hourMs);
      expect(isBelieved()).toBe(false);
      pass(hourMs);
      expect(isBelieved()).toBe(true);
      time.nowMs += ms;
      expect(isBelieved()).toBe(false);
    },
  );
});
