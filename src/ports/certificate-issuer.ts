import { exitCodes, Failure } from '../core/errors.ts';
import type { CertificatePair } from './certificate-store.ts';

export const keyTypes = ['ecdsa-p256', 'ecdsa-p384', 'rsa-2048', 'rsa-4096'] as const;
export type KeyType = (typeof keyTypes)[number];

/** What a certificate is asked for with. */
export interface IssueRequest {
  /** The first names the certificate in the store. DNS names, wildcards, IP addresses. */
  readonly names: readonly string[];
  readonly keyType: KeyType;
  /** Undefined: the authority's own default, `shortlived` where there is an IP address and it is offered. */
  readonly profile: string | undefined;
  /** The certID (RFC 9773 §5) of the certificate that this one takes the place of. */
  readonly replaces: string | undefined;
  /** False: the way is walked to its end, and nothing of it is kept but the account. */
  readonly keep: boolean;
}

/** One step of an order, in a few words for a person: `validating a.example over http-01`. */
export type Progress = (step: string) => void;

/** When an authority wants a certificate renewed (RFC 9773 §4.2). */
export interface RenewalInfo {
  /** Milliseconds since 1970. */
  readonly start: number;
  readonly end: number;
  readonly explanationUrl: string | undefined;
  /** How long until it may be asked again: the Retry-After, six hours where there was none. */
  readonly retryAfterMs: number;
}

/** One certificate authority as certificates are got from it. */
export interface CertificateIssuer {
  /** The URL of its ACME directory. */
  readonly authority: string;
  /**
   * Walks an order to its end (RFC 8555 §7.4), going on with one that was left behind. The caller holds the store's
   * lock. Nothing is saved as certificate: that is the caller's. Rejects with AuthorityFailure, or with the Failure of
   * what went wrong on this host. `signal` ends it as soon as possible.
   */
  issue(request: IssueRequest, progress: Progress, signal: AbortSignal): Promise<CertificatePair>;
  /** Undefined where the authority has no ARI. Rejects with AuthorityFailure. */
  renewalInfo(ariId: string, signal: AbortSignal): Promise<RenewalInfo | undefined>;
}

/** A part of a problem document that speaks of one identifier (RFC 8555 §6.7.1). */
export interface Subproblem {
  readonly type: string;
  readonly detail: string;
  readonly identifier: string | undefined;
}

export interface AuthorityProblem {
  /** The last word of the type's URN: `rateLimited`, `unauthorized`, `dns`, …; or one of ours: `unreachable`, `timeout`, `tls`, `not-acme`, `wrong-certificate`. */
  readonly type: string;
  readonly detail: string;
  /** The HTTP status; undefined where no answer came. */
  readonly status: number | undefined;
  readonly subproblems: readonly Subproblem[];
}

/** Types of problems that say something of the authority, and nothing of the names or the order. */
export const authorityTrouble = [
  'unreachable',
  'timeout',
  'tls',
  'not-acme',
  'serverInternal',
  'rateLimited',
  'badNonce',
] as const;

/** The authority refused, or could not be reached. Exit code 4; the certificate before still serves. */
export class AuthorityFailure extends Failure {
  readonly authority: string;
  readonly problem: AuthorityProblem;
  /** How long the authority wants to be left alone; undefined where it did not say. */
  readonly retryAfterMs: number | undefined;
  /** It refused our account, before anything was ordered. */
  readonly ofAccount: boolean;

  constructor(
    message: string,
    detail: {
      readonly authority: string;
      readonly problem: AuthorityProblem;
      readonly remedy: string;
      readonly retryable: boolean;
      readonly retryAfterMs?: number | undefined;
      readonly ofAccount?: boolean;
      readonly cause?: unknown;
    },
  ) {
    super(message, {
      code: `acme-${detail.problem.type}`,
      exitCode: exitCodes.authority,
      remedy: detail.remedy,
      retryable: detail.retryable,
      cause: detail.cause,
    });
    this.authority = detail.authority;
    this.problem = detail.problem;
    this.retryAfterMs = detail.retryAfterMs;
    this.ofAccount = detail.ofAccount ?? false;
  }
}
