import type { Clock } from '../core/clock.ts';
import { Failure, reasonOf } from '../core/errors.ts';
import type { CertificateIssuer } from '../ports/certificate-issuer.ts';
import type { CertificateFacts, CertificatePair, CertificateStore } from '../ports/certificate-store.ts';
import type { Logger } from '../ports/logger.ts';
import { createAttempts } from './attempt.ts';
import { createByHand } from './by-hand.ts';
import type {
  CertificateError,
  CertificateService,
  CertificateStatus,
  WantedCertificate,
} from './certificate-service.ts';
import { untilAborted, untilPutAway } from './deadline.ts';
import type { CertificateEvents } from './events.ts';
import { createInventory } from './inventory.ts';
import { createKeeper } from './keeper.ts';
import { createNotices } from './notices.ts';
import { createPublication, type Serve } from './publication.ts';
import type { RenewalState } from './renewal-state.ts';
import { planFor } from './schedule.ts';
import { kindOf, type Authorities } from './serving.ts';

export interface CertificateServiceOptions {
  readonly wanted: readonly WantedCertificate[];
  readonly store: CertificateStore;
  readonly clock: Clock;
  readonly log: Logger;
  /** The configured authority. */
  readonly issuer: CertificateIssuer;
  /** Its staging directory, where one is known. */
  readonly staging: CertificateIssuer | undefined;
  /** The authority that is asked when the configured one goes on failing. */
  readonly fallback: CertificateIssuer | undefined;
  /** `CERT_RENEW_CHECK`: the longest time between two looks. What is due sooner is done when it is due. */
  readonly checkEveryMs: number;
  /** Has all of it served instead of what served before; rejects where that goes on instead. */
  readonly serve: Serve;
  readonly events: CertificateEvents;
  /** What a chain and its key say. Throws a Failure where they are no certificate, or no pair. */
  readonly factsOf: (pair: CertificatePair) => CertificateFacts;
  /** Numbers from 0 to 1. */
  readonly random?: () => number;
}

/** After a fault of this program, and between looks in any case, so that no fault makes it spin. */
const faultWaitMs = 60_000;
const leastWaitMs = 100;
/** More than an attempt has, and less than systemd gives the service. */
const puttingAwayMs = 15_000;

/**
 * The service that keeps certificates. `renew`, `import` and `status` work without `start` too, for a command that runs
 * alone; they return when hooks and alerts have ended.
 */
