import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { add, closingLine, countReport } from '../support/summary.ts';

const folder = mkdtempSync(join(tmpdir(), 'summary-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Suite {
  status: string;
  tests: string;
}

function reportOf(suites: Suite[]): string {
  const file = join(folder, `${Math.random()}.json`);
  const testResults = suites.map(({ status, tests }) => ({
    name: 'suite',
    status,
    assertionResults: tests
      .split(' ')
      .filter((test) => test !== '')
      .map((test, index) => ({ fullName: `${test} ${index}`, status: test, duration: index * 100 })),
  }));
  writeFileSync(file, JSON.stringify({ testResults }));
  return file;
}

describe('the summary', () => {
  it('counts tests that passed, failed, were skipped or left to do', () => {
    const file = reportOf([
      { status: 'passed', tests: 'passed passed pending' },
      { status: 'failed', tests: 'failed passed todo skipped' },
    ]);
    expect(countReport(file, 1)).toMatchObject({ passed: 3, failed: 1, skipped: 3 });
  });

  it('counts a suite that broke outside its tests as a failure', () => {
    const file = reportOf([
      { status: 'failed', tests: '' },
      { status: 'passed', tests: 'passed' },
    ]);
    expect(countReport(file, 1)).toMatchObject({ passed: 1, failed: 1 });
  });

  it('counts a run that ended badly as a failure though every test passed', () => {
    const file = reportOf([{ status: 'passed', tests: 'passed' }]);
    expect(countReport(file, 1)).toMatchObject({ passed: 1, failed: 1 });
    expect(countReport(file, null)).toMatchObject({ passed: 1, failed: 1 });
  });

  it('counts a run without a report as a failure', () => {
    expect(countReport(join(folder, 'absent.json'), 1)).toMatchObject({ passed: 0, failed: 1 });
  });

  it('names the slowest tests first', () => {
    const file = reportOf([{ status: 'passed', tests: 'passed passed passed' }]);
    expect(countReport(file, 0).slowest.map(({ tookMs }) => tookMs)).toEqual([200, 100, 0]);
  });

  it('closes with one line over everything', () => {
    const total = add({ passed: 1, failed: 0, skipped: 2 }, { passed: 3, failed: 4, skipped: 0 });
    expect(closingLine(total)).toBe('4 passed, 4 failed, 2 skipped');
  });
});
