import { exitCodes, Failure } from '../core/errors.ts';
import type { Logger } from '../ports/logger.ts';
import { startChild, type Child, type WorkerCommand } from './child.ts';
import type { FromWorker, WorkerCounts, WorkerSettings } from './messages.ts';
import { restartDelayMs, settledAfterMs } from './restart-delay.ts';

export interface GenerationOptions {
  readonly number: number;
  readonly size: number;
  readonly settings: WorkerSettings;
  readonly command: WorkerCommand;
  readonly log: Logger;
  /** `slot` tells the workers of a generation apart and stays the same when one is replaced. */
  onCounts(slot: string, counts: WorkerCounts): void;
  onRestart(): void;
  /** That worker's gauges are no more. */
  onGone(slot: string): void;
}

/** A set of workers with one configuration, kept at its size until it is retired. */
export interface Generation {
  /** Resolves when every worker listens; rejects with the Failure of the first that cannot. */
  readonly ready: Promise<void>;
  /** Lets open connections finish; resolves when all workers have ended, killed after `drainDeadlineMs` if need be. */
  retire(): Promise<void>;
  /** Ends all workers at once. */
  kill(): void;
}

/** A worker has this long to load its data and listen. */
const startDeadlineMs = 20_000;
/** Idle connections end by themselves within 14 s; what is still open then is not going to finish. */
const drainDeadlineMs = 25_000;

/** A worker that is silent for so long is frozen or stuck in a loop: its share of the connections gets no answer. */
const silentMs = 10_000;
const lookEveryMs = 2000;

export function startGeneration(options: GenerationOptions): Generation {
  const { log } = options;
  const slots = Array.from({ length: options.size }, (_, index) => `${options.number}.${index + 1}`);
  const children = new Map<string, Child>();
  const waiting = new Set(slots);
  const timers = new Set<NodeJS.Timeout>();
  /** When each worker last said something; a live one tells its counts once a second. */
  const heard = new Map<string, number>();
  let isReady = false;
  let retired = false;
  const allReady = Promise.withResolvers<void>();
  const allEnded = Promise.withResolvers<void>();
  // A rejection that comes after `ready` was awaited, or when nobody does, is told by the log.
  allReady.promise.catch(() => {});

  const after = (ms: number, action: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      action();
    }, ms);
    timers.add(timer);
  };

  const start = (slot: string, deathsInARow: number): void => {
    let refused: Failure | undefined;
    const child = startChild(options.command, options.settings, {
      message(message: FromWorker) {
        heard.set(slot, performance.now());
        if (message.type === 'counts') return options.onCounts(slot, message.counts);
        if (message.type === 'refused') {
          const { message: text, code, remedy, exitCode } = message.failure;
          refused = new Failure(text, { code, exitCode, ...(remedy === undefined ? {} : { remedy }) });
          return;
        }
        log.info({ worker: slot, workerPid: child.pid }, 'worker is ready');
        waiting.delete(slot);
        if (waiting.size > 0) return;
        isReady = true;
        allReady.resolve();
      },
      ended(how) {
        children.delete(slot);
        options.onGone(slot);
        if (retired) {
          if (children.size === 0) allEnded.resolve();
          return;
        }
        if (!isReady) {
          allReady.reject(
            refused ??
              new Failure(`a worker ended before it was ready (${how})`, {
                code: 'worker-died',
                remedy: 'The lines above in the log say why.',
                exitCode: exitCodes.fault,
              }),
          );
          return;
        }
        const settled = performance.now() - child.startedAt >= settledAfterMs;
        const deaths = settled ? 0 : deathsInARow;
        const delayMs = restartDelayMs(deaths);
        log.error(
          { worker: slot, workerPid: child.pid, why: refused?.message ?? how, restartInMs: delayMs },
          'worker ended, starting another',
        );
        options.onRestart();
        after(delayMs, () => start(slot, deaths + 1));
      },
    });
    children.set(slot, child);
    heard.set(slot, performance.now());
  };

  let lastLook = performance.now();
  const watch = setInterval(() => {
    const now = performance.now();
    // When this process itself was held up, the workers' words are still waiting to be read.
    const wasHeldUp = now - lastLook > 2 * lookEveryMs;
    lastLook = now;
    for (const [slot, child] of wasHeldUp ? [] : children) {
      if (now - heard.get(slot)! < silentMs) continue;
      log.error(
        { worker: slot, workerPid: child.pid },
        `worker has said nothing for ${silentMs / 1000} s, ending it`,
      );
      child.kill();
    }
  }, lookEveryMs);

  const stop = (): void => {
    retired = true;
    clearInterval(watch);
    for (const timer of timers) clearTimeout(timer);
    timers.clear();
    if (children.size === 0) allEnded.resolve();
  };

  for (const slot of slots) start(slot, 0);
  after(startDeadlineMs, () => {
    if (waiting.size === 0) return;
    allReady.reject(
      new Failure(
        `${waiting.size} of ${options.size} workers did not start within ${startDeadlineMs / 1000} s`,
        {
          code: 'workers-slow',
          remedy: 'The host may be overloaded; the log says what the workers were doing.',
          retryable: true,
        },
      ),
    );
  });

  return {
    ready: allReady.promise,
    async retire() {
      stop();
      for (const child of children.values()) child.drain();
      const deadline = setTimeout(() => {
        log.warn(
          { workers: [...children.keys()] },
          'connections were still open at the deadline; ending them',
        );
        for (const child of children.values()) child.kill();
      }, drainDeadlineMs);
      await allEnded.promise;
      clearTimeout(deadline);
    },
    kill() {
      stop();
      allReady.reject(
        new Failure('the workers were ended before they were ready', { code: 'workers-ended' }),
      );
      for (const child of children.values()) child.kill();
    },
  };
}
