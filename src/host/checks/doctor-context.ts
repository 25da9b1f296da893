import type { Config } from '../../config/schema.ts';
import type { Failure } from '../../core/errors.ts';
import type { ServiceView } from '../../ports/service-view.ts';
import type { UnitFile } from '../install/units.ts';
import type { HostContext } from './check.ts';
import type { Container } from './container-facts.ts';
import type { UnitFacts } from './unit-facts.ts';

/** What doctor's checks know besides: an appliance that is here. Each question is asked once, however many checks ask it. */
export interface DoctorContext extends HostContext {
  /** Whether units and releases are, or should be, in their places; else it runs from wherever somebody started it. */
  readonly installed: boolean;
  /** Reading what is of it rejects or throws a Failure `…-denied` where this user may not read it, here and in `HostContext`. */
  readonly configuration: ConfigurationFacts;
  readonly runFolder: string;
  /** Rejects with the Failure that says why it cannot be asked: `not-running`, `control-denied`, `service-silent`, … */
  service(): Promise<ServiceView>;
  /** By name; none where systemd cannot be asked. */
  units(): Promise<ReadonlyMap<string, UnitFacts>>;
  /** What they should be. */
  readonly unitFiles: readonly UnitFile[];
  /** Of our project. Rejects where docker does not tell. */
  ownContainers(): Promise<readonly Container[]>;
  /** PostgreSQL, asked with the password of the files; undefined where all is well or there is none to ask. */
  askDatabase(): Promise<Failure | undefined>;
  /** Redis, likewise. */
  askCache(): Promise<CacheFacts>;
  /** How the last upgrade ended; undefined where there was none. */
  lastUpgrade(): Promise<UpgradeFacts | undefined>;
  /** The databases that an address is looked up in. Rejects with `geoip-unreadable`. */
  geoip(): Promise<readonly { readonly type: string; readonly builtMs: number; readonly source: string }[]>;
  backups(): Promise<BackupFacts>;
  /** Rejects with the Failure `backup-passphrase` where the passphrase cannot be used. */
  checkPassphrase(file: string): Promise<void>;
  /** When the last backup but one had to be there; undefined where none is wanted. */
  backupDueMs(now: number): number | undefined;
  /** What the native file beside a binary is called, and the SHA-256 that it has to have. */
  readonly nativeFile: { readonly name: string; readonly sha256: string };
}

export interface ConfigurationFacts {
  /** Undefined where nobody made one. */
  readonly secretsFolder: string | undefined;
  /** Each a line of text without a secret. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
  /** What passed its own check, whatever is wrong with the rest. */
  readonly values: Partial<Config>;
}

export interface UpgradeFacts {
  readonly from: string;
  readonly to: string;
  /** `done`, `went-back`, `under-way`. */
  readonly outcome: string;
  readonly reason?: string | undefined;
}

export interface CacheFacts {
  readonly failure?: Failure | undefined;
  /** What Redis does when it is full; undefined where it does not tell. */
  readonly policy?: string | undefined;
}

/** Times are milliseconds since 1970. */
export interface BackupFacts {
  /** The newest first, without those from before a restore and those that are dated ahead of the clock. */
  readonly archives: readonly {
    readonly name: string;
    readonly createdMs: number;
    readonly encrypted: boolean;
    readonly verifiedMs?: number;
    readonly copiedMs?: number;
    readonly copyFailure?: string;
  }[];
  /** One of those that are dated ahead of it. */
  readonly ahead?: string | undefined;
  readonly lastFailure?: { readonly atMs: number; readonly message: string } | undefined;
  /** The archive of a restore that was cut off. */
  readonly unfinishedRestore?: string | undefined;
}
