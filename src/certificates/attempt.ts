import type { Clock } from '../core/clock.ts';
import { exitCodes, Failure, reasonOf } from '../core/errors.ts';
import { AuthorityFailure, type CertificateIssuer, type Progress } from '../ports/certificate-issuer.ts';
import type {
  CertificateFacts,
  CertificatePair,
  CertificateStore,
  StoredCertificate,
} from '../ports/certificate-store.ts';
import type { Logger } from '../ports/logger.ts';
import { within } from './deadline.ts';
import { idOf, type Inventory } from './inventory.ts';
import type { Notices } from './notices.ts';
import { afterCertificate, afterFailure, isItsOwnTrouble } from './outcome.ts';
import type { RenewalState } from './renewal-state.ts';
import { lifeOf } from './renewal-window.ts';
import { clockWasAhead, isRare, retryAfter, type LifeLeft } from './retry.ts';
import { planFor, type Situation, type Track } from './schedule.ts';
import { namesMissing } from './serving.ts';
import { timeText } from '../core/time-text.ts';

const longestAttemptMs = 60 * 60_000;
const shortestAttemptMs = 30_000;
/** What is laid out for the authority, as records in DNS, is taken away also when we are told to stop. */
const puttingAwayMs = 10_000;

export type Attempted =
  | { readonly stored: StoredCertificate; readonly failure?: undefined }
  | { readonly stored?: undefined; readonly failure: unknown };

export interface Attempts {
  /**
   * Gets a certificate from the authority of `track` and saves it; after a failure the staging authority is asked first,
   * unless `trial` is false. The caller holds the lock. What fails is noted, told and returned; rejects only when the
   * signal aborts.
   */
  obtain(
    situation: Situation,
    track: Track,
    progress: Progress,
    signal: AbortSignal,
    trial?: boolean,
  ): Promise<Attempted>;
  /** Notes and tells a failure of `track` that came about outside of `obtain`, before its authority could be asked. */
  fail(situation: Situation, track: Track, failure: unknown): void;
  /** Walks the way without keeping anything. Rejects with what fails. */
  test(situation: Situation, progress: Progress, signal: AbortSignal): Promise<void>;
}

export interface AttemptsOptions {
  readonly issuer: CertificateIssuer;
  readonly staging: CertificateIssuer | undefined;
  readonly fallback: CertificateIssuer | undefined;
  readonly store: CertificateStore;
  readonly inventory: Inventory;
  readonly notices: Pick<Notices, 'failed'>;
  /** What a chain and its key say. Throws a Failure where they are no certificate, or no pair. */
  readonly factsOf: (pair: CertificatePair) => CertificateFacts;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
}

