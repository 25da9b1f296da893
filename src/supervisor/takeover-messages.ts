import type { ToldFailure } from './messages.ts';

/**
 * What a supervisor that serves and the one that is to take its place say to each other, over the private channel between a
 * process and its child. The two are different releases: messages and fields may be added here, none may change or go.
 */
export type ToSuccessor =
  /** The answer to `hello`. */
  | {
      readonly type: 'begin';
      /** Values of the configuration that came in the environment and may be seen by nobody else. */
      readonly secrets: Readonly<Record<string, string>>;
      /** By which systemd can be told of this service. */
      readonly manager: Readonly<Record<string, string>>;
      /** How many `claim` messages follow. */
      readonly claims: number;
    }
  /** With a handle: the listener by which a port is claimed (`port-claim.ts`). */
  | { readonly type: 'claim'; readonly host: string; readonly port: number }
  /** The watch is over: look after everything from now on. Answered with `taken`. */
  | { readonly type: 'take-over' }
  /** The service is yours; the predecessor finishes what it has and leaves. */
  | { readonly type: 'yours' }
  /** Finish what is open and end. */
  | { readonly type: 'end' };

export type FromSuccessor =
  | { readonly type: 'hello'; readonly version: string }
  /** All workers listen. */
  | { readonly type: 'ready' }
  /** Once a second while it is watched. */
  | { readonly type: 'health'; readonly health: SuccessorHealth }
  | { readonly type: 'taken' }
  /** It cannot serve, and why; it ends itself. */
  | { readonly type: 'failed'; readonly failure: ToldFailure };

export interface SuccessorHealth {
  /** What is wrong with its workers, in words; empty when all is well. */
  readonly faults: readonly string[];
  /** The names that it serves HTTPS for, with the SHA-256 fingerprint of each one's certificate. */
  readonly https: Readonly<Record<string, string>>;
}

/** The variable by which a supervisor knows that it is a successor: the PID of the one before. */
export const predecessorVariable = 'APPLIANCE_PREDECESSOR';
