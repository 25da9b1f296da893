import { describe, expect, it } from 'vitest';
import { createDatabaseLink } from '../../src/adapters/database-link.ts';
import { Failure } from '../../src/core/errors.ts';

const down = new Failure('nobody listens', { code: 'database-down', retryable: true });
const full = new Failure('the disk is full', { code: 'database-full', retryable: true });

function linkAt(start: number) {
  let nowMs = start;
  const link = createDatabaseLink('PostgreSQL at db:5432', { now: () => nowMs });
  return { link, pass: (ms: number) => (nowMs += ms) };
}

describe('the way to a database', () => {
  it('is dialled again after longer and longer, at most half a minute', () => {
    const { link, pass } = linkAt(Date.UTC(2026, 0, 1));
    const waits: number[] = [];
    for (let failures = 0; failures < 12; failures++) {
      link.notDialled(down);
      let waited = 0;
      for (;;) {
        try {
          link.expectDialTime();
          break;
        } catch (error) {
          expect(error).toBe(down);
          waited += 25;
          pass(25);
        }
      }
      waits.push(waited);
    }
    expect(waits[0]).toBeLessThanOrEqual(100);
    expect(waits.at(-1)).toBeGreaterThan(20_000);
    expect(Math.max(...waits)).toBeLessThanOrEqual(30_000);
    link.dialled();
    link.notDialled(down);
    pass(100);
    expect(() => link.expectDialTime()).not.toThrow();
  });

  it('counts those who dial at once as one', () => {
    const { link, pass } = linkAt(0);
    for (let at = 0; at < 50; at++) link.notDialled(down);
    pass(100);
    expect(() => link.expectDialTime()).not.toThrow();
  });

  it('is not closed for long by a clock that was set back', () => {
    const { link, pass } = linkAt(Date.UTC(2030, 0, 1));
    link.notDialled(down);
    pass(-1e10);
    expect(() => link.expectDialTime()).not.toThrow();
  });

  it('is told in words', () => {
    const { link, pass } = linkAt(Date.UTC(2026, 0, 1));
    expect(link.state()).toMatchObject({ status: 'unknown', words: 'PostgreSQL at db:5432: not asked yet' });
    link.dialled();
    expect(link.state()).toMatchObject({ status: 'up', words: 'PostgreSQL at db:5432: up' });
    link.met(full);
    expect(link.state()).toMatchObject({
      status: 'up',
      words: 'PostgreSQL at db:5432: up, but the disk is full',
      failure: full,
    });
    link.dialled();
    expect(link.state().failure).toBe(full);
    link.wrote();
    expect(link.state().failure).toBeUndefined();
    pass(60_000);
    for (let failures = 0; failures < 10; failures++) {
      link.notDialled(down);
      pass(30_001);
    }
    link.notDialled(down);
    expect(link.state()).toMatchObject({
      status: 'down',
      sinceMs: Date.UTC(2026, 0, 1, 0, 1),
      words: expect.stringMatching(
        /^PostgreSQL at db:5432: down since 2026-01-01T00:01:00.000Z: nobody listens; tried again in \d\d s$/,
      ) as string,
    });
    link.closed();
    link.dialled();
    expect(link.state()).toMatchObject({ status: 'closed', words: 'PostgreSQL at db:5432: closed' });
  });
});
