import { setTimeout as wait } from 'node:timers/promises';
import type { Failure } from '../core/errors.ts';
import { startProgram } from '../core/start-program.ts';
import type { Logger } from '../ports/logger.ts';
import { failureOf } from './messages.ts';
import type { PortClaim } from './port-claim.ts';
import {
  type FromSuccessor,
  predecessorVariable,
  type SuccessorHealth,
  type ToSuccessor,
} from './takeover-messages.ts';
import { notTakenOver } from './upgrade-failure.ts';

export interface SuccessorOptions {
  /** The new binary, and what it is started with. */
  readonly file: string;
  readonly arguments: readonly string[];
  /** Without secrets: other processes can read it. */
  readonly environment: Readonly<NodeJS.ProcessEnv>;
  readonly secrets: Readonly<Record<string, string>>;
  readonly manager: Readonly<Record<string, string>>;
  readonly claims: readonly PortClaim[];
  readonly log: Logger;
}

/** The supervisor that is to take this one's place. Each promise rejects with a Failure `upgrade-went-back` that says why not. */
export interface Successor {
  readonly pid: number;
  /** Its version, once it has begun. */
  begun(): Promise<string>;
  /** Resolves when all its workers listen. */
  ready(): Promise<void>;
  /**
   * Resolves when it has been well for that long, and what it tells after that says so too. `expects` are names that it has to
   * serve HTTPS for, by the fingerprint of each one's certificate.
   */
  watch(periodMs: number, expects: Readonly<Record<string, string>>): Promise<void>;
  /** Has it look after everything. */
  takeOver(): Promise<void>;
  /** The service is its own: it lives on when this process ends. */
  release(): void;
  /** Ends it, after what its workers have open. Never rejects. */
  end(): Promise<void>;
  /** Ends it and its workers at once. */
  kill(): void;
}

/** What a program needs to begin, on a host that is busy. */
const helloDeadlineMs = 20_000;
/** Workers have 20 s to start; certificates are proved after that. */
const readyDeadlineMs = 30_000;
const lookEveryMs = 250;
/** It tells once a second. */
const silentMs = 5000;
/** Database and cache are given two seconds of that. */
const takeOverDeadlineMs = 15_000;
/** Its own workers are ended after 25 s. */
const endDeadlineMs = 30_000;
/** Workers that do not answer, or do not yet, have nothing to finish; others beside them have that long. */
const faultyEndDeadlineMs = 5000;

/** Starts it. Whoever does so ends it, or releases it. */
export function startSuccessor(options: SuccessorOptions): Successor {
  const { claims, log } = options;
  // a group of its own: whatever becomes of it, all of it can be ended
  const child = startProgram(options.file, options.arguments, {
    detached: true,
    env: { ...options.environment, [predecessorVariable]: String(process.pid) },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const send = (message: ToSuccessor, handle?: PortClaim['holder']): void => {
    if (child.connected) child.send(message, handle, {}, () => {});
  };

  const over = Promise.withResolvers<void>();
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => {});
  const hello = Promise.withResolvers<string>();
  const listens = Promise.withResolvers<void>();
  const taken = Promise.withResolvers<void>();
  let health: SuccessorHealth | undefined;
  /** When it last told of itself, once it was ready. */
  let toldAt: number | undefined;
  let faultsInARow = 0;
  let why: Failure | undefined;
  child.on('message', (message: FromSuccessor) => {
    switch (message.type) {
      case 'hello':
        return hello.resolve(message.version);
      case 'ready':
        toldAt = performance.now();
        return listens.resolve();
      case 'health':
        toldAt = performance.now();
        ({ health } = message);
        faultsInARow = health.faults.length > 0 ? faultsInARow + 1 : 0;
        return;
      case 'taken':
        return taken.resolve();
      case 'failed':
        why = failureOf(message.failure);
    }
  });
  child.on('error', (error) => {
    broken.reject(notTakenOver(`the new version cannot be started: ${error.message}`, error));
    over.resolve();
  });
  child.on('exit', (status, signal) => {
    const how = signal === null ? `status ${status}` : signal;
    const reason = why === undefined ? `it ended with ${how}` : why.message;
    broken.reject(notTakenOver(`the new version does not run: ${reason}`, why));
    over.resolve();
  });

  /** Rejects when it is late, or ends meanwhile. */
  const within = async <Value>(ms: number, what: string, promise: Promise<Value>): Promise<Value> => {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(notTakenOver(`the new version ${what} within ${ms / 1000} s`)),
      ms,
    );
    try {
      return await Promise.race([promise, broken.promise, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  };
  const kill = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // nothing of it is left
    }
  };
  const isSilent = () => toldAt !== undefined && performance.now() - toldAt > silentMs;
  const endOnce = async (): Promise<void> => {
    send({ type: 'end' });
    // one that does not speak does not listen either
    if (version === undefined || isSilent()) kill();
    const late = setTimeout(
      kill,
      toldAt !== undefined && faultsInARow === 0 ? endDeadlineMs : faultyEndDeadlineMs,
    );
    await over.promise;
    clearTimeout(late);
    // workers of one that was killed
    kill();
  };
  let version: string | undefined;
  let ending: Promise<void> | undefined;
  let silentLooks = 0;
  const faultNow = (expects: Readonly<Record<string, string>>): string | undefined => {
    // what it said while this process was held up is read by the next look
    silentLooks = isSilent() ? silentLooks + 1 : 0;
    if (silentLooks > 1) return `it has said nothing for ${silentMs / 1000} s`;
    if (faultsInARow > 1) return health?.faults.join('; ');
    return lossOf(health, expects);
  };

  return {
    pid: child.pid ?? 0,
    async begun() {
      version = await within(helloDeadlineMs, 'did not begin', hello.promise);
      const { secrets, manager } = options;
      send({ type: 'begin', secrets, manager, claims: claims.length });
      for (const { host, port, holder } of claims) send({ type: 'claim', host, port }, holder);
      return version;
    },
    ready: () => within(readyDeadlineMs, 'was not ready', listens.promise),
    async watch(periodMs, expects) {
      const look = async (): Promise<void> => {
        await Promise.race([wait(Math.min(lookEveryMs, periodMs)), broken.promise]);
        const fault = faultNow(expects);
        if (fault !== undefined) throw notTakenOver(`the new version is not well: ${fault}`);
      };
      const until = performance.now() + periodMs;
      while (performance.now() < until) await look();
      // what it told last is seconds old; one fault alone, of a host that is busy, counts for as little as before
      do {
        const before = health;
        while (health === before) await look();
      } while (faultsInARow > 0);
    },
    takeOver() {
      send({ type: 'take-over' });
      return within(takeOverDeadlineMs, 'did not take over', taken.promise);
    },
    release() {
      send({ type: 'yours' });
      log.info({ version, successorPid: child.pid }, 'the new version has taken over');
    },
    end: () => (ending ??= endOnce()),
    kill,
  };
}

/** A name without the certificate that it has now. */
function lossOf(
  health: SuccessorHealth | undefined,
  expects: Readonly<Record<string, string>>,
): string | undefined {
  if (health === undefined) return undefined;
  const lost = Object.keys(expects).filter((name) => health.https[name] !== expects[name]);
  return lost.length === 0 ? undefined : `it does not serve the certificate of ${lost.join(', ')}`;
}
