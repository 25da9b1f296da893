import type { Host } from './host.ts';
import type { NameResolver } from '../../ports/name-resolver.ts';

export type FindingState = 'ok' | 'warning' | 'failed' | 'skipped';

/** What a check found. Nothing in it is a secret. */
export interface Finding {
  readonly state: FindingState;
  /** What is so, in a sentence without a full stop. */
  readonly words: string;
  /** What to do about it: a command to type, or a few words. Always there where it failed. */
  readonly remedy?: string;
}

/** One question about this host. It looks and changes nothing. */
export interface Check<Context = HostContext> {
  /** In kebab-case, unique and stable: `--only` and `--ignore` take it, scripts match it. */
  readonly name: string;
  /** What is looked at, for people: `port 80`. */
  readonly title: string;
  /** What it throws is a failed finding. The signal aborts at its time limit. */
  run(context: Context, signal: AbortSignal): Promise<Finding> | Finding;
}

/** What checks know of the host and of what it is to be: from the configuration, or from the flags of an install. */
export interface HostContext {
  readonly host: Host;
  /** Names and addresses under which the service is, or is to be, known. */
  readonly names: readonly string[];
  readonly httpPort: number;
  readonly httpsPort: number;
  /** Whether database and cache are, or are to be, containers of this host. */
  readonly containers: boolean;
  /** The names of their images, where they are known. */
  readonly images?: readonly string[];
  readonly dataFolder: string;
  /** Whether names are proven to the authority by records in DNS, so that it need not reach this host. */
  readonly dnsHook: boolean;
  /** The oldest C library that this program runs on: `2.36`. */
  readonly oldestGlibc: string;
  /** Absent where nothing is to be asked of the network. */
  readonly resolver?: NameResolver | undefined;
}

export function ok(words: string): Finding {
  return { state: 'ok', words };
}

export function warning(words: string, remedy: string): Finding {
  return { state: 'warning', words, remedy };
}

export function failed(words: string, remedy: string): Finding {
  return { state: 'failed', words, remedy };
}

/** For what cannot be looked at, or of which there is nothing to look at. */
export function skipped(words: string, remedy?: string): Finding {
  return remedy === undefined ? { state: 'skipped', words } : { state: 'skipped', words, remedy };
}
