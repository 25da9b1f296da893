import type { Identifier } from '../core/identifier.ts';
import type { AuthorityFailure, Progress, RenewalInfo } from './certificate-issuer.ts';

/** RFC 8555 §7.1.3. */
export interface AcmeOrder {
  readonly url: string;
  readonly status: 'pending' | 'ready' | 'processing' | 'valid' | 'invalid';
  readonly authorizations: readonly string[];
  readonly finalize: string;
  /** Milliseconds since 1970. */
  readonly expires: number | undefined;
  /** URL of the chain, once the order is valid. */
  readonly certificate: string | undefined;
  /** Why it is invalid. */
  readonly failure: AuthorityFailure | undefined;
  /** When it is worth asking again. */
  readonly retryAfterMs: number | undefined;
}

/** RFC 8555 §7.1.4. */
export interface AcmeAuthorization {
  readonly url: string;
  /** Without `*.`. */
  readonly identifier: Identifier;
  readonly wildcard: boolean;
  readonly status: 'pending' | 'valid' | 'invalid' | 'deactivated' | 'expired' | 'revoked';
  readonly challenges: readonly AcmeChallenge[];
  /** Why it is invalid: what its challenge says. */
  readonly failure: AuthorityFailure | undefined;
  readonly retryAfterMs: number | undefined;
}

/** RFC 8555 §7.1.5. */
export interface AcmeChallenge {
  readonly type: string;
  readonly url: string;
  readonly status: 'pending' | 'processing' | 'valid' | 'invalid';
  readonly token: string;
}

export interface NewOrder {
  readonly identifiers: readonly Identifier[];
  readonly profile: string | undefined;
  /** Told to servers that have ARI (RFC 9773 §5). */
  readonly replaces: string | undefined;
}

/** What an authority says of itself in its directory (RFC 8555 §7.1.1). */
export interface AuthorityOffer {
  /** Names of its profiles; undefined where it has none. */
  readonly profiles: readonly string[] | undefined;
  /** By what name CAA records allow it (RFC 8659 §4.2); empty where it tells none. */
  readonly caaIdentities: readonly string[];
  /** Our account's URL. */
  readonly account: string | undefined;
  /** How far this host's clock is ahead of the authority's; undefined where that is less than an hour or unknown. */
  readonly clockSkewMs: number | undefined;
}

/**
 * One ACME server and our account there. Whatever the server refuses or fails at rejects with AuthorityFailure, an
 * aborted signal with its reason; each request has a time limit of its own, and none is repeated but for a bad nonce.
 */
export interface AcmeAuthority {
  /** The URL of its directory. */
  readonly url: string;
  /**
   * Reads the directory and makes sure that the account is there, its key in the store before the server hears of it,
   * and the consent to the terms recorded. To be called before an order; all but `renewalInfo` need it.
   */
  open(progress: Progress, signal: AbortSignal): Promise<AuthorityOffer>;
  newOrder(order: NewOrder, signal: AbortSignal): Promise<AcmeOrder>;
  order(url: string, signal: AbortSignal): Promise<AcmeOrder>;
  authorization(url: string, signal: AbortSignal): Promise<AcmeAuthorization>;
  /** Tells the server that the challenge can be met now. */
  answer(challenge: AcmeChallenge, signal: AbortSignal): Promise<void>;
  /** What is to be shown under the token (RFC 8555 §8.1), or for `dns-01` its digest (§8.4). */
  keyAuthorization(challenge: AcmeChallenge): Promise<string>;
  /** `request`: PKCS #10, PEM. */
  finalize(order: AcmeOrder, request: string, signal: AbortSignal): Promise<AcmeOrder>;
  /** PEM, leaf first. */
  certificate(url: string, signal: AbortSignal): Promise<string>;
  /** Undefined where the server has no ARI. */
  renewalInfo(ariId: string, signal: AbortSignal): Promise<RenewalInfo | undefined>;
}
