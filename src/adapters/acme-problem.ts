import { minuteText } from '../core/time-text.ts';
import type { ExchangeError } from './acme-exchange.ts';
import { requestWords, validationWords, type Words } from './acme-problem-words.ts';
import { AuthorityFailure, type AuthorityProblem, type Subproblem } from '../ports/certificate-issuer.ts';

/** What a problem is about, and what its remedy may name. */
export interface ProblemContext {
  /** The URL of the directory. */
  readonly authority: string;
  /** What was asked for: `the order`, `the account`, `the validation of a.example`. */
  readonly what: string;
  /** For a validation: how it was to be done. */
  readonly challenge?: { readonly name: string; readonly type: string } | undefined;
  /** HTTP status; undefined within a document. */
  readonly status?: number | undefined;
  readonly retryAfterMs?: number | undefined;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** A sentence about this host's clock, where it is far off. */
  readonly clockRemedy?: string | undefined;
  readonly settings: SettingNames;
}

/** The configuration keys of this authority; the second authority has its own. */
export interface SettingNames {
  readonly directoryUrl: string;
  readonly caFile: string;
  readonly eab: string;
}

/** The `what` of all that concerns the account. */
export const accountContext = 'the account';

const unknownWords: Words = {
  says: 'refused',
  remedy: 'See what it says; it is tried again by itself.',
  retryable: true,
};

/**
 * A problem document (RFC 7807, RFC 8555 §6.7), parsed, as the failure that a person reads: plain words, then what the
 * authority said itself. Something else than a document is judged by the status alone.
 */
export function refusal(document: unknown, context: ProblemContext): AuthorityFailure {
  const problem = readProblem(document, context.status);
  const words = wordsFor(problem.type, context);
  const limited = ['rateLimited', 'serverInternal'].includes(problem.type);
  const until =
    limited && context.retryAfterMs !== undefined
      ? ` until ${timeText(context.now + context.retryAfterMs)}`
      : '';
  const said = [problem.detail, ...problem.subproblems.map(subproblemText)].filter((text) => text !== '');
  const instance = fieldOf(document, 'instance');
  return new AuthorityFailure(
    `${hostOf(context.authority)} ${words.says}${until} (${context.what})${said.length === 0 ? '.' : `: ${said.join(' ')}`}`,
    {
      authority: context.authority,
      problem,
      remedy: [words.remedy, instance === '' ? '' : `See ${instance}.`, context.clockRemedy ?? '']
        .filter((text) => text !== '')
        .join(' '),
      retryable: words.retryable,
      retryAfterMs: context.retryAfterMs,
      ofAccount: context.what === accountContext,
    },
  );
}

function wordsFor(type: string, context: ProblemContext): Words {
  const { challenge } = context;
  const ofValidation = challenge === undefined ? undefined : validationWords[type];
  if (challenge !== undefined && ofValidation !== undefined) {
    return ofValidation(challenge.name, challenge.type);
  }
  if (type === 'externalAccountRequired') {
    return {
      says: 'only serves accounts that are bound to a customer of its own (EAB)',
      remedy: `Set ${context.settings.eab} to the key identifier and the HMAC key that the authority gave out.`,
      retryable: false,
    };
  }
  if (context.what === accountContext && ['unauthorized', 'malformed'].includes(type)) {
    return {
      says: 'does not accept our account',
      remedy: `Where the authority binds accounts to its customers, check ${context.settings.eab}; else ask it why.`,
      retryable: false,
    };
  }
  if (type === 'not-acme') return notAcme(context);
  return requestWords[type] ?? unknownWords;
}

const notAcme = (context: ProblemContext): Words => ({
  says: 'does not answer as an ACME server does',
  remedy: `Check ${context.settings.directoryUrl}: it is the address of the directory, not of the authority's web site.`,
  // a page of maintenance goes away by itself
  retryable: true,
});

