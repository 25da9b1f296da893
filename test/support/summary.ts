import { existsSync, readFileSync } from 'node:fs';

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** What `vitest --reporter=json` writes, as far as it is read here. */
interface VitestReport {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly duration?: number | null;
    }[];
  }[];
}

export interface SlowTest {
  readonly name: string;
  readonly tookMs: number;
}

/** What one run of vitest came to. */
export interface Summary extends Counts {
  /** The ten that took longest, the longest first. */
  readonly slowest: readonly SlowTest[];
}

export const slowestOf = (summaries: readonly { readonly slowest: readonly SlowTest[] }[]): SlowTest[] =>
  summaries
    .flatMap(({ slowest }) => slowest)
    .toSorted((a, b) => b.tookMs - a.tookMs)
    .slice(0, 10);

export function add(...all: readonly Counts[]): Counts {
  const sum = (key: keyof Counts) => all.reduce((total, counts) => total + counts[key], 0);
  return { passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped') };
}

/**
 * Counts the tests of a report. A suite that failed outside its tests (it does not load, its set-up throws), a run
 * that ended badly though every test passed, and a missing report count as one failure each: nothing that went
 * wrong may end in a sum without failures.
 */
export function countReport(file: string, exitCode: number | null): Summary {
  let counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  const times: SlowTest[] = [];
  if (existsSync(file)) {
    const report = JSON.parse(readFileSync(file, 'utf8')) as VitestReport;
    for (const suite of report.testResults) {
      const statuses = suite.assertionResults.map(({ status }) => status);
      const failed = statuses.filter((status) => status === 'failed').length;
      const passed = statuses.filter((status) => status === 'passed').length;
      const broken = suite.status === 'failed' && failed === 0 ? 1 : 0;
      counts = add(counts, { passed, failed: failed + broken, skipped: statuses.length - passed - failed });
      for (const { fullName, duration } of suite.assertionResults) {
        times.push({ name: fullName, tookMs: duration ?? 0 });
      }
    }
  }
  if (exitCode !== 0 && counts.failed === 0) counts = add(counts, { passed: 0, failed: 1, skipped: 0 });
  return { ...counts, slowest: slowestOf([{ slowest: times }]) };
}

/** The line that whoever runs the tests reads last, a person or a machine. */
export function closingLine({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
