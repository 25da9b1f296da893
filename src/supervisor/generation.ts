import { exitCodes, Failure } from '../core/errors.ts';
import type { Logger } from '../ports/logger.ts';
import { startChild, type Child, type WorkerCommand } from './child.ts';
import {
  type EditionInUse,
  failureOf,
  type FromWorker,
  type ToldFailure,
  type WorkerChange,
  type WorkerCounts,
  type WorkerSettings,
} from './messages.ts';
import { restartDelayMs, settledAfterMs } from './restart-delay.ts';
import { askWorker } from './worker-check.ts';

export interface GenerationOptions {
  readonly number: number;
  readonly size: number;
  readonly settings: WorkerSettings;
  readonly command: WorkerCommand;
  readonly log: Logger;
  /** `slot` tells the workers of a generation apart and stays the same when one is replaced. */
  onCounts(slot: string, counts: WorkerCounts): void;
  onRestart(): void;
  /** A worker that took the place of another does not serve every certificate, and why. */
  onWithoutTls(failure: Failure): void;
  /** A worker is ready, and answers from these. */
  onReady(editions: readonly EditionInUse[]): void;
  /** That worker's gauges are no more. */
  onGone(slot: string): void;
}

/** One worker that lives. */
export interface WorkerState {
  readonly pid: number;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** How often the worker in this place died and was replaced. */
  readonly restarts: number;
}

/** What came of asking each worker of a generation for an answer. */
export interface SelfCheck {
  /** How many there should be. */
  readonly workers: number;
  /** How many of them answered, or could not be asked. */
  readonly answering: number;
}

/** A set of workers with one configuration, kept at its size until it is retired. */
export interface Generation {
  /** Resolves when every worker listens; rejects with the Failure of the first that cannot. */
  readonly ready: Promise<void>;
  /** Why one of them does not serve every certificate. */
  readonly withoutTls: Failure | undefined;
  workers(): readonly WorkerState[];
  /** Asks each worker for a record of whoami, and waits for `withinMs` at most. Never rejects. */
  selfCheck(withinMs: number): Promise<SelfCheck>;
  /**
   * Makes a change in every worker, and in those that take their places later. Resolves when all that live hold it;
   * rejects with the Failure of the first that cannot.
   */
  change(change: WorkerChange): Promise<void>;
  /** Lets open connections finish; resolves when all workers have ended, killed after `drainDeadlineMs` if need be. */
  retire(): Promise<void>;
  /** Ends all workers at once. */
  kill(): void;
}

/** A worker has this long to load its data and listen. */
const startDeadlineMs = 20_000;
/** Idle connections end by themselves within 14 s; what is still open then is not going to finish. */
const drainDeadlineMs = 25_000;

/** A worker that gives no answer for so long is frozen or stuck: its share of the connections gets none either. */
const silentMs = 10_000;
const lookEveryMs = 2000;

