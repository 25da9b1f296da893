import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import type { CacheNamespace } from '../../src/ports/cache.ts';
import { type CachePlace, openCache } from '../support/cache-client.ts';
import { startRedis } from '../support/redis.ts';

/**
 * Prints what the caches do in a second and how long the slowest in a hundred takes, with 16 asking at a time, and
 * what a locked SQLite file does to the loop: `node test/bench/cache.ts`.
 */
const callers = 16;
const secondsEach = 2;
const lockedSeconds = 5;
const value = 'x'.repeat(300);

const operations: Readonly<Record<string, (space: CacheNamespace, index: number) => Promise<unknown>>> = {
  set: (space, index) => space.set(`key-${index % 5000}`, value),
  get: (space, index) => space.get(`key-${index % 5000}`),
  increment: (space, index) => space.increment(`count-${index % 100}`),
};

async function measure(name: string, place: CachePlace): Promise<void> {
  const cache = openCache(place);
  const space = cache.namespace({ name: 'bench', maxEntries: 10_000, maxValueBytes: 1000, mustKeep: true });
  await space.get('connected');
  for (const [operation, run] of Object.entries(operations)) {
    const took: number[] = [];
    const end = performance.now() + secondsEach * 1000;
    const caller = async (): Promise<void> => {
      for (let now = performance.now(); now < end;) {
        await run(space, took.length);
        const after = performance.now();
        took.push(after - now);
        now = after;
      }
    };
    await Promise.all(Array.from({ length: callers }, caller));
    took.sort((a, b) => a - b);
    const p99 = took[Math.floor(took.length * 0.99)]!.toFixed(2);
    process.stdout.write(`${name} ${operation}: ${Math.round(took.length / secondsEach)}/s, p99 ${p99} ms\n`);
  }
  await cache.close();
}

/** The longest that the loop was late, milliseconds, with a set and a get every 10 ms. */
async function loopDelay(space: CacheNamespace, seconds: number): Promise<{ longest: number; p99: number }> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const end = performance.now() + seconds * 1000;
  const asked: Promise<unknown>[] = [];
  while (performance.now() < end) {
    asked.push(space.set('a', value), space.get('a'));
    await wait(10);
  }
  await Promise.all(asked);
  delay.disable();
  return { longest: delay.max / 1e6, p99: delay.percentile(99) / 1e6 };
}

async function locked(dataDir: string): Promise<void> {
  const cache = openCache({ dataDir });
  const space = cache.namespace({ name: 'bench', maxEntries: 10_000, maxValueBytes: 1000 });
  await space.set('a', value);
  const free = await loopDelay(space, lockedSeconds);
  const program = `
    const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
    new DatabaseSync(process.argv[1], { timeout: 5000 }).exec('BEGIN EXCLUSIVE');
    process.stdout.write('locked');
    process.stdin.resume().on('end', () => process.exit());`;
  const holder = spawn(process.execPath, ['-e', program, join(dataDir, 'state.sqlite')]);
  await once(holder.stdout, 'data');
  const held = await loopDelay(space, lockedSeconds);
  const { words } = cache.state();
  holder.stdin.end();
  await once(holder, 'close');
  const text = ({ longest, p99 }: typeof free) =>
    `p99 ${p99.toFixed(1)} ms, longest ${longest.toFixed(1)} ms late`;
  process.stdout.write(
    `loop, file free: ${text(free)}\nloop, file locked for ${lockedSeconds} s: ${text(held)}\n`,
  );
  process.stdout.write(`meanwhile: ${words}\n`);
  await cache.close();
}

const dataDir = mkdtempSync(join(tmpdir(), 'cache-bench-'));
const server = await startRedis();
try {
  const place = { database: 0, password: undefined, port: server.port } as const;
  await measure('Redis over TCP', { ...place, connectionType: 'redis', hosts: ['127.0.0.1'] });
  await measure('Redis over a Unix socket', { ...place, connectionType: 'unix', hosts: [server.socket] });
  await measure('SQLite', { dataDir });
  await locked(dataDir);
} finally {
  await server.stop();
  rmSync(dataDir, { recursive: true, force: true });
}
