import { runOnOwnNetwork } from './own-network.ts';

export interface RenewalPlan {
  /** Of each certificate. */
  readonly lifeSeconds: number;
  readonly renewals: number;
  /** New connections a second, beside those that are kept open. */
  readonly connectionsPerSecond: number;
  /** The window that the authority asks for, in seconds from each certificate's first moment; else it is Pebble's own, the whole life. */
  readonly windowSeconds?: readonly [start: number, end: number];
  /** Until it is given up. */
  readonly limitSeconds: number;
}

export interface Renewal {
  readonly serial: string;
  /** When `status` first said that it serves, by `performance.now()` of the run. */
  readonly servesAt: number;
}

export interface RenewalReport {
  readonly renewals: readonly Renewal[];
  /** By wrk, over connections that stay open. */
  readonly keepAlive: { readonly requests: number; readonly failures: Readonly<Record<string, number>> };
  /** How many new connections were made, and what was wrong with those that failed. */
  readonly connections: number;
  readonly failed: readonly string[];
  /** New connections that saw a certificate from before a swap that was over when they began. */
  readonly stale: readonly string[];
  readonly serials: readonly string[];
  readonly log: string;
}

/** Runs Pebble, a service and its callers on a network of their own. Needs what `runOnOwnNetwork` needs, and wrk. */
export async function renewUnderLoad(
  plan: RenewalPlan,
  progress: (line: string) => void,
): Promise<RenewalReport> {
  return (await runOnOwnNetwork('renewal-run.ts', plan, progress)) as RenewalReport;
}
