import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { runHook, type HookRun } from '../../src/certificates/hook.ts';
import { until } from '../support/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'hook-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

let count = 0;
function script(body: string, mode = 0o755): string {
  const file = join(folder, `hook-${++count}`);
  writeFileSync(file, `#!/bin/sh\n${body}\n`);
  chmodSync(file, mode);
  return file;
}

const run = (file: string, more: Partial<HookRun> = {}) =>
  runHook({
    file,
    arguments: [],
    environment: {},
    timeoutMs: 10_000,
    signal: AbortSignal.timeout(20_000),
    ...more,
  });

const alive = (pid: number) => {
  try {
    // a zombie that nobody waited for counts as gone
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
};

test('a hook gets its arguments and PATH, HOME and its own variables only', async () => {
  process.env['SECRET_OF_THE_SERVICE'] = 'x';
  const output = await run(script('echo "$1 $2"; env | cut -d= -f1 | sort | xargs'), {
    arguments: ['auth', 'a b'],
    environment: { CERTBOT_DOMAIN: 'a.example' },
  });
  const [line, variables] = output.split('\n');
  expect(line).toBe('auth a b');
  // sh itself sets PWD and its like
  const own = variables!.split(' ').filter((name) => !['PWD', 'SHLVL', '_', 'OLDPWD'].includes(name));
  expect(own).toEqual(['CERTBOT_DOMAIN', 'HOME', 'PATH']);
});

test('a hook that fails shows its status and the last lines that it wrote', async () => {
  const file = script('for n in 1 2 3 4 5 6 7; do printf "line $n\\033[31m\\n" >&2; done; exit 3');
  const failure = await run(file).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'hook-failed', retryable: true });
  expect(String(failure)).toContain(`${file} ended with status 3:\nline 3 [31m\n`);
  expect(String(failure)).not.toContain('line 2');
});

test('a hook without an interpreter is run by the shell', async () => {
  const file = script('');
  writeFileSync(file, 'echo plain');
  expect(await run(file)).toBe('plain');
});

test('a hook that takes too long is ended with its children, even when they ignore SIGTERM', async () => {
  const pids = join(folder, 'pids');
  const file = script(`trap '' TERM; sleep 1000 & echo $! $$ > ${pids}; wait; sleep 1000`);
  const failure = await run(file, { timeoutMs: 2000 }).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'hook-timeout' });
  const left = readFileSync(pids, 'utf8').trim().split(' ').map(Number);
  await until('all of them are gone', () => !left.some(alive));
});

test('what a hook leaves in the background ends with it and does not delay its result', async () => {
  const before = performance.now();
  const pid = Number(await run(script('sleep 1000 & echo $!')));
  expect(performance.now() - before).toBeLessThan(5000);
  await until('the child is gone', () => !alive(pid));
});

test('aborting ends the hook and rejects with the reason', async () => {
  const started = join(folder, 'started');
  const stop = new AbortController();
  const running = run(script(`touch ${started}; exec sleep 1000`), { signal: stop.signal });
  running.catch(() => {});
  await until('it runs', () => {
    try {
      return readFileSync(started) !== undefined;
    } catch {
      return false;
    }
  });
  stop.abort(new Error('the service stops'));
  await expect(running).rejects.toThrow('the service stops');
});

test('more output than anybody reads neither blocks the hook nor fills the memory', async () => {
  const output = await run(script('head -c 3000000 /dev/zero | tr "\\\\0" x; echo end'));
  expect(output.length).toBeLessThanOrEqual(64 * 1024);
  expect(output.endsWith('end')).toBe(true);
});

test('a hook that others could have written is not run, and the message names the path', async () => {
  const writable = script('echo no', 0o777);
  await expect(run(writable)).rejects.toMatchObject({
    code: 'hook-unsafe',
    remedy: `chmod go-w ${writable}`,
  });
  const open = join(folder, 'open');
  mkdirSync(open);
  chmodSync(open, 0o777);
  writeFileSync(join(open, 'hook'), '#!/bin/sh\n', { mode: 0o755 });
  await expect(run(join(open, 'hook'))).rejects.toMatchObject({
    code: 'hook-unsafe',
    remedy: `chmod go-w ${open}`,
  });
});

test.runIf(process.getuid!() === 0)('a hook that belongs to another user is not run', async () => {
  const file = script('echo no');
  chownSync(file, 65534, 65534);
  await expect(run(file)).rejects.toMatchObject({ code: 'hook-unsafe', remedy: `chown root ${file}` });
});

test.each([
  ['hook.sh', 'no absolute path'],
  ['/nowhere/hook', 'cannot be found'],
  [folder, 'is no file'],
])('%s is refused: %s', async (file, reason) => {
  await expect(run(file)).rejects.toThrow(reason);
});

test('a file without the right to execute it is refused', async () => {
  await expect(run(script('', 0o644))).rejects.toThrow('may not be executed');
});