/** No answer came, or none of an ACME server. */
export function noAnswer(error: ExchangeError, context: ProblemContext): AuthorityFailure {
  const host = hostOf(context.authority);
  const remedy = noAnswerRemedy(error, context);
  const how = {
    unreachable: 'cannot be reached',
    timeout: 'takes too long',
    tls: 'cannot be trusted',
    'not-acme': 'does not answer as an ACME server does',
  }[error.kind];
  return new AuthorityFailure(`${host} ${how} (${context.what}): ${plain(error.message)}`, {
    authority: context.authority,
    problem: { type: error.kind, detail: plain(error.message), status: context.status, subproblems: [] },
    remedy: context.clockRemedy === undefined ? remedy : `${remedy} ${context.clockRemedy}`,
    // all of it can pass without anybody here doing anything
    retryable: true,
    cause: error,
  });
}

const clockErrors = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID']);

function noAnswerRemedy(error: ExchangeError, context: ProblemContext): string {
  const { settings } = context;
  if (error.kind === 'not-acme') return notAcme(context).remedy;
  if (error.kind === 'tls') {
    if (clockErrors.has(error.systemCode ?? '')) {
      return `This host's clock shows ${timeText(context.now)}. If that is wrong, set it (timedatectl set-ntp true); if it is right, the authority has to renew the certificate of its own server.`;
    }
    if (error.systemCode === 'ERR_TLS_CERT_ALTNAME_INVALID') {
      return `Check the host name in ${settings.directoryUrl}.`;
    }
    return `For a private authority, name in ${settings.caFile} the PEM file of the certificate that signed its HTTPS certificate; for a public one, see who stands between.`;
  }
  return error.systemCode === 'ENOTFOUND'
    ? `Check ${settings.directoryUrl}, and that this host can look up names.`
    : 'Check the network and the firewall of this host, outgoing connections too; it is tried again by itself.';
}

function readProblem(document: unknown, status: number | undefined): AuthorityProblem {
  const written = fieldOf(document, 'type');
  const type = /^urn:(?:ietf:params:)?acme:error:(\w+)$/.exec(written)?.[1] ?? typeByStatus(status, document);
  const parts: unknown = (document as { subproblems?: unknown } | undefined)?.subproblems;
  const detail = fieldOf(document, 'detail') || (status === undefined ? '' : `HTTP status ${status}.`);
  return {
    type,
    detail,
    status,
    subproblems: Array.isArray(parts) ? parts.slice(0, 100).map(readSubproblem) : [],
  };
}

function typeByStatus(status: number | undefined, document: unknown): string {
  if (status === 429) return 'rateLimited';
  if (status !== undefined && status >= 500) return 'serverInternal';
  return fieldOf(document, 'detail') === '' ? 'not-acme' : 'malformed';
}

function readSubproblem(document: unknown): Subproblem {
  const { type, detail } = readProblem(document, undefined);
  const identifier = fieldOf((document as { identifier?: unknown }).identifier, 'value');
  return { type, detail, identifier: identifier === '' ? undefined : identifier };
}

function subproblemText({ type, detail, identifier }: Subproblem): string {
  return `${identifier === undefined ? type : `${identifier} (${type})`}: ${detail}`;
}

/** A text of the document, or an empty one. */
function fieldOf(document: unknown, name: string): string {
  if (typeof document !== 'object' || document === null) return '';
  const value = (document as Record<string, unknown>)[name];
  return typeof value === 'string' ? plain(value) : '';
}

/** Fit for a terminal and a log, whatever a server sends. */
function plain(text: string): string {
  return text
    .replaceAll(/[\p{C}\s]+/gu, ' ')
    .trim()
    .slice(0, 500);
}

const hostOf = (authority: string) => URL.parse(authority)?.host ?? authority;

/** `2026-11-22 18:04 UTC`, also of what no calendar has: it comes from outside. */
export function timeText(ms: number): string {
  return Number.isFinite(ms) && Math.abs(ms) <= 8.64e15 ? minuteText(ms) : 'an unknown time';
}
