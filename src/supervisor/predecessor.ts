import { Server } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { exitCodes, Failure } from '../core/errors.ts';
import { toldFailure } from './messages.ts';
import { heldPort, type PortClaim } from './port-claim.ts';
import {
  type FromSuccessor,
  predecessorVariable,
  type SuccessorHealth,
  type ToSuccessor,
} from './takeover-messages.ts';

/** The supervisor whose place this process is to take, while it still serves. */
export interface Predecessor {
  readonly claims: readonly PortClaim[];
  /** By which systemd can be told of this service. */
  readonly manager: Readonly<Record<string, string>>;
  /** Aborts when it is gone, or has changed its mind, while the service is still its own: this process has to end then. */
  readonly gone: AbortSignal;
  /**
   * All workers listen. From now on `health` is told once a second. Resolves when it is time to take over; rejects with the reason of
   * `gone`, or of the signal.
   */
  watched(health: () => Promise<SuccessorHealth>, signal: AbortSignal): Promise<void>;
  /** Everything is looked after here. Resolves when the service is this process's own; rejects as `watched` does. */
  taken(signal: AbortSignal): Promise<void>;
  /** Why this process cannot serve, which it is about to end for. Resolves when that has been told. */
  failed(error: unknown): Promise<void>;
}

const healthEveryMs = 1000;

/**
 * The predecessor that started this process, with what it hands over; undefined where a person or systemd did. What is
 * secret in the configuration's environment is in `environment` then, as the predecessor had it. Rejects with `predecessor-gone`.
 */
export async function joinPredecessor(
  version: string,
  environment: NodeJS.ProcessEnv,
): Promise<Predecessor | undefined> {
  const pid = environment[predecessorVariable];
  delete environment[predecessorVariable];
  if (pid === undefined || process.send === undefined) return undefined;

  const leaving = new AbortController();
  let ours = false;
  const takeOver = Promise.withResolvers<void>();
  const yours = Promise.withResolvers<void>();
  const tell = (message: FromSuccessor): Promise<void> =>
    new Promise((resolve) => {
      // where nobody listens any more, `disconnect` tells it
      if (process.connected) process.send?.(message, undefined, undefined, () => resolve());
      else resolve();
    });
  const leave = (): void => {
    if (ours) return yours.resolve();
    leaving.abort(
      new Failure('the version before has ended, or goes on by itself', {
        code: 'predecessor-gone',
        exitCode: exitCodes.fault,
      }),
    );
  };
  leaving.signal.addEventListener('abort', () => takeOver.reject(leaving.signal.reason as Failure));
  takeOver.promise.catch(() => {});

  const claims: PortClaim[] = [];
  const begun = Promise.withResolvers<Extract<ToSuccessor, { type: 'begin' }>>();
  const claimed = Promise.withResolvers<void>();
  let expected: number | undefined;
  const countClaims = (): void => {
    if (claims.length === expected) claimed.resolve();
  };
  process.on('message', (message: ToSuccessor, handle: unknown) => {
    switch (message.type) {
      case 'begin':
        expected = message.claims;
        begun.resolve(message);
        return countClaims();
      case 'claim':
        if (handle instanceof Server) claims.push(heldPort(message.host, message.port, handle));
        return countClaims();
      case 'take-over':
        // from here on this process is the service, whatever becomes of the one before
        ours = true;
        return takeOver.resolve();
      case 'yours':
        return yours.resolve();
      case 'end':
        ours = false;
        return leave();
    }
  });
  process.on('disconnect', leave);
  // it may have died before this process listened
  if (!process.connected || String(process.ppid) !== pid) leave();
  void tell({ type: 'hello', version });
  // until it is told to take over, all that can be awaited there ends with its being gone
  const orGone = async <Value>(promise: Promise<Value>): Promise<Value> => {
    await Promise.race([promise, takeOver.promise]);
    return promise;
  };
  const { secrets, manager } = await orGone(begun.promise);
  await orGone(claimed.promise);
  Object.assign(environment, secrets);

  const orAborted = async (promise: Promise<void>, signal: AbortSignal): Promise<void> => {
    const aborted = Promise.withResolvers<never>();
    const reject = (): void => aborted.reject(signal.reason as Failure);
    signal.addEventListener('abort', reject);
    if (signal.aborted) reject();
    try {
      await Promise.race([promise, aborted.promise]);
    } finally {
      signal.removeEventListener('abort', reject);
    }
  };
  return {
    claims,
    manager,
    gone: leaving.signal,
    async watched(health, signal) {
      let waits = true;
      void tell({ type: 'ready' });
      const tellHealth = async (): Promise<void> => {
        while (waits) {
          await tell({ type: 'health', health: await health() });
          await wait(healthEveryMs, undefined, { ref: false });
        }
      };
      tellHealth().catch(leaving.abort.bind(leaving));
      try {
        await orAborted(takeOver.promise, signal);
      } finally {
        waits = false;
      }
    },
    async taken(signal) {
      void tell({ type: 'taken' });
      await orAborted(yours.promise, AbortSignal.any([signal, leaving.signal]));
    },
    failed: (error) => tell({ type: 'failed', failure: toldFailure(error) }),
  };
}
