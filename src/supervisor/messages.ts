import type { Counts } from '../http/counts.ts';
import type { ExitCode } from '../core/errors.ts';

/**
 * What a worker is started with: all that it needs of the configuration and nothing secret. It travels over the
 * private channel to the child, never in its arguments or environment.
 */
export interface WorkerSettings {
  readonly listenHost: string;
  readonly httpPort: number;
  readonly ourNames: readonly string[];
  readonly trustedProxies: readonly string[];
  readonly clientAddressHeader: 'x-forwarded-for' | 'forwarded';
  readonly geoipDir: string;
  readonly reverseDns: boolean;
  readonly portTest: boolean;
  readonly logLevel: string;
}

/** A Failure as it crosses from one process to another. */
export interface ToldFailure {
  readonly message: string;
  readonly code: string;
  readonly remedy?: string | undefined;
  readonly exitCode: ExitCode;
}

export type ToWorker =
  | { readonly type: 'start'; readonly settings: WorkerSettings; readonly supervisor: number }
  /** Stop listening, finish what is open, end. */
  | { readonly type: 'drain' };

export type FromWorker =
  | { readonly type: 'ready' }
  /** It cannot start, and why; the worker ends itself. */
  | { readonly type: 'refused'; readonly failure: ToldFailure }
  | { readonly type: 'counts'; readonly counts: WorkerCounts };

/** One second of a worker. */
export interface WorkerCounts extends Counts {
  /** The 99th percentile of how late the event loop ran its timers, in seconds. */
  readonly loopDelaySeconds: number;
}
