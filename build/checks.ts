import { spawn } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');

export interface Check {
  readonly name: string;
  /** What it looks for, in a few words. */
  readonly finds: string;
  /** A script below node_modules and its arguments. */
  readonly command: readonly string[];
}

export interface CheckResult {
  readonly check: Check;
  readonly ok: boolean;
  readonly tookMs: number;
  readonly output: string;
}

/** The linter sees no file that is not named here. */
export const lintedPaths = ['src', 'build', 'test', 'oxlint.config.ts', 'vitest.config.ts'];

export const checks: readonly Check[] = [
  { name: 'types', finds: 'type errors', command: ['typescript/bin/tsc', '-p', '.'] },
  {
    name: 'lint',
    finds: 'mistakes and imports against the direction',
    command: ['oxlint/bin/oxlint', ...lintedPaths],
  },
  {
    name: 'format',
    finds: 'files that prettier would change',
    command: ['prettier/bin/prettier.cjs', '--check', '.'],
  },
  {
    name: 'dead code',
    finds: 'unused files, exports and dependencies',
    command: ['knip/bin/knip.js', '--no-progress'],
  },
];

/** Runs one check to its end; never throws: a tool that cannot start is a failed check with the reason as output. */
export async function runCheck(check: Check, folder = root): Promise<CheckResult> {
  const started = performance.now();
  const [script = '', ...args] = check.command;
  const child = spawn(process.execPath, [join(root, 'node_modules', script), ...args], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' },
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
  const ok = await new Promise<boolean>((resolve) => {
    child.on('error', (error) => {
      output += error.message;
      resolve(false);
    });
    child.on('close', (code) => resolve(code === 0));
  });
  return { check, ok, tookMs: performance.now() - started, output };
}

/** Runs all of them at once, printing a line as each ends and the output of those that fail. */
export async function runChecks(print: (line: string) => void): Promise<readonly CheckResult[]> {
  const one = async (check: Check) => {
    const result = await runCheck(check);
    const seconds = (result.tookMs / 1000).toFixed(1);
    print(`${result.ok ? '✓' : '✗'} ${check.name.padEnd(10)} ${seconds.padStart(5)} s   ${check.finds}`);
    return result;
  };
  const results = await Promise.all(checks.map(one));
  for (const { check, ok, output } of results) {
    if (!ok)
      print(
        `\n${check.name} (node_modules/.bin/node node_modules/${check.command.join(' ')}):\n${output.trim()}`,
      );
  }
  return results;
}
