import type { StoredCertificate } from '../ports/certificate-store.ts';
import type { WantedCertificate } from './certificate-service.ts';
import { due, emergencyAt, lifeOf, type Due } from './renewal-window.ts';
import type { RenewalState } from './renewal-state.ts';
import { clockWasAhead } from './retry.ts';
import { importAuthority, isPremature, namesUncovered } from './serving.ts';

/** The second authority is asked when the first has failed for this long. */
const patienceMs = 24 * 60 * 60 * 1000;

/** One authority's part in one certificate. */
export interface Track {
  readonly authority: string;
  readonly state: RenewalState;
  /** What there is of it that holds every wanted name and has not ended. */
  readonly current: StoredCertificate | undefined;
}

/** All that decides over the next attempt for one wanted certificate. */
export interface Situation {
  readonly wanted: WantedCertificate;
  /** What is to serve, and the state that is kept beside it. */
  readonly served: StoredCertificate | undefined;
  readonly servedState: RenewalState;
  readonly primary: Track;
  /** Undefined where no second authority is configured. */
  readonly fallback: Track | undefined;
}

/** An attempt that is planned. */
export interface Step extends Due {
  /** When it would be without the waiting that failures impose. */
  readonly dueAt: number;
}

export interface Plan {
  readonly primary: Step;
  /** Undefined while the first authority gives no cause to ask the second. */
  readonly fallback: Step | undefined;
}

/**
 * When each authority is asked next, in milliseconds since 1970; what is not after `now` is due. The first authority goes on being
 * asked by its own table while the second one's certificate serves.
 */
export function planFor(situation: Situation, now: number): Plan {
  const { primary, fallback } = situation;
  return {
    primary: afterFailures(primaryDue(situation, now), primary.state, now),
    fallback: fallback === undefined ? undefined : fallbackStep(situation, fallback, now),
  };
}

function primaryDue({ wanted, served, servedState, primary }: Situation, now: number): Due {
  if (served === undefined) return { at: now, reason: 'because there is no certificate yet' };
  const missing = namesUncovered(wanted.names, served.facts.names);
  if (missing.length > 0) return { at: now, reason: `because it lacks ${missing.join(', ')}` };
  if (served.facts.notAfter <= now) return { at: now, reason: 'because it has ended' };
  const gotAt = servedState.fingerprint === served.facts.fingerprint ? servedState.gotAt : undefined;
  if (isPremature(served, gotAt, now)) return { at: now, reason: 'because its life is yet to begin' };
  if (served.id.authority === importAuthority) return due(served.facts, servedState);
  if (primary.current !== undefined) return due(primary.current.facts, primary.state);
  return { at: now, reason: `because what serves is not of ${primary.authority}` };
}

function fallbackStep({ served, servedState, primary }: Situation, fallback: Track, now: number) {
  const { failures, failingSince } = primary.state;
  if (failures === 0 || failingSince === undefined) return undefined;
  const patienceEnds = failingSince + patienceMs;
  const littleLeft = served === undefined ? Infinity : emergencyAt(lifeOf(served.facts, servedState.gotAt));
  const wanted =
    fallback.current === undefined
      ? { at: now, reason: 'because there is no certificate of it yet' }
      : due(fallback.current.facts, fallback.state);
  const at = Math.max(Math.min(patienceEnds, littleLeft), wanted.at);
  const reason = `from ${fallback.authority}, because ${primary.authority} goes on failing`;
  return afterFailures({ at, reason }, fallback.state, now);
}

function afterFailures(wanted: Due, state: RenewalState, now: number): Step {
  const { failures, nextAttemptAt, lastError } = state;
  const wait = { ...wanted, dueAt: wanted.at };
  if (failures === 0 || nextAttemptAt === undefined || lastError === undefined) return wait;
  if (clockWasAhead(lastError.at, now) || nextAttemptAt <= wanted.at) return wait;
  return { ...wait, at: nextAttemptAt, reason: `again after ${attempts(failures)} that failed` };
}

export function attempts(count: number): string {
  return count === 1 ? 'one attempt' : `${count} attempts`;
}
