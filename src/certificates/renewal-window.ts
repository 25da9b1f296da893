import type { CertificateFacts } from '../ports/certificate-store.ts';
import type { RenewalInfo } from '../ports/certificate-issuer.ts';
import { clockWasAhead, retryAfter, retryDelayMs } from './retry.ts';
import { timeText } from '../core/time-text.ts';
import type { AriState, ChosenWindow, RenewalState } from './renewal-state.ts';

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/** Authorities let a life begin a little before it was asked for, against clocks that are slow: Let's Encrypt by an hour. */
const longestBackdatingMs = 2 * hour;
/** Below this whole life, half of it is kept in reserve instead of a third. */
const shortLifeMs = 10 * day;
/** A window is asked for at least twice a day. */
const longestAskingMs = 12 * hour;
/** RFC 9773 §4.3: less may be taken for a minute. */
const shortestRetryAfterMs = minute;
/** The least time between two renewals that nothing but the authority's wish accounts for. */
const hastyMs = 6 * hour;

/** The life of a certificate, in milliseconds since 1970. */
export interface Life {
  readonly start: number;
  readonly end: number;
}

/** When a certificate is to be renewed, and why then, in a few words that go on from "due …". */
export interface Due {
  readonly at: number;
  readonly reason: string;
}

type Had = Pick<RenewalState, 'gotAt' | 'hasty' | 'ari'>;

/**
 * The life of a certificate as far as its owner had it. One of ten minutes whose life was made to begin an hour early
 * would else be past the half of it from the first moment, and be renewed without end.
 */
export function lifeOf(facts: CertificateFacts, gotAt: number | undefined): Life {
  const backdatingMs = (gotAt ?? facts.notBefore) - facts.notBefore;
  const believed = backdatingMs > 0 && backdatingMs <= longestBackdatingMs;
  return { start: facts.notBefore + (believed ? backdatingMs : 0), end: facts.notAfter };
}

/** The time from which so little life is left that it is renewed whatever the authority says, and the second one is asked. */
export function emergencyAt(life: Life): number {
  const wholeMs = life.end - life.start;
  // a twentieth of a very short life would not hold a single order
  return life.end - Math.max(wholeMs / 20, Math.min(minute, wholeMs / 4));
}

/** The life that is kept in reserve where the authority does not say when to renew. */
function reserveMs(life: Life): number {
  const wholeMs = life.end - life.start;
  return wholeMs < shortLifeMs ? wholeMs / 2 : wholeMs / 3;
}

/**
 * When the certificate is due: at the moment chosen in the authority's window (RFC 9773 §4.2), else when a third of its life
 * is left, or half where the whole is under ten days; in an emergency before either. A time in the past means now.
 */
export function due(facts: CertificateFacts, had: Had): Due {
  const life = lifeOf(facts, had.gotAt);
  const emergency = emergencyAt(life);
  const window = had.ari?.certId === facts.ariId ? had.ari?.window : undefined;
  const planned = window === undefined ? byLife(life) : byWindow(window);
  const first =
    planned.at <= emergency ? planned : { at: emergency, reason: 'because little of its life is left' };
  return { ...first, at: Math.max(first.at, notBeforeHaste(life, had)) };
}

function byLife(life: Life): Due {
  const share = life.end - life.start < shortLifeMs ? 'half' : 'a third';
  return { at: life.end - reserveMs(life), reason: `when ${share} of its life is left` };
}

function byWindow(window: ChosenWindow): Due {
  const span = `between ${timeText(window.start)} and ${timeText(window.end)}`;
  const why = window.explanationUrl === undefined ? '' : ` (${window.explanationUrl})`;
  return { at: window.moment, reason: `as the authority asks, ${span}${why}` };
}

/** An authority that wants each new certificate renewed at once is followed the first time, then a few times a day. */
function notBeforeHaste(life: Life, { hasty, gotAt }: Had): number {
  return hasty === 0 || gotAt === undefined ? -Infinity : gotAt + usedMs(life);
}

function usedMs(life: Life): number {
  return Math.min((life.end - life.start) / 20, hastyMs);
}

/** Whether a certificate that was had at `gotAt` and is replaced now has hardly been used. */
export function replacedInHaste(facts: CertificateFacts, gotAt: number, now: number): boolean {
  return now >= gotAt && now - gotAt < 2 * usedMs(lifeOf(facts, gotAt));
}

/**
 * When to warn that renewal is late: half of the time that was meant for it has gone. A window that the authority moved
 * to the past does not make the warning earlier.
 */
export function warnAt(facts: CertificateFacts, had: Had): number {
  const life = lifeOf(facts, had.gotAt);
  const leadMs = Math.min(reserveMs(life), life.end - due(facts, had).at);
  return life.end - Math.max(leadMs, 0) / 2;
}

/** When the authority is to be asked for the window; undefined where the certificate cannot be named to it. */
export function ariAskAt(facts: CertificateFacts, { ari }: Had, now: number): number | undefined {
  if (facts.ariId === undefined) return undefined;
  if (ari === undefined || ari.certId !== facts.ariId || clockWasAhead(ari.askedAt, now)) return now;
  return ari.askAgainAt;
}

/**
 * The state after the authority's answer: the moment is drawn once, evenly over the window, and again only when the
 * window has moved away from it. `info` is undefined where the authority has no ARI.
 */
export function ariAfterAnswer(
  certId: string,
  before: AriState | undefined,
  info: RenewalInfo | undefined,
  life: Life,
  now: number,
  random: () => number,
): AriState {
  const kept = before?.certId === certId ? before.window : undefined;
  const retryAfterMs = Math.max(info?.retryAfterMs ?? Infinity, shortestRetryAfterMs);
  return {
    certId,
    askedAt: now,
    askAgainAt: now + Math.min(retryAfterMs, askingMs(life)),
    failures: 0,
    window: info === undefined ? undefined : chosen(info, kept, random),
  };
}

/** The state after no answer: the last window is kept, and asked for again soon. */
export function ariAfterFailure(
  certId: string,
  before: AriState | undefined,
  retryAfterMs: number | undefined,
  life: Life,
  now: number,
  random: () => number,
): AriState {
  const same = before?.certId === certId ? before : undefined;
  const failures = (same?.failures ?? 0) + 1;
  const soonMs = Math.min(retryDelayMs(failures, undefined, undefined, random), askingMs(life));
  // RFC 9773 §4.3: more than a day may be taken for a day
  const leaveAloneMs = Math.min(retryAfter(retryAfterMs), day);
  return {
    certId,
    askedAt: now,
    askAgainAt: now + Math.max(soonMs, leaveAloneMs),
    failures,
    window: same?.window,
  };
}

function chosen(info: RenewalInfo, kept: ChosenWindow | undefined, random: () => number): ChosenWindow {
  const { start, end, explanationUrl } = info;
  const holds = kept !== undefined && kept.moment >= start && kept.moment <= end;
  return { start, end, explanationUrl, moment: holds ? kept.moment : start + random() * (end - start) };
}

/** A tenth of the life, so that a short one hears in time, and twice a day for a long one. */
function askingMs(life: Life): number {
  return Math.min(longestAskingMs, Math.max((life.end - life.start) / 10, second));
}
