import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exitCodes } from '../../src/core/errors.ts';
import { type HeldLock, takeLock } from '../../src/core/file-lock.ts';
import { randomNumbers } from '../support/random-numbers.ts';
import { until } from '../support/until.ts';

const contender = join(import.meta.dirname, '..', 'support', 'lock-contender.ts');

let base: string;
let path: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'file-lock-'));
  path = join(base, '.lock');
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const take = (options: { expiryMs?: number; brief?: boolean; now?: () => number } = {}) =>
  takeLock({ path, subject: 'the things', holder: 'a test', ...options });
const lockedBy = (holder: RegExp) => ({
  code: 'locked',
  exitCode: exitCodes.locked,
  message: expect.stringMatching(holder) as string,
});

describe('processes that compete', () => {
  it('never hold the lock at once, whoever of them is killed or stopped at any moment', async () => {
    const next = randomNumbers(4);
    const counts = { held: 0, 'two holders': 0 };
    const failures: string[] = [];
    const start = () => {
      const child = spawn(process.execPath, [contender, path, base], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      createInterface(child.stdout).on('line', (line) => {
        if (line in counts) counts[line as keyof typeof counts]++;
        else failures.push(line);
      });
      return child;
    };
    const children: ChildProcess[] = Array.from({ length: 5 }, start);
    const any = () => Math.floor(next() * children.length);
    try {
      for (let kill = 0; kill < 80; kill++) {
        const before = counts.held;
        await until('the lock to go round', () => counts.held > before + 3);
        await wait(next() * 10);
        // the holder, mostly: then all others are about to take its lock away when one of them is stopped
        const holder = children.findIndex(({ pid }) => pid === holderOf(path));
        const killed = holder < 0 ? any() : holder;
        children[killed]!.kill('SIGKILL');
        const stopped = children[any()]!;
        const stopAt = performance.now() + next() * 2;
        while (performance.now() < stopAt);
        stopped.kill('SIGSTOP');
        children[killed] = start();
        await wait(next() * 30);
        stopped.kill('SIGCONT');
      }
    } finally {
      for (const child of children) child.kill('SIGKILL');
      await until('all to end', () =>
        children.every((child) => child.signalCode !== null || child.exitCode !== null),
      );
    }
    expect(failures).toEqual([]);
    expect(counts['two holders']).toBe(0);
    expect(counts.held).toBeGreaterThan(240);
    await (await take()).release();
    expect(readdirSync(base).filter((name) => !name.endsWith('.tmp'))).toEqual([]);
  });
});

function holderOf(path: string): unknown {
  try {
    const text = readFileSync(join(path, readdirSync(path)[0] ?? ''), 'utf8');
    return (JSON.parse(text) as { pid: unknown }).pid;
  } catch {
    return undefined;
  }
}

describe('a holder that stands still', () => {
  it('keeps the lock until its time is over, then loses it to the next and is told', async () => {
    const program = `
      import { takeLock } from '${join(import.meta.dirname, '../../src/core/file-lock.ts')}';
      const lock = await takeLock({ path: process.argv[1], subject: 'x', holder: 'the sleeper', expiryMs: 6000 });
      lock.signal.addEventListener('abort', () => { console.log(lock.signal.reason.code); });
      setInterval(() => {}, 1000);
      console.log('held');`;
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', program, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      const said: string[] = [];
      createInterface(child.stdout).on('line', (line) => said.push(line));
      await until('it to hold the lock', () => said.includes('held'));
      // it renews for longer than one life of the lock
      const since = performance.now();
      while (performance.now() - since < 9000) {
        await expect(take({ expiryMs: 6000 })).rejects.toMatchObject(lockedBy(/the sleeper/));
        await wait(50);
      }
      child.kill('SIGSTOP');
      await expect(take({ expiryMs: 6000 })).rejects.toMatchObject(lockedBy(/the sleeper/));
      let lock: HeldLock | undefined;
      await until('its time to be over', async () => {
        lock = await take().catch(() => undefined);
        return lock !== undefined;
      });
      child.kill('SIGCONT');
      await until('it to be told', () => said.includes('lock-lost'));
      await lock!.check();
      await expect(take()).rejects.toMatchObject(lockedBy(/a test/));
      await lock!.release();
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('is aborted, not put back, when somebody took its lock away', async () => {
    const lock = await take({ expiryMs: 400 });
    rmSync(path, { recursive: true });
    const other = await take();
    await until('it to be told', () => lock.signal.aborted);
    expect(lock.signal.reason).toMatchObject({ code: 'lock-lost', retryable: true });
    await expect(lock.check()).rejects.toMatchObject({ code: 'lock-lost' });
    await lock.release();
    await other.check();
    await other.release();
  });
});

describe('a lock that was left behind', () => {
  const record = () => ({
    holder: 'somebody',
    pid: process.pid,
    host: 'elsewhere',
    bootId: 'another',
    pidNamespace: 'pid:[1]',
    startTime: '1',
    since: new Date().toISOString(),
    expiresAt: new Date(Date.now() + 50_000).toISOString(),
    expiresAtMonotonic: '0000000000000001',
    brief: false,
  });
  const leave = (content: object | string) => {
    mkdirSync(path, { recursive: true });
    const file = join(path, 'abc');
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
    return file;
  };

  it('by another host holds until its time is over', async () => {
    leave(record());
    await expect(take()).rejects.toMatchObject(lockedBy(/somebody \(process \d+ on elsewhere\) since 20/));
    await (await take({ now: () => Date.now() + 51_000 })).release();
  });

  it('by a host whose clock is years ahead does not hold for years', async () => {
    leave({ ...record(), expiresAt: '2036-01-01T00:00:00.000Z' });
    await (await take()).release();
  });

  it('by a process of this host whose number now is another process is free at once', async () => {
    const held = await take();
    const file = join(path, readdirSync(path)[0]!);
    const own = JSON.parse(readFileSync(file, 'utf8')) as object;
    await held.release();
    leave({ ...own, startTime: '1' });
    await (await take()).release();
    const ended = spawn('true');
    await once(ended, 'exit');
    leave({ ...own, pid: ended.pid });
    await (await take()).release();
    leave({ ...own, pidNamespace: 'pid:[1]' });
    await expect(take()).rejects.toMatchObject(lockedBy(/a test/));
  });

  it.each(['', 'junk', '{}', '[]', 'null', '{"pid":-1}', JSON.stringify({ ...record(), pid: 0 })])(
    'in a damaged state is free after a minute: %s',
    async (content) => {
      const file = leave(content);
      await expect(take()).rejects.toMatchObject(lockedBy(/another process/));
      const old = Date.now() / 1000 - 61;
      utimesSync(file, old, old);
      await (await take()).release();
    },
  );

  it('as an empty folder is free', async () => {
    mkdirSync(path);
    await (await take()).release();
  });

  it('is refused by name where it is a file', async () => {
    writeFileSync(path, 'x');
    await expect(take()).rejects.toMatchObject({
      code: 'store-unwritable',
      message: `cannot write ${path}: not a directory`,
    });
  });
});

it('a holder that is brief is waited for', async () => {
  const brief = await take({ brief: true });
  const waiting = take();
  await wait(120);
  await brief.release();
  await (await waiting).release();
});

it('the lock is for its owner alone, and says who holds it', async () => {
  const lock = await take();
  const text = readFileSync(join(path, readdirSync(path)[0]!), 'utf8');
  expect(JSON.parse(text)).toMatchObject({ holder: 'a test', pid: process.pid });
  await lock.release();
  expect(readdirSync(base)).toEqual([]);
});
