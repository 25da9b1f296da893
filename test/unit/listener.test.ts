import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createListener } from '../../src/http/listener.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

/** How many of so many answers are the last of their connection. */
function lastOnes(listener: { ends(): boolean }, answers: number): number {
  return Array.from({ length: answers }, () => listener.ends()).filter(Boolean).length;
}

describe('the connections of a listener', () => {
  it('go on from answer to answer while it listens', () => {
    expect(lastOnes(createListener(true), 100)).toBe(0);
  });

  it('all end with their next answer where it is to end at once', () => {
    const listener = createListener(true);
    listener.endAll();
    expect(lastOnes(listener, 100)).toBe(100);
  });

  it('end over ten seconds after a swap, and none is left then', () => {
    const listener = createListener(true);
    listener.endGradually(1000);
    let ended = lastOnes(listener, 1000);
    expect(ended).toBeLessThan(10);
    for (let second = 1; second <= 10; second++) {
      vi.advanceTimersByTime(1000);
      const now = lastOnes(listener, 1000 - ended);
      expect(now).toBeLessThanOrEqual(101);
      ended += now;
    }
    expect(ended).toBe(1000);
  });

  it('end at once after a swap where there are only a few', () => {
    const listener = createListener(true);
    listener.endGradually(3);
    expect(lastOnes(listener, 3)).toBe(3);
  });

  it('end at once when the process is to end in the middle of that', () => {
    const listener = createListener(true);
    listener.endGradually(1000);
    listener.endAll();
    expect(lastOnes(listener, 1000)).toBe(1000);
  });
});
