import { monitorEventLoopDelay } from 'node:perf_hooks';
import { exitCodes, Failure, reasonOf } from '../core/errors.ts';
import type { Counter } from '../http/counts.ts';
import type { Server } from '../http/server.ts';
import type { FromWorker, ToldFailure, ToWorker, WorkerSettings } from './messages.ts';

export interface WorkerService {
  readonly server: Server;
  readonly counter: Counter;
}

const countsEveryMs = 1000;
const orphanCheckEveryMs = 500;

/**
 * The life of a worker process: told its settings, it serves, tells its counts once a second, drains when told
 * to, and ends when its supervisor is gone. Signals for the whole group (Ctrl-C, a closed terminal) are the
 * supervisor's to act on. Resolves when the process may end.
 */
export function runWorker(start: (settings: WorkerSettings) => WorkerService): Promise<void> {
  const { send } = process;
  if (send === undefined) {
    throw new Failure('"worker" is started by "appliance serve", not by hand', {
      code: 'usage',
      remedy: 'Run "appliance serve".',
      exitCode: exitCodes.usage,
    });
  }
  const tell = (message: FromWorker, then: () => void = () => {}): void => {
    if (process.connected) process.send?.(message, undefined, undefined, then);
    else then();
  };
  process.on('SIGINT', () => {});
  process.on('SIGHUP', () => {});

  return new Promise((resolve) => {
    let service: WorkerService | undefined;
    const loopDelay = monitorEventLoopDelay({ resolution: 20 });
    const tellCounts = (then?: () => void): void => {
      if (service === undefined) return then?.();
      const loopDelaySeconds = loopDelay.percentile(99) / 1e9;
      loopDelay.reset();
      tell({ type: 'counts', counts: { ...service.counter.take(), loopDelaySeconds } }, then);
    };
    const drain = (): void => {
      if (service === undefined) resolve();
      else service.server.drain(() => tellCounts(resolve));
    };
    let supervisor: number | undefined;
    const endIfOrphaned = (): void => {
      // The channel closes too when the supervisor becomes a newer program in place; its PID tells the two apart.
      // Without a channel and without a word from it, it died before it could say anything.
      if (supervisor === undefined ? !process.connected : process.ppid !== supervisor) resolve();
    };

    process.on('message', (message: ToWorker) => {
      if (message.type === 'drain') return drain();
      supervisor = message.supervisor;
      try {
        service = start(message.settings);
      } catch (error) {
        return tell({ type: 'refused', failure: toldFailure(error) }, resolve);
      }
      loopDelay.enable();
      setInterval(tellCounts, countsEveryMs);
      tell({ type: 'ready' });
    });
    process.on('SIGTERM', drain);
    // The kernel may close the channel a moment before it gives the worker a new parent.
    process.on('disconnect', () => setInterval(endIfOrphaned, 20));
    setInterval(endIfOrphaned, orphanCheckEveryMs);
  });
}

function toldFailure(error: unknown): ToldFailure {
  if (error instanceof Failure) {
    const { message, code, remedy, exitCode } = error;
    return { message, code, remedy, exitCode };
  }
  return { message: reasonOf(error), code: 'fault', exitCode: exitCodes.fault };
}
