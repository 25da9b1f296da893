import type { Counts } from '../http/counts.ts';
import type { VisitBatch } from '../ports/visit-batch.ts';
import { type ExitCode, exitCodes, Failure, reasonOf } from '../core/errors.ts';
import type { TlsSettings } from '../http/public-server.ts';

/**
 * What a worker is started with: all that it needs of the configuration and nothing secret. It travels over the
 * private channel to the child, never in its arguments or environment.
 */
export interface WorkerSettings {
  readonly listenHost: string;
  readonly httpPort: number;
  readonly httpsPort: number;
  /** Whether HTTPS is wanted. */
  readonly https: boolean;
  readonly tls: TlsSettings;
  /** Key authorizations by token (RFC 8555 §8.1), while an order is under way. */
  readonly challenges: Readonly<Record<string, string>>;
  readonly ourNames: readonly string[];
  readonly trustedProxies: readonly string[];
  readonly clientAddressHeader: 'x-forwarded-for' | 'forwarded';
  readonly geoipDir: string;
  readonly reverseDns: boolean;
  readonly portTest: boolean;
  readonly countVisits: boolean;
  readonly keepAddresses: boolean;
  /** What is missing though answers go on, in words. */
  readonly degraded: readonly string[];
  readonly logLevel: string;
}

/** A Failure as it crosses from one process to another. */
export interface ToldFailure {
  readonly message: string;
  readonly code: string;
  readonly remedy?: string | undefined;
  readonly exitCode: ExitCode;
}

/** What changes while workers run; they hold all of it from then on. */
export type WorkerChange = Partial<Pick<WorkerSettings, 'tls' | 'challenges' | 'degraded'>>;

/** A GeoIP database that a worker answers from. */
export interface EditionInUse {
  readonly type: string;
  /** Milliseconds since 1970. */
  readonly builtMs: number;
  /** A path, or `embedded`. */
  readonly source: string;
}

export type ToWorker =
  | { readonly type: 'start'; readonly settings: WorkerSettings; readonly supervisor: number }
  /** Answered with `changed` and the same number. */
  | { readonly type: 'change'; readonly id: number; readonly change: WorkerChange }
  /** Stop listening, finish what is open, end. */
  | { readonly type: 'drain' };

export type FromWorker =
  /** It answers; with a failure, without every certificate. */
  | {
      readonly type: 'ready';
      /** Of loopback; who asks there is answered by this worker. */
      readonly checkPort: number;
      readonly withoutTls?: ToldFailure | undefined;
      readonly editions: readonly EditionInUse[];
    }
  /** It cannot start, and why; the worker ends itself. */
  | { readonly type: 'refused'; readonly failure: ToldFailure }
  /** The change is in effect, or, with a failure, nothing has changed. */
  | { readonly type: 'changed'; readonly id: number; readonly failure?: ToldFailure }
  | { readonly type: 'counts'; readonly counts: WorkerCounts };

/** One second of a worker. */
export interface WorkerCounts extends Counts {
  /** The 99th percentile of how late the event loop ran its timers, in seconds. */
  readonly loopDelaySeconds: number;
  readonly visits?: VisitBatch | undefined;
  /** It cannot take connections. */
  readonly outOfDescriptors?: true | undefined;
}

export function toldFailure(error: unknown): ToldFailure {
  if (error instanceof Failure) {
    const { message, code, remedy, exitCode } = error;
    return { message, code, remedy, exitCode };
  }
  return { message: reasonOf(error), code: 'fault', exitCode: exitCodes.fault };
}

export function failureOf({ message, code, remedy, exitCode }: ToldFailure): Failure {
  return new Failure(message, { code, exitCode, ...(remedy === undefined ? {} : { remedy }) });
}