export function startGeneration(options: GenerationOptions): Generation {
  const { log } = options;
  const slots = Array.from({ length: options.size }, (_, index) => `${options.number}.${index + 1}`);
  const children = new Map<string, Child>();
  const waiting = new Set(slots);
  const timers = new Set<NodeJS.Timeout>();
  /** When each worker was last known to be well: when it started, and whenever it answered. */
  const wellAt = new Map<Child, number>();
  /** Where each that is ready can be asked. */
  const checkPorts = new Map<Child, number>();
  /** Those that last said so. */
  const withoutDescriptors = new Set<Child>();
  let settings = options.settings;
  let changes = 0;
  /** Whom an answer is still awaited from, by slot and number of the change. */
  const asked = new Map<string, (failure?: ToldFailure) => void>();
  const restarts = new Map<string, number>();
  let isReady = false;
  let withoutTls: Failure | undefined;
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
    const child = startChild(options.command, settings, {
      message(message: FromWorker) {
        if (message.type === 'counts') {
          if (message.counts.outOfDescriptors === true) withoutDescriptors.add(child);
          else withoutDescriptors.delete(child);
          return options.onCounts(slot, message.counts);
        }
        if (message.type === 'changed') return asked.get(`${slot} ${message.id}`)?.(message.failure);
        if (message.type === 'refused') {
          refused = failureOf(message.failure);
          return;
        }
        log.info({ worker: slot, workerPid: child.pid }, 'worker is ready');
        checkPorts.set(child, message.checkPort);
        wellAt.set(child, performance.now());
        options.onReady(message.editions);
        if (message.withoutTls !== undefined) {
          withoutTls = failureOf(message.withoutTls);
          log.error(
            { worker: slot, reason: withoutTls.message },
            'this worker does not serve every certificate',
          );
          if (isReady) options.onWithoutTls(withoutTls);
        }
        waiting.delete(slot);
        if (waiting.size > 0) return;
        isReady = true;
        allReady.resolve();
      },
      ended(how) {
        children.delete(slot);
        wellAt.delete(child);
        withoutDescriptors.delete(child);
        checkPorts.delete(child);
        options.onGone(slot);
        // Its successor starts with what was changed.
        for (const [question, answer] of asked) if (question.startsWith(`${slot} `)) answer();
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
        restarts.set(slot, (restarts.get(slot) ?? 0) + 1);
        after(delayMs, () => start(slot, deaths + 1));
      },
    });
    children.set(slot, child);
    wellAt.set(child, performance.now());
  };

  const asking = new Set<Child>();
  const ask = async (child: Child, port: number): Promise<void> => {
    if (asking.has(child)) return;
    asking.add(child);
    const answer = await askWorker(port, silentMs);
    asking.delete(child);
    if (answer !== 'silent' && wellAt.has(child)) wellAt.set(child, performance.now());
  };

  let lastLook = performance.now();
  const watch = setInterval(() => {
    const now = performance.now();
    // When this process itself was held up, it could not ask, and answers are still waiting to be read.
    const wasHeldUp = now - lastLook > 2 * lookEveryMs;
    lastLook = now;
    for (const [slot, child] of children) {
      if (wasHeldUp) wellAt.set(child, now);
      const port = checkPorts.get(child);
      if (port !== undefined) void ask(child, port);
      const limitMs = port === undefined ? startDeadlineMs : silentMs;
      if (now - wellAt.get(child)! < limitMs) continue;
      log.error(
        { worker: slot, workerPid: child.pid },
        `worker has not answered for ${limitMs / 1000} s${withoutDescriptors.has(child) ? ', being out of file descriptors' : ''}, ending it`,
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
    get withoutTls() {
      return withoutTls;
    },
    workers: () =>
      [...children].flatMap(([slot, { pid, startedAt }]) =>
        pid === undefined
          ? []
          : {
              pid,
              startedAt: Math.round(performance.timeOrigin + startedAt),
              restarts: restarts.get(slot) ?? 0,
            },
      ),
    async selfCheck(withinMs) {
      const answers = [...checkPorts.values()].map((port) => askWorker(port, withinMs));
      const silent = (await Promise.all(answers)).filter((answer) => answer === 'silent').length;
      return { workers: slots.length, answering: answers.length - silent };
    },
    async change(change) {
      settings = { ...settings, ...change };
      const id = ++changes;
      const answers = [...children].map(
        ([slot, child]) =>
          new Promise<void>((resolve, reject) => {
            const question = `${slot} ${id}`;
            asked.set(question, (failure) => {
              asked.delete(question);
              if (failure === undefined) resolve();
              else reject(failureOf(failure));
            });
            child.change(id, change);
          }),
      );
      const outcomes = await Promise.allSettled(answers);
      const failed = outcomes.find(({ status }) => status === 'rejected');
      if (failed?.status === 'rejected') throw failed.reason as Failure;
      if (change.tls !== undefined) withoutTls = undefined;
    },
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
