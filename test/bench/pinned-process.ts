import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Failure } from '../../src/core/errors.ts';

/** A child process that may run on one core only, with all that it starts. */
export interface PinnedProcess {
  readonly pid: number;
  /** All that it printed so far, both streams. */
  output(): string;
  /** Its exit status, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  /** Ends it and waits until it has ended, by force after three seconds. */
  stop(): Promise<void>;
}

export interface PinnedOptions {
  /** Without it, any core. */
  readonly core?: number;
  readonly folder?: string;
  readonly environment?: { readonly [name: string]: string | undefined };
}

const running = new Set<ChildProcess>();

/** Starts a program. It ends with this process at the latest, if that calls `endAll`. */
export function startPinned(
  file: string,
  args: readonly string[],
  options: PinnedOptions = {},
): PinnedProcess {
  const { core, folder, environment } = options;
  const pin = core === undefined ? [] : ['taskset', '-c', String(core)];
  const [first, ...rest] = [...pin, file, ...args];
  const child = spawn(first!, rest, {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(folder === undefined ? {} : { cwd: folder }),
    ...(environment === undefined ? {} : { env: environment }),
  });
  if (child.pid === undefined) throw new Failure(`cannot start ${first}`, { code: 'bench-start' });
  running.add(child);
  let output = '';
  const keep = (chunk: Buffer): void => void (output = (output + chunk.toString()).slice(-100_000));
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const ended = once(child, 'close').then(([status, signal]) => {
    running.delete(child);
    return (signal ?? status) as number | NodeJS.Signals;
  });
  return {
    pid: child.pid,
    output: () => output,
    ended,
    async stop() {
      child.kill('SIGTERM');
      // Ours lets open requests finish; asked again, it ends at once.
      const again = setTimeout(() => child.kill('SIGTERM'), 500);
      const force = setTimeout(() => child.kill('SIGKILL'), 3000);
      await ended;
      clearTimeout(again);
      clearTimeout(force);
    },
  };
}

/** Tells all that still runs to end; for the end of this process, whatever brings it about. */
export function endAll(): void {
  for (const child of running) child.kill('SIGTERM');
}

/** PIDs of a process's children. */
export function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
}
