import { monitorEventLoopDelay } from 'node:perf_hooks';
import { exitCodes, Failure } from '../core/errors.ts';
import { createTurns } from '../core/turns.ts';
import type { Counter } from '../http/counts.ts';
import type { PlainServer } from '../http/plain-server.ts';
import type { PublicServer } from '../http/public-server.ts';
import type { VisitBatch } from '../ports/visit-batch.ts';
import type { DescriptorWatch } from './descriptor-watch.ts';
import {
  type EditionInUse,
  type FromWorker,
  toldFailure,
  type ToWorker,
  type WorkerChange,
  type WorkerSettings,
} from './messages.ts';

export interface WorkerService {
  readonly server: PublicServer;
  /** Where its supervisor asks whether it answers. */
  readonly checkServer: PlainServer;
  readonly counter: Counter;
  readonly isOutOfDescriptors: DescriptorWatch;
  /** What there were of visits since the last call. */
  takeVisits(): VisitBatch | undefined;
  /** Why not every certificate is served over HTTPS. */
  readonly withoutTls: unknown;
  readonly editions: readonly EditionInUse[];
  /** Rejects with a Failure when the change cannot be made; then all is as before. */
  change(change: WorkerChange): Promise<void>;
}

const countsEveryMs = 1000;
const orphanCheckEveryMs = 500;

/**
 * The life of a worker process: told its settings, it serves, tells its counts once a second, drains when told
 * to, and ends when its supervisor is gone. Signals for the whole group (Ctrl-C, a closed terminal, `timeout`) are
 * the supervisor's to act on. Resolves when the process may end.
 */
export function runWorker(start: (settings: WorkerSettings) => Promise<WorkerService>): Promise<void> {
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
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});

  return new Promise((resolve) => {
    let service: WorkerService | undefined;
    const loopDelay = monitorEventLoopDelay({ resolution: 20 });
    const tellCounts = (then?: () => void): void => {
      if (service === undefined) return then?.();
      const loopDelaySeconds = loopDelay.percentile(99) / 1e9;
      loopDelay.reset();
      tell(
        {
          type: 'counts',
          counts: {
            ...service.counter.take(),
            loopDelaySeconds,
            visits: service.takeVisits(),
            outOfDescriptors: service.isOutOfDescriptors() || undefined,
          },
        },
        then,
      );
    };
    const drain = (): void => {
      if (service === undefined) return resolve();
      service.checkServer.close();
      service.server.drain(() => tellCounts(resolve));
    };
    let supervisor: number | undefined;
    const endIfOrphaned = (): void => {
      // The channel closes too when the supervisor becomes a newer program in place; its PID tells the two apart.
      // Without a channel and without a word from it, it died before it could say anything.
      if (supervisor === undefined ? !process.connected : process.ppid !== supervisor) resolve();
    };

    const begin = async (settings: WorkerSettings): Promise<void> => {
      try {
        service = await start(settings);
      } catch (error) {
        return tell({ type: 'refused', failure: toldFailure(error) }, resolve);
      }
      loopDelay.enable();
      setInterval(tellCounts, countsEveryMs);
      const { withoutTls, editions, checkServer } = service;
      tell({
        type: 'ready',
        checkPort: checkServer.port,
        editions,
        ...(withoutTls === undefined ? {} : { withoutTls: toldFailure(withoutTls) }),
      });
    };
    const make = async (id: number, change: WorkerChange): Promise<void> => {
      try {
        await service?.change(change);
        tell({ type: 'changed', id });
      } catch (error) {
        tell({ type: 'changed', id, failure: toldFailure(error) });
      }
    };

    // One after the other: a change may come while the one before, or the start, is still under way.
    const inTurn = createTurns();
    process.on('message', (message: ToWorker) => {
      switch (message.type) {
        case 'drain':
          return drain();
        case 'start':
          supervisor = message.supervisor;
          void inTurn(() => begin(message.settings));
          return;
        case 'change':
          void inTurn(() => make(message.id, message.change));
      }
    });
    // The kernel may close the channel a moment before it gives the worker a new parent.
    process.on('disconnect', () => setInterval(endIfOrphaned, 20));
    setInterval(endIfOrphaned, orphanCheckEveryMs);
  });
}
