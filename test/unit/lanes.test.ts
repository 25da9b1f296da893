import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lanesOf, turnOf, turns } from '../support/lanes.ts';

const swap = 'test/integration/certificate-swap.test.ts';
const renewal = 'test/host/renewal-under-load.test.ts';
const kills = 'test/host/kills.test.ts';
const fresh = 'test/host/fresh-root.test.ts';
const stack = 'test/host/stack.test.ts';
const other = 'test/host/another.test.ts';

describe('suites that measure nothing', () => {
  it('exist, as all do that have a turn', () => {
    for (const suite of turns)
      expect(existsSync(join(import.meta.dirname, '../..', suite)), suite).toBe(true);
  });

  it('run beside the others', () => {
    const suites = ['test/unit/a.test.ts', swap, 'test/integration/b.test.ts'];
    expect(lanesOf(suites)).toEqual({ main: [suites[0], suites[2]], beside: [swap] });
  });

  it('run as all do where there are no others', () => {
    expect(lanesOf([swap])).toEqual({ main: [swap], beside: [] });
  });

  it('have a turn, so that what mostly waits is left when a fresh root runs all tests, and all is over when something is measured', () => {
    const inTurn = (suites: readonly string[]) => suites.toSorted((a, b) => turnOf(a) - turnOf(b));
    expect(inTurn([renewal, kills])).toEqual([kills, renewal]);
    expect(inTurn([other, fresh, stack])).toEqual([stack, fresh, other]);
  });
});
