// `npm test`: the check, then every suite that can run here; what cannot is named. The last line counts it all.
import { spawn } from 'node:child_process';
import { globSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runChecks } from '../build/checks.ts';
import { lanesOf } from './support/lanes.ts';
import { select, suitesOf } from './support/selection.ts';
import { add, closingLine, countReport, type Counts, slowestOf, type Summary } from './support/summary.ts';
import { provide, thisMachine } from './support/system-programs.ts';

const root = join(import.meta.dirname, '..');
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
  const exitCode = await new Promise<number | null>((resolve) => {
    child.on('error', () => resolve(null));
    child.on('close', resolve);
  });
  if (told !== '') print(told.trimEnd());
  const summary = countReport(report, exitCode);
  rmSync(report, { force: true });
  return summary;
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
