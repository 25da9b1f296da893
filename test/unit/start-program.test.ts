import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { startProgram } from '../../src/core/start-program.ts';

const src = join(import.meta.dirname, '../../src');

it('a program for which Node throws is told by its event, as any other that cannot be started', async () => {
  const child = startProgram('/bin/true', ['x'.repeat(200_000)], { stdio: 'pipe' });
  const [error] = (await once(child, 'close').catch((reason: unknown) => [reason])) as [Error];
  expect(error).toMatchObject({ code: 'E2BIG' });
  expect([child.pid, child.kill()]).toEqual([undefined, false]);
});

it('a process without descriptors is told that none can be started, and lives on', async () => {
  const script = `
    import { openSync } from 'node:fs';
    import { runHook } from '${src}/certificates/hook.ts';
    import { runProgram } from '${src}/host/run-program.ts';
    import { runShellLine } from '${src}/adapters/shell-line.ts';
    const { signal } = new AbortController();
    const usual = { environment: {}, timeoutMs: 5000, signal };
    const all = [];
    try { for (;;) all.push(openSync('/dev/null')); } catch {}
    const told = (await Promise.allSettled([
      runProgram('/bin/true', []),
      runHook({ file: '/bin/true', arguments: [], ...usual }),
    ])).map(({ status }) => status);
    const trouble = await runShellLine({ command: 'true', input: '', ...usual });
    setTimeout(() => console.log([...told, trouble.words].join(', ')), 50);`;
  const { stdout } = await promisify(execFile)('sh', [
    '-c',
    'ulimit -n 60; exec "$0" --input-type=module-typescript --eval "$1"',
    process.execPath,
    script,
  ]);
  expect(stdout).toBe('rejected, rejected, could not be started\n');
});

it('who dials the claim of a port costs no descriptor', async () => {
  const { heldPort } = await import('../../src/supervisor/port-claim.ts');
  const holder = createServer().listen({ path: `\0claim-${process.pid}` });
  await once(holder, 'listening');
  const claim = heldPort('127.0.0.1', 1, holder);
  const caller = connect(`\0claim-${process.pid}`);
  caller.on('error', () => {});
  await once(caller, 'close');
  claim.release();
});