export function createAttempts(options: AttemptsOptions): Attempts {
  const { issuer, staging, fallback, store, inventory, notices, clock, log, random } = options;

  function issue(
    at: CertificateIssuer,
    { wanted, served, servedState }: Situation,
    asked: { readonly keep: boolean; readonly replaces: string | undefined },
    progress: Progress,
    signal: AbortSignal,
  ): Promise<CertificatePair> {
    const { names, keyType, profile } = wanted;
    const life = served && lifeOf(served.facts, servedState.gotAt);
    const limitMs = Math.max(
      Math.min(longestAttemptMs, life === undefined ? Infinity : (life.end - life.start) / 4),
      shortestAttemptMs,
    );
    const late = () =>
      new Failure(
        `the attempt at ${at.authority} was not done within ${Math.round(limitMs / 1000)} seconds`,
        {
          code: 'attempt-timeout',
          exitCode: exitCodes.authority,
          remedy: 'It is tried again. Where it goes on, look at the log for the step that takes so long.',
          retryable: true,
        },
      );
    const issued = (either: AbortSignal) => at.issue({ names, keyType, profile, ...asked }, progress, either);
    return within(clock, limitMs, late, signal, issued, puttingAwayMs);
  }

  /** What fails at the production of an authority may use up its limits; its staging is there to fail at. */
  async function tryStaging(
    situation: Situation,
    track: Track,
    update: (change: Partial<RenewalState>) => void,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<void> {
    const { failures, stagingPassed, stagingLeaveAloneUntil, lastError } = track.state;
    if (staging === undefined || track.authority !== issuer.authority) return;
    if (failures === 0 || stagingPassed || isRare(failures)) return;
    const wrongClock = lastError !== undefined && clockWasAhead(lastError.at, clock.now());
    if (!wrongClock && (stagingLeaveAloneUntil ?? 0) > clock.now()) return;
    progress(`trying at ${staging.authority} first, because the last attempt failed`);
    try {
      await issue(staging, situation, { keep: false, replaces: undefined }, progress, signal);
      update({ stagingPassed: true, stagingLeaveAloneUntil: undefined });
      await inventory.flush();
    } catch (error) {
      signal.throwIfAborted();
      if (!isItsOwnTrouble(error)) throw error;
      const retryAfterMs = error instanceof AuthorityFailure ? retryAfter(error.retryAfterMs) : 0;
      update({ stagingLeaveAloneUntil: clock.now() + retryAfterMs });
      log.warn(
        { authority: staging.authority, err: error },
        `no trial, it goes on without: ${reasonOf(error)}`,
      );
    }
  }

  /** The certificate that a new one takes the place of at its authority (RFC 9773 §5). */
  function replacedBy(situation: Situation, track: Track): string | undefined {
    if (track.current !== undefined) return track.current.facts.ariId;
    const { authority, name } = idOf(track.authority, situation.wanted);
    const before = inventory.certificates.find(({ id }) => id.authority === authority && id.name === name);
    return before !== undefined && before.facts.notAfter > clock.now() ? before.facts.ariId : undefined;
  }

  function check(pair: CertificatePair, authority: string, names: readonly string[]): void {
    const missing = namesMissing(names, options.factsOf(pair).names);
    if (missing.length === 0) return;
    throw new Failure(`${authority} issued a certificate that lacks ${missing.join(', ')}`, {
      code: 'certificate-names',
      exitCode: exitCodes.authority,
      remedy: 'Ask whoever runs the authority which names it signs.',
      retryable: true,
    });
  }

  function noteFailure(situation: Situation, track: Track, failure: unknown): void {
    const { wanted, served, servedState } = situation;
    const now = clock.now();
    const id = idOf(track.authority, wanted);
    const life = served && lifeLeft(served, servedState, now);
    // the trial may have changed it since the situation was looked at
    const { stagingPassed, stagingLeaveAloneUntil } = inventory.state(id);
    const before = { ...track.state, stagingPassed, stagingLeaveAloneUntil };
    const after = afterFailure(before, failure, wanted.names, life, now, random);
    // what fails by order of a person before it is due is no cause to ask the second authority
    const isDue = planFor(situation, now).primary.dueAt <= now;
    const state = isDue ? after : { ...after, failingSince: undefined };
    inventory.update(id, state);
    const { message, remedy, code } = state.lastError!;
    const { authority } = track;
    const plan = planFor(inventory.situation(wanted), now);
    // what was not due and failed by order of a person is not tried again before it is due
    const step = authority === issuer.authority ? plan.primary : plan.fallback;
    const next = timeText(step?.at ?? state.nextAttemptAt!);
    const unexpected = failure instanceof Failure ? {} : { err: failure };
    log.warn(
      { names: wanted.names, authority, code, remedy, failures: state.failures, next, ...unexpected },
      `no certificate: ${message}; ${served === undefined ? 'there is none yet' : `the one before serves until ${timeText(served.facts.notAfter)}`}; next attempt ${next}`,
    );
    const retryable = failure instanceof Failure && failure.retryable;
    notices.failed(situation, authority, state.lastError!, retryable);
  }

  /** A certificate that has ended when it arrives would be asked for again at once: the waiting goes on as after a failure. */
  function clockFailure({ facts, id }: StoredCertificate): Failure | undefined {
    const now = clock.now();
    if (facts.notAfter > now) return undefined;
    return new Failure(
      `${id.authority} issued a certificate that ended ${timeText(facts.notAfter)}, and the clock of this host says ${timeText(now)}`,
      { code: 'clock-wrong', remedy: 'Set the clock: timedatectl set-ntp true', retryable: true },
    );
  }

  return {
    fail: noteFailure,

    async obtain(situation, track, progress, signal, trial = true) {
      const { wanted } = situation;
      const { authority } = track;
      const id = idOf(authority, wanted);
      const at = authority === issuer.authority ? issuer : fallback!;
      try {
        const update = (change: Partial<RenewalState>) => inventory.update(id, { ...track.state, ...change });
        if (trial) await tryStaging(situation, track, update, progress, signal);
        const replaces = replacedBy(situation, track);
        const pair = await issue(at, situation, { keep: true, replaces }, progress, signal);
        check(pair, authority, wanted.names);
        const stored = await store.save(id, pair);
        inventory.add(stored);
        // the key is in one place from here on; an order that cannot be removed is found out and dropped by the next run
        await store
          .removeOrder(id)
          .catch((error: unknown) => log.debug({ reason: reasonOf(error) }, 'order kept'));
        const tooLate = clockFailure(stored);
        if (tooLate !== undefined) throw tooLate;
        const now = clock.now();
        inventory.update(id, afterCertificate(track.state, stored.facts, now, now));
        const { serial, notAfter } = stored.facts;
        log.info(
          { names: wanted.names, authority, serial, notAfter: timeText(notAfter) },
          'certificate issued',
        );
        return { stored };
      } catch (failure) {
        signal.throwIfAborted();
        noteFailure(situation, track, failure);
        return { failure };
      } finally {
        if (!signal.aborted) await inventory.flush();
      }
    },

    async test(situation, progress, signal) {
      const replaces = undefined;
      const pair = await issue(staging ?? issuer, situation, { keep: false, replaces }, progress, signal);
      check(pair, (staging ?? issuer).authority, situation.wanted.names);
    },
  };
}

function lifeLeft(served: StoredCertificate, { gotAt }: RenewalState, now: number): LifeLeft {
  const life = lifeOf(served.facts, gotAt);
  return { leftMs: life.end - now, wholeMs: life.end - life.start };
}
