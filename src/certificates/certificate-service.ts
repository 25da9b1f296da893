import type { Failure } from '../core/errors.ts';
import type { KeyType } from '../ports/certificate-issuer.ts';

/** A certificate that the configuration asks for. */
export interface WantedCertificate {
  /** The first names it in the store and for `--domain`; any other does for `--domain` as well. */
  readonly names: readonly string[];
  readonly keyType: KeyType;
  readonly profile: string | undefined;
}

/** What `renew-certs` was told. */
export interface RenewOptions {
  /** Renew what is not due as well. */
  readonly force: boolean;
  /** One of the names of the certificate that is meant; undefined: all. */
  readonly domain: string | undefined;
  /** Walk the whole way at the staging directory, or at the given one where none is known, and keep nothing. */
  readonly dryRun: boolean;
}

/** What became of one certificate. */
export interface RenewOutcome {
  readonly names: readonly string[];
  readonly result: 'issued' | 'not-due' | 'tested' | 'failed';
  /** For people: why it was not due and when it will be; what failed, why. */
  readonly detail: string;
  /** What to do, where something failed. */
  readonly remedy?: string | undefined;
  /** For a failure, as the command ends with. */
  readonly exitCode: number;
  /** When the new certificate ends, or where something failed the one that goes on serving; milliseconds since 1970. */
  readonly notAfter?: number | undefined;
}

/** One certificate, as `status` shows it. Times are milliseconds since 1970. */
export interface CertificateStatus {
  readonly names: readonly string[];
  /** The directory of the configured authority. */
  readonly authority: string;
  /**
   * `valid`: of the configured authority. `fallback`: of the second authority, or of another one that was configured before.
   * `stand-in`: there is none yet, and a self-signed one serves. `not-yet-valid`: by the clock of this host its life is
   * yet to begin. `expired`: an outdated one is all there is.
   */
  readonly state: 'valid' | 'fallback' | 'stand-in' | 'not-yet-valid' | 'expired';
  /** What serves; undefined for the stand-in. */
  readonly serial?: string | undefined;
  readonly issuer?: string | undefined;
  readonly servedAuthority?: string | undefined;
  readonly notBefore?: number | undefined;
  readonly notAfter?: number | undefined;
  /** When the next attempt is, and why then, in a few words. */
  readonly nextAttemptAt: number;
  readonly reason: string;
  readonly lastError?: CertificateError | undefined;
}

export interface CertificateError {
  readonly at: number;
  readonly message: string;
  readonly remedy: string | undefined;
  readonly code: string;
  /** How many attempts in a row have failed. */
  readonly failures: number;
}

/** Gets certificates, keeps them from lapsing, tells what it does. */
export interface CertificateService {
  /** Loads what there is and has it served, while another process looks after it. */
  serveWhatThereIs(): Promise<void>;
  /** The same, and starts the schedule. */
  start(): Promise<void>;
  /** Ends the schedule and what is under way. */
  stop(): Promise<void>;
  /**
   * Renews what is due, or what the options say. Rejects with a Failure for what concerns all of it: `locked`, a domain
   * that nobody asked for. What fails for one certificate is its outcome.
   */
  renew(
    options: RenewOptions,
    progress: (step: string) => void,
    signal: AbortSignal,
  ): Promise<readonly RenewOutcome[]>;
  /** Takes over a chain and its key, PEM, where the configuration asks for a certificate with one of its names. */
  import(chain: string, key: string): Promise<RenewOutcome>;
  /**
   * What was handed over to be served cannot be used any more: the store is read anew and what is wrong there is put right,
   * as at the start. Resolves after that look; never rejects.
   */
  unusable(failure: Failure): Promise<void>;
  status(): Promise<readonly CertificateStatus[]>;
}
