import type { CertificateFacts } from '../core/certificate-facts.ts';

export type { CertificateFacts };

/** The key of one certificate in the store: who signs it, and the first of its names. */
export interface CertificateId {
  /** The URL of the ACME directory; `import` for a certificate that was brought along. */
  readonly authority: string;
  /** A DNS name, `*.` and a DNS name, or an IP address in its one canonical form without brackets. */
  readonly name: string;
}

/** A chain and its private key that were checked to belong together. */
export interface StoredCertificate {
  readonly id: CertificateId;
  readonly facts: CertificateFacts;
  /** Absolute paths of PEM files; the chain has the leaf first, the key is readable by its owner alone. */
  readonly chainFile: string;
  readonly keyFile: string;
  /** The chain itself, PEM, leaf first. */
  readonly chain: string;
}

/** PEM text. */
export interface CertificatePair {
  readonly chain: string;
  readonly key: string;
}

/** An account at an authority (RFC 8555 §7.1.2). */
export interface StoredAccount {
  /** PEM, PKCS #8. */
  readonly key: string;
  /** The account's URL; undefined until the authority has answered. */
  readonly url: string | undefined;
  /** The terms that were agreed to and when (milliseconds since 1970); undefined where the authority has none. */
  readonly terms: { readonly url: string; readonly agreedAt: number } | undefined;
}

/** An order that was placed and has not ended: the next run goes on with it instead of placing another. */
export interface PendingOrder {
  /** Undefined while the authority has not answered yet. */
  readonly url: string | undefined;
  readonly names: readonly string[];
  readonly profile: string | undefined;
  /** The key that the certificate is to be for, PEM. */
  readonly key: string;
  readonly placedAt: number;
}

/**
 * Keeps certificates, their accounts and what has to outlive a restart, so that whoever is killed at any moment leaves
 * either the old or the new of each, never a half. Writing rejects with a Failure (`store-full`, `store-unwritable`)
 * that names the file, and leaves what was there before. Several processes may use one store; who writes holds the lock.
 */
export interface CertificateStore {
  /** Undefined where there is none, or where its files are damaged or are no pair; that is told to the log. */
  load(id: CertificateId): Promise<StoredCertificate | undefined>;
  /** All that can be loaded. */
  list(): Promise<readonly StoredCertificate[]>;
  /** Rejects with `certificate-mismatch` where chain and key are no pair, with `certificate-unreadable` for no PEM. */
  save(id: CertificateId, pair: CertificatePair): Promise<StoredCertificate>;

  account(authority: string): Promise<StoredAccount | undefined>;
  saveAccount(authority: string, account: StoredAccount): Promise<void>;
  order(id: CertificateId): Promise<PendingOrder | undefined>;
  saveOrder(id: CertificateId, order: PendingOrder): Promise<void>;
  removeOrder(id: CertificateId): Promise<void>;
  /** A small JSON document beside the certificate, also before there is one; undefined where absent or damaged. */
  state(id: CertificateId): Promise<unknown>;
  saveState(id: CertificateId, state: object): Promise<void>;

  /**
   * Runs `action` while holding the lock that service and command line share. Rejects with a Failure `locked` (exit
   * code 5), which says who holds it since when, at once. A holder that died, or that has not renewed its lock in time, has lost it;
   * `signal` then aborts.
   */
  withLock<Result>(action: (signal: AbortSignal) => Promise<Result>): Promise<Result>;
}