export function createCertificateService(options: CertificateServiceOptions): CertificateService {
  const { wanted, store, clock, log, issuer, fallback, checkEveryMs, random = Math.random } = options;
  const authorities: Authorities = { primary: issuer.authority, fallback: fallback?.authority };
  const stopping = new AbortController();
  let alarm = new AbortController();
  let schedule: Promise<void> = Promise.resolve();
  let lastTurn: Promise<unknown> = Promise.resolve();
  let turns = 0;
  let loaded = false;
  /** Why the certificates of the store are not known. */
  let unreadable: CertificateError | undefined;
  /** The files are not any more what was read of them. */
  let changedBelow = false;
  let running = false;

  const wake = () => alarm.abort();
  const inventory = createInventory({ wanted, authorities, store, clock, log });
  const notices = createNotices({
    inventory,
    events: options.events,
    clock,
    signal: stopping.signal,
    changed: wake,
  });
  const attempts = createAttempts({ ...options, inventory, notices, random });
  const publication = createPublication({ serve: options.serve, notices, clock, log, random });
  const keeper = createKeeper({
    ...options,
    authorities,
    inventory,
    attempts,
    notices,
    publication,
    random,
  });
  const byHand = createByHand({ ...options, keeper, attempts, inventory });

  /** Schedule and command take turns. */
  function inTurn<Result>(signal: AbortSignal, action: () => Promise<Result>): Promise<Result> {
    const mine = lastTurn.then(() => untilPutAway(clock, puttingAwayMs, signal, action));
    turns += 1;
    lastTurn = mine.catch(() => undefined).finally(() => (turns -= 1));
    return mine;
  }

  async function load(): Promise<void> {
    if (loaded) return;
    try {
      await inventory.reload();
    } catch (error) {
      const { remedy, code = 'unexpected' } = error instanceof Failure ? error : {};
      unreadable = { at: clock.now(), message: reasonOf(error), remedy, code, failures: 1 };
      throw error;
    }
    unreadable = undefined;
    loaded = true;
  }

  async function look(): Promise<number> {
    try {
      if (changedBelow) loaded = false;
      await load();
      changedBelow = false;
      await keeper.look(stopping.signal);
      return Math.max(keeper.nextAt() - clock.now(), leastWaitMs);
    } catch (error) {
      if (!stopping.signal.aborted) {
        log.error({ err: error }, `certificates could not be looked after: ${reasonOf(error)}`);
      }
      return faultWaitMs;
    }
  }

  async function run(): Promise<void> {
    const { signal } = stopping;
    while (!signal.aborted) {
      alarm = new AbortController();
      const waitMs = await inTurn(signal, look).catch(() => faultWaitMs);
      const either = AbortSignal.any([signal, alarm.signal]);
      await clock.wait(Math.min(waitMs, checkEveryMs), either).catch(() => undefined);
    }
  }

  /** What was told of in the meantime is noted, unless another process is at work: then it may be told twice. */
  async function noteWhatWasTold(): Promise<void> {
    if (inventory.unwritten) await store.withLock(() => inventory.flush()).catch(() => undefined);
  }

  async function byPerson<Result>(
    signal: AbortSignal,
    action: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const either = AbortSignal.any([signal, stopping.signal]);
    const result = await inTurn(either, () => action(either));
    await untilAborted(either, () => notices.settled());
    await inTurn(either, noteWhatWasTold);
    wake();
    return result;
  }

  function statusOf(one: WantedCertificate): CertificateStatus {
    const now = clock.now();
    const situation = keeper.situation(one);
    const plan = planFor(situation, now);
    const next =
      plan.fallback !== undefined && plan.fallback.at < plan.primary.at ? plan.fallback : plan.primary;
    // where the stand-in serves, what there is by now is told of once it serves
    const published = publication.published(one);
    const serving = published === undefined ? situation.served : published.stored;
    return {
      names: one.names,
      authority: authorities.primary,
      state: kindOf(serving, authorities, now),
      serial: serving?.facts.serial,
      issuer: serving?.facts.issuer,
      servedAuthority: serving?.id.authority,
      notBefore: serving?.facts.notBefore,
      notAfter: serving?.facts.notAfter,
      nextAttemptAt: Math.max(next.at, now),
      reason: next.reason,
      lastError: lastErrorOf(situation.primary.state),
    };
  }

  function lastErrorOf({ lastError, failures }: RenewalState): CertificateError | undefined {
    if (unreadable !== undefined) return unreadable;
    if (lastError !== undefined && failures > 0) return { ...lastError, failures };
    if (publication.trouble === undefined) return undefined;
    const { at, message, remedy, code, failures: times } = publication.trouble;
    return { at, message, remedy, code, failures: times };
  }

  async function serveWhatThereIs(): Promise<void> {
    await load().catch((error: unknown) => {
      log.error({ err: error }, `the store of certificates cannot be read: ${reasonOf(error)}`);
    });
    await keeper.publish();
  }

  return {
    serveWhatThereIs,
    async start() {
      await serveWhatThereIs();
      running = true;
      schedule = run();
    },
    async stop() {
      stopping.abort(new Failure('the service is ending', { code: 'stopping', retryable: true }));
      await schedule;
      await lastTurn;
      await noteWhatWasTold();
    },
    async unusable(failure) {
      publication.lost(failure);
      changedBelow = true;
      if (!running) return;
      await inTurn(stopping.signal, look).catch(() => undefined);
      wake();
    },
    async renew(asked, progress, signal) {
      await load();
      if (turns > 0) progress('waiting until the service has done what it is at');
      return byPerson(signal, (either) => byHand.renew(asked, progress, either));
    },
    async import(chain, key) {
      await load();
      return byPerson(stopping.signal, (either) => byHand.import(chain, key, either));
    },
    async status() {
      // what serves can be told all the same, and why it is so
      await load().catch(() => {});
      return wanted.map(statusOf);
    },
  };
}
