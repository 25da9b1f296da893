import type { IncomingHttpHeaders } from 'node:http';
import type { AcmeAuthorization, AcmeChallenge, AcmeOrder } from '../ports/acme-authority.ts';
import type { AuthorityFailure, RenewalInfo } from '../ports/certificate-issuer.ts';
import { isObject } from '../core/is-object.ts';
import { ExchangeError, type AcmeResponse } from './acme-exchange.ts';

const orderStates = ['pending', 'ready', 'processing', 'valid', 'invalid'] as const;
const authorizationStates = ['pending', 'valid', 'invalid', 'deactivated', 'expired', 'revoked'] as const;
const challengeStates = ['pending', 'processing', 'valid', 'invalid'] as const;
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** RFC 8555 §7.1.3. Throws ExchangeError `not-acme`. */
export function readOrder(
  answer: unknown,
  url: string,
  retryAfterMs: number | undefined,
  failureOf: (document: unknown) => AuthorityFailure,
): AcmeOrder {
  const fields = objectOf(answer, 'order');
  const { authorizations, certificate, expires, error } = fields;
  if (!Array.isArray(authorizations)) throw wrong('order', 'authorizations');
  return {
    url: textOf(url, 'order', 'Location'),
    status: oneOf(orderStates, fields['status'], 'order'),
    authorizations: authorizations.map((entry) => textOf(entry, 'order', 'authorizations')),
    finalize: textOf(fields['finalize'], 'order', 'finalize'),
    expires: timeOf(expires),
    certificate: certificate === undefined ? undefined : textOf(certificate, 'order', 'certificate'),
    failure: error === undefined || error === null ? undefined : failureOf(error),
    retryAfterMs,
  };
}

/** RFC 8555 §7.1.4. Throws ExchangeError `not-acme`. */
export function readAuthorization(
  answer: unknown,
  url: string,
  retryAfterMs: number | undefined,
  failureOf: (document: unknown, name: string, challengeType: string) => AuthorityFailure,
): AcmeAuthorization {
  const what = 'authorization';
  const fields = objectOf(answer, what);
  const identifier = objectOf(fields['identifier'], what);
  const { challenges } = fields;
  if (!Array.isArray(challenges)) throw wrong(what, 'challenges');
  const value = textOf(identifier['value'], what, 'identifier');
  const failed: unknown = challenges.find((entry) => isObject(entry) && isObject(entry['error']));
  return {
    url,
    identifier: { type: oneOf(['dns', 'ip'] as const, identifier['type'], what), value },
    wildcard: fields['wildcard'] === true,
    status: oneOf(authorizationStates, fields['status'], what),
    challenges: challenges.map(readChallenge).filter((challenge) => challenge !== undefined),
    failure: isObject(failed) ? failureOf(failed['error'], value, String(failed['type'])) : undefined,
    retryAfterMs,
  };
}

/** Undefined for a kind without a token, of which there are some that nobody asked for. */
function readChallenge(answer: unknown): AcmeChallenge | undefined {
  const fields = objectOf(answer, 'challenge');
  const { type, url, token, status } = fields;
  if (typeof token !== 'string' || typeof type !== 'string') return undefined;
  // the token becomes part of a path and of a file name (RFC 8555 §8.1)
  if (!/^[\w-]{1,256}$/.test(token)) throw wrong('challenge', 'token');
  return {
    type,
    token,
    url: textOf(url, 'challenge', 'url'),
    status: oneOf(challengeStates, status, 'challenge'),
  };
}

/** RFC 9773 §4.2. Throws ExchangeError `not-acme`. */
export function readRenewalInfo(response: AcmeResponse, now: number): RenewalInfo {
  let answer: unknown;
  try {
    answer = JSON.parse(response.text);
  } catch {
    throw wrong('renewal info', 'JSON');
  }
  const fields = objectOf(answer, 'renewal info');
  const suggested = objectOf(fields['suggestedWindow'], 'renewal info');
  const start = timeOf(suggested['start']);
  const end = timeOf(suggested['end']);
  if (start === undefined || end === undefined || end <= start)
    throw wrong('renewal info', 'suggestedWindow');
  const explanation = fields['explanationURL'];
  const retry = retryAfterMs(response.headers, now) ?? 6 * hourMs;
  return {
    start,
    end,
    explanationUrl: typeof explanation === 'string' ? explanation.slice(0, 1000) : undefined,
    retryAfterMs: Math.min(Math.max(retry, minuteMs), 24 * hourMs),
  };
}

/**
 * RFC 9110 §10.2.3: seconds, or a date, which is read by the server's own clock where its answer shows it. Undefined
 * where there is none, or none that makes sense.
 */
export function retryAfterMs(headers: IncomingHttpHeaders, now: number): number | undefined {
  const written = headers['retry-after']?.trim();
  if (written === undefined || written === '') return undefined;
  if (/^\d{1,9}$/.test(written)) return Number(written) * 1000;
  // Date.parse takes nearly anything for a date
  const until = /^[a-z]{3},/i.test(written) ? Date.parse(written) : Number.NaN;
  if (Number.isNaN(until)) return undefined;
  const theirNow = Date.parse(headers.date ?? '');
  return Math.max(0, until - (Number.isNaN(theirNow) ? now : theirNow));
}

function wrong(what: string, field: string): ExchangeError {
  return new ExchangeError('not-acme', `It answers with a wrong ${what} (${field}).`);
}

function objectOf(value: unknown, what: string): Record<string, unknown> {
  if (!isObject(value)) throw wrong(what, 'JSON');
  return value;
}

function textOf(value: unknown, what: string, field: string): string {
  if (typeof value !== 'string' || value === '') throw wrong(what, field);
  return value;
}

function oneOf<Name extends string>(names: readonly Name[], value: unknown, what: string): Name {
  const found = names.find((name) => name === value);
  if (found === undefined) throw wrong(what, 'status or type');
  return found;
}

/** RFC 3339; milliseconds since 1970. */
function timeOf(value: unknown): number | undefined {
  const ms = typeof value === 'string' && /^\d{4}-\d\d-\d\dT/.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}
