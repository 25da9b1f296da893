import { describe, expect, it } from 'vitest';
import { select, suitesOf } from '../support/selection.ts';

const suites = [
  'test/unit/a.test.ts',
  'test/contract/b.test.ts',
  'test/integration/a.test.ts',
  'test/host/fresh-root.test.ts',
];

describe('the arguments of npm test', () => {
  it('without any, mean the check and every suite but those of the host project', () => {
    const selection = select([]);
    expect(selection.check).toBe(true);
    expect(suitesOf(selection, suites)).toEqual(suites.slice(0, 3));
  });

  const cases: [args: string, check: boolean, suites: string[]][] = [
    ['check', true, []],
    ['unit', false, suites.slice(0, 2)],
    ['check unit', true, suites.slice(0, 2)],
    ['host', false, [suites[3] ?? '']],
    ['a.test', false, [suites[0] ?? '', suites[2] ?? '']],
    ['integration a.test', false, [suites[2] ?? '']],
    ['fresh-root', false, [suites[3] ?? '']],
    ['-t unit', false, suites.slice(0, 3)],
    ['no-such-file', false, []],
  ];
  for (const [args, check, expected] of cases) {
    it(`"${args}" runs ${check ? 'the check and ' : ''}${expected.length} of the suites`, () => {
      const selection = select(args.split(' '));
      expect(selection.check).toBe(check);
      expect(suitesOf(selection, suites)).toEqual(expected);
    });
  }

  it('hand flags with their values on to vitest', () => {
    expect(select(['unit', '-t', 'host', '--bail=1', 'name']).flags).toEqual(['-t', 'host', '--bail=1']);
  });
});
