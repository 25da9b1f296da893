// `npm test`: the check, then every suite that can run here; what cannot is named. The last line counts it all.
import { spawn } from 'node:child_process';
import { globSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runChecks } from '../build/checks.ts';
import { select, suitesOf } from './support/selection.ts';
import { add, closingLine, countReport, type Counts } from './support/summary.ts';
import { provide, thisMachine } from './support/system-programs.ts';

const root = join(import.meta.dirname, '..');
const none: Counts = { passed: 0, failed: 0, skipped: 0 };
const print = (line: string) => console.log(line);

async function check(): Promise<Counts> {
  const results = await runChecks(print);
  const passed = results.filter(({ ok }) => ok).length;
  return { passed, failed: results.length - passed, skipped: 0 };
}

async function vitest(suites: readonly string[], flags: readonly string[]): Promise<Counts> {
  const report = join(root, '.build', `test-results-${process.pid}.json`);
  mkdirSync(join(root, '.build'), { recursive: true });
  rmSync(report, { force: true });
  const outputs = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const script = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const child = spawn(process.execPath, [script, 'run', ...outputs, ...flags, ...suites], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    // a log is read as it is, by people and by machines
    env: process.stdout.isTTY ? process.env : { ...process.env, NO_COLOR: '1' },
  });
  const exitCode = await new Promise<number | null>((resolve) => {
    child.on('error', () => resolve(null));
    child.on('close', resolve);
  });
  const { slowest, ...counts } = countReport(report, exitCode);
  rmSync(report, { force: true });
  const slow = slowest.filter(({ tookMs }) => tookMs >= 1000);
  if (slow.length > 0) print('Slowest tests:');
  for (const { name, tookMs } of slow) print(`  ${(tookMs / 1000).toFixed(1).padStart(6)} s  ${name}`);
  return counts;
}

const selection = select(process.argv.slice(2));
let total = selection.check ? await check() : none;

const suites = suitesOf(selection, globSync('test/**/*.test.ts', { cwd: root }).toSorted());
const skipped = provide(suites, thisMachine(print));
const left = new Set(skipped.map(({ suite }) => suite));
const running = suites.filter((suite) => !left.has(suite));
if (running.length > 0) total = add(total, await vitest(running, selection.flags));

// where everything is meant to run, a suite that does not is a failure
const inCi = process.env['CI'] === 'true';
for (const { suite, lacks, remedy } of skipped) {
  print(`${inCi ? 'Failed' : 'Skipped'}: ${suite} lacks ${lacks.join(', ')}. To run it: ${remedy}`);
}
total = add(total, inCi ? { ...none, failed: skipped.length } : { ...none, skipped: skipped.length });

const ranNothing = total.passed + total.failed === 0;
if (ranNothing && skipped.length === 0) print('Nothing matched: no test ran.');
process.exitCode = total.failed > 0 || ranNothing ? 1 : 0;
print(closingLine(total));
