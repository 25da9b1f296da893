import { Failure, reasonOf } from '../core/errors.ts';
import { AuthorityFailure, authorityTrouble } from '../ports/certificate-issuer.ts';
import type { CertificateFacts } from '../ports/certificate-store.ts';
import { freshState, type RenewalState } from './renewal-state.ts';
import { replacedInHaste } from './renewal-window.ts';
import { clockWasAhead, retryAfter, retryDelayMs, type LifeLeft } from './retry.ts';

/** What an authority says about itself and not about the names: nothing follows from it for another authority. */
const itsOwnTrouble: ReadonlySet<string> = new Set([
  ...authorityTrouble,
  'accountDoesNotExist',
  'externalAccountRequired',
  'userActionRequired',
  'invalidProfile',
  // a record may admit one account alone (RFC 8657 §3), and each authority has another of us
  'caa',
]);

/** Whether a failure would not have been found out by a trial elsewhere. */
export function isItsOwnTrouble(error: unknown): boolean {
  if (!(error instanceof AuthorityFailure)) return false;
  const { type, status } = error.problem;
  return error.ofAccount || itsOwnTrouble.has(type) || (status !== undefined && status >= 500);
}

/** The state after an attempt for `names` that failed at `now`; `life` is that of the certificate that serves. */
export function afterFailure(
  before: RenewalState,
  error: unknown,
  names: readonly string[],
  life: LifeLeft | undefined,
  now: number,
  random: () => number,
): RenewalState {
  const failures = before.failures + 1;
  const retryAfterMs = error instanceof AuthorityFailure ? error.retryAfterMs : undefined;
  const leaveAloneMs = retryAfter(retryAfterMs);
  const since = before.failingSince;
  return {
    ...before,
    asked: names.join(' '),
    failures,
    failingSince: since === undefined || since > now ? now : since,
    nextAttemptAt: now + retryDelayMs(failures, life, retryAfterMs, random),
    leaveAloneUntil: leaveAloneMs > 0 ? now + leaveAloneMs : undefined,
    lastError: {
      at: now,
      message: reasonOf(error),
      remedy: error instanceof Failure ? error.remedy : undefined,
      code: error instanceof Failure ? error.code : 'unexpected',
    },
    stagingPassed: before.stagingPassed && isItsOwnTrouble(error),
  };
}

/** The state with a new certificate; `gotAt` is undefined where it was found in the store. */
export function afterCertificate(
  before: RenewalState,
  facts: CertificateFacts,
  gotAt: number | undefined,
  now: number,
): RenewalState {
  const inHaste = before.gotAt !== undefined && replacedInHaste(facts, before.gotAt, now);
  return {
    ...freshState,
    fingerprint: facts.fingerprint,
    gotAt,
    hasty: inHaste ? before.hasty + 1 : 0,
    servesSince: before.servesSince ?? gotAt ?? Math.min(facts.notBefore, now),
    announced: before.announced,
    told: before.told,
  };
}

/** The state where other names are asked for than those that failed: they are tried at once, unless a Retry-After runs. */
export function forNames(before: RenewalState, names: readonly string[], now: number): RenewalState {
  if (before.failures === 0 || before.asked === names.join(' ')) return before;
  const leaveAloneUntil = leftAloneUntil(before, now);
  const anew = { ...before, asked: undefined, failingSince: undefined, stagingPassed: false };
  return leaveAloneUntil === undefined
    ? { ...anew, failures: 0, nextAttemptAt: undefined, lastError: undefined }
    : { ...anew, failures: 1, failingSince: now, asked: names.join(' '), nextAttemptAt: leaveAloneUntil };
}

/** The state without failures of a time when our clock was behind, where it no longer is: the certificate that is there was issued after them. */
export function forClock(
  before: RenewalState,
  current: CertificateFacts | undefined,
  now: number,
): RenewalState {
  const { lastError } = before;
  if (lastError === undefined || current === undefined) return before;
  if (!clockWasAhead(current.notBefore, lastError.at) || clockWasAhead(current.notBefore, now)) return before;
  return { ...before, failures: 0, failingSince: undefined, nextAttemptAt: undefined, lastError: undefined };
}

/** When a Retry-After that still runs ends, in milliseconds since 1970. */
export function leftAloneUntil(state: RenewalState, now: number): number | undefined {
  const { leaveAloneUntil, lastError } = state;
  if (leaveAloneUntil === undefined || leaveAloneUntil <= now) return undefined;
  return lastError !== undefined && clockWasAhead(lastError.at, now) ? undefined : leaveAloneUntil;
}
