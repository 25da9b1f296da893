/** What the running service tells of itself, as far as others than its own commands care. Times are milliseconds since 1970. */
export interface ServiceView {
  readonly version: string;
  /** The supervisor's. */
  readonly pid: number;
  readonly startedAt: number;
  readonly listenHost: string;
  readonly httpPort: number;
  /** Undefined where nothing listens for HTTPS. */
  readonly httpsPort?: number | undefined;
  /** Where the last reload was: it serves with the configuration from before. */
  readonly refusedReload?: { readonly atMs: number; readonly reason: string } | undefined;
  readonly workers: readonly {
    readonly pid: number;
    readonly startedAt: number;
    readonly restarts: number;
  }[];
  readonly certificates: readonly CertificateView[];
  /** Undefined until database and cache were first looked at. */
  readonly state?: { readonly database: StateView; readonly cache: StateView } | undefined;
}

export interface CertificateView {
  readonly names: readonly string[];
  readonly state: 'valid' | 'fallback' | 'stand-in' | 'not-yet-valid' | 'expired';
  readonly notBefore?: number | undefined;
  readonly notAfter?: number | undefined;
  readonly nextAttemptAt: number;
  readonly lastError?:
    | {
        readonly at: number;
        readonly message: string;
        readonly remedy: string | undefined;
        readonly failures: number;
      }
    | undefined;
}

export interface StateView {
  /** Whether it can be read and written. */
  readonly ok: boolean;
  /** Whether it is not because it is being opened for the first time, and nothing went wrong so far. */
  readonly opening?: boolean | undefined;
  readonly words: string;
  readonly remedy?: string | undefined;
}
