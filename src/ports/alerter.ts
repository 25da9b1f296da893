/** Something that a person has to know in time. Carries no secret. */
export interface Alert {
  /** Stable, for scripts: `certificate-failing`, `certificate-expiring`, … */
  readonly kind: string;
  /** One line. */
  readonly subject: string;
  readonly body: string;
}

/**
 * Tells a person. Resolves when it was handed on; rejects with a Failure when it could not be, or with the signal's reason when that
 * aborts. Bounded in time by itself.
 */
export type Alerter = (alert: Alert, signal: AbortSignal) => Promise<void>;
