// `npm test`: the check, then every suite that can run here; what cannot is named. The last line counts it all.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, globSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runChecks } from '../build/checks.ts';
import { lanesOf } from './support/lanes.ts';
import { select, suitesOf } from './support/selection.ts';
import { add, closingLine, countReport, type Counts, slowestOf, type Summary } from './support/summary.ts';
import { provide, thisMachine } from './support/system-programs.ts';

const root = join(import.meta.dirname, '..');
const lookEveryMs = 1000;
const endsWithinMs = 60_000;
const none: Counts = { passed: 0, failed: 0, skipped: 0 };
const print = (line: string) => console.log(line);

async function check(): Promise<Counts> {
  const results = await runChecks(print);
  const passed = results.filter(({ ok }) => ok).length;
  return { passed, failed: results.length - passed, skipped: 0 };
}

/** Runs suites in one row, or in two at once; the output of the second comes in one piece, when it ends. */
async function runSuites(suites: readonly string[], flags: readonly string[]): Promise<Counts> {
  const { main, beside } = lanesOf(suites);
  const lanes = [vitest(main, flags, 'inherit')];
  if (beside.length > 0) {
    print(`Beside the others, told when it ends: ${beside.join(', ')}`);
    lanes.push(vitest(beside, flags, 'pipe'));
  }
  const summaries = await Promise.all(lanes);
  const slow = slowestOf(summaries).filter(({ tookMs }) => tookMs >= 1000);
  if (slow.length > 0) print('Slowest tests:');
  for (const { name, tookMs } of slow) print(`  ${(tookMs / 1000).toFixed(1).padStart(6)} s  ${name}`);
  return add(...summaries);
}

async function vitest(
  suites: readonly string[],
  flags: readonly string[],
  output: 'inherit' | 'pipe',
): Promise<Summary> {
  const report = join(root, '.build', `test-results-${process.pid}-${output}.json`);
  mkdirSync(join(root, '.build'), { recursive: true });
  rmSync(report, { force: true });
  const outputs = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const script = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const child = spawn(process.execPath, [script, 'run', ...outputs, ...flags, ...suites], {
    cwd: root,
    stdio: ['ignore', output, output],
    // a log is read as it is, by people and by machines
    env: process.stdout.isTTY ? process.env : { ...process.env, NO_COLOR: '1' },
  });
  let told = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => (told += text));
  const exitCode = await endOf(child, report);
  if (told !== '') print(told.trimEnd());
  const summary = countReport(report, exitCode);
  rmSync(report, { force: true });
  return summary;
}

/** Resolves with vitest's exit code; null where it could not be started, or had to be ended: that is a failure. */
function endOf(child: ChildProcess, report: string): Promise<number | null> {
  return new Promise((resolve) => {
    let reportedMs = 0;
    const look = setInterval(() => {
      if (existsSync(report)) reportedMs += lookEveryMs;
      if (reportedMs < endsWithinMs) return;
      print(
        `Failed: vitest does not end, ${endsWithinMs / 1000} s after its report. Has a test left a process behind?`,
      );
      child.kill('SIGKILL');
      // what was left behind may hold them for as long as it likes
      for (const stream of [child.stdout, child.stderr]) stream?.destroy();
      end(null);
    }, lookEveryMs);
    const end = (exitCode: number | null) => {
      clearInterval(look);
      resolve(exitCode);
    };
    child.on('error', () => end(null));
    child.on('close', end);
  });
}

const selection = select(process.argv.slice(2));
let total = selection.check ? await check() : none;

const suites = suitesOf(selection, globSync('test/**/*.test.ts', { cwd: root }).toSorted());
const skipped = provide(suites, thisMachine(print));
const left = new Set(skipped.map(({ suite }) => suite));
const running = suites.filter((suite) => !left.has(suite));
if (running.length > 0) total = add(total, await runSuites(running, selection.flags));

// where everything is meant to run, a suite that does not is a failure
const inCi = process.env['CI'] === 'true';
for (const { suite, lacks, remedy, cannotRunHere } of skipped) {
  const fails = inCi && !cannotRunHere;
  print(`${fails ? 'Failed' : 'Skipped'}: ${suite} lacks ${lacks.join(', ')}. To run it: ${remedy}`);
  total = add(total, fails ? { ...none, failed: 1 } : { ...none, skipped: 1 });
}

const ranNothing = total.passed + total.failed === 0;
if (ranNothing && skipped.length === 0) print('Nothing matched: no test ran.');
process.exitCode = total.failed > 0 || ranNothing ? 1 : 0;
print(closingLine(total));
