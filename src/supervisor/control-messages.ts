import { isAbsolute } from 'node:path';
import type { LastUpgrade } from './last-upgrade.ts';
import type { EditionInUse } from './messages.ts';
import type { StateStatus } from './state-keeper.ts';
import { type ExitCode, exitCodes, Failure, reasonOf } from '../core/errors.ts';

/**
 * What the command line and the running service say to each other over the control socket. A connection carries one
 * request, a line of JSON; lines of JSON come back: any number of `progress`, then one `result` or one `failure`.
 * Certificates and outcomes are plain JSON whose types the caller knows.
 */
export interface ServiceControl<Certificate = unknown, Outcome = unknown> {
  status(): Promise<ServiceStatus<Certificate>>;
  /** `progress` is told each step in a few words. */
  renewCerts(
    options: RenewRequest,
    progress: (step: string) => void,
    signal: AbortSignal,
  ): Promise<readonly Outcome[]>;
  importCertificate(pair: ImportRequest): Promise<Outcome>;
  /**
   * Hands the service over to another version of itself, which is watched first. Rejects with `upgrade-went-back` where that one
   * did not do well, or where whoever asks leaves before the end (`signal`): then all is as before.
   */
  upgrade(to: UpgradeRequest, progress: (step: string) => void, signal?: AbortSignal): Promise<UpgradeResult>;
}

/** What `appliance renew-certs` was told. */
export interface RenewRequest {
  readonly force: boolean;
  readonly domain: string | undefined;
  readonly dryRun: boolean;
}

/** A chain, leaf first, and its key; PEM. */
export interface ImportRequest {
  readonly chain: string;
  readonly key: string;
}

/** The binary that is to serve. */
export interface UpgradeRequest {
  /** An absolute path, of a file that belongs to root or to whom the one that runs belongs to. */
  readonly file: string;
  /** What it is said to be, for people, until it says so itself. */
  readonly version?: string | undefined;
  /** How long it is watched before it takes over, in milliseconds; 15 s where absent. */
  readonly watchMs?: number | undefined;
}

export interface UpgradeResult {
  readonly from: string;
  readonly to: string;
  /** The supervisor's that serves now. */
  readonly pid: number;
}

/** The running service, as `appliance status` shows it. Times are milliseconds since 1970. */
export interface ServiceStatus<Certificate = unknown> {
  readonly version: string;
  /** The supervisor's. */
  readonly pid: number;
  readonly startedAt: number;
  readonly listenHost: string;
  readonly httpPort: number;
  /** Undefined where nothing listens for HTTPS. */
  readonly httpsPort?: number | undefined;
  readonly workers: readonly WorkerStatus[];
  readonly certificates: readonly Certificate[];
  /** Undefined until it was first looked at. */
  readonly state?: ServiceState | undefined;
  readonly backups?: BackupsStatus | undefined;
  /** The databases that addresses are looked up in. */
  readonly geoip?: readonly EditionInUse[] | undefined;
  readonly lastUpgrade?: LastUpgrade | undefined;
  /** Whether this process hands over just now, or has gone back and is not done with that. */
  readonly upgrading?: boolean | undefined;
  /** Where the last reload was: it serves with the configuration from before. */
  readonly refusedReload?: RefusedReload | undefined;
}

export interface RefusedReload {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly reason: string;
  /** Undefined where it is the configuration that has to be mended. */
  readonly remedy?: string | undefined;
}

/** What is known of the archives on this host. Times are milliseconds since 1970. */
export interface BackupsStatus {
  readonly count: number;
  readonly newest?:
    | {
        readonly name: string;
        readonly createdMs: number;
        readonly encrypted: boolean;
        readonly verifiedMs?: number;
        readonly copiedMs?: number;
        readonly copyFailure?: string;
      }
    | undefined;
  /** Of the newest run, where that failed. */
  readonly lastFailure?: { readonly atMs: number; readonly message: string } | undefined;
  /** The archive of a restore that was cut off, or is under way. */
  readonly unfinishedRestore?: string | undefined;
}

export interface ServiceState extends StateStatus {
  /** Since the start; `visits/visit-buffer.ts`. */
  readonly visits: { readonly waiting: number; readonly written: number; readonly blurred: number };
}

export interface WorkerStatus {
  readonly pid: number;
  readonly startedAt: number;
  /** How often a worker in this place had to be replaced because it died. */
  readonly restarts: number;
}

export type ControlRequest =
  | { readonly command: 'status' }
  | { readonly command: 'renew-certs'; readonly options: RenewRequest }
  | { readonly command: 'import-certificate'; readonly pair: ImportRequest }
  | { readonly command: 'upgrade'; readonly to: UpgradeRequest };

export type ControlAnswer =
  { readonly progress: string } | { readonly result: unknown } | { readonly failure: TransferredFailure };

/** A failure on its way between two processes. */
export interface TransferredFailure {
  readonly message: string;
  readonly code: string;
  readonly exitCode: ExitCode;
  readonly retryable: boolean;
  readonly remedy?: string | undefined;
  /** Why, and why that. */
  readonly causes: readonly string[];
}

/** A chain and its key take some 20 KB; nobody has more to say. */
export const maxRequestBytes = 256 * 1024;

/** Throws the Failure `request-malformed` for anything that is no request. */
export function parseRequest(line: string): ControlRequest {
  const request = objectOf(quietly(() => JSON.parse(line) as unknown));
  switch (request['command']) {
    case 'status':
      return { command: 'status' };
    case 'renew-certs': {
      const { force, domain, dryRun } = objectOf(request['options']);
      if (typeof force !== 'boolean' || typeof dryRun !== 'boolean') throw malformed();
      if (domain !== undefined && typeof domain !== 'string') throw malformed();
      return { command: 'renew-certs', options: { force, domain, dryRun } };
    }
    case 'import-certificate': {
      const { chain, key } = objectOf(request['pair']);
      if (typeof chain !== 'string' || typeof key !== 'string') throw malformed();
      return { command: 'import-certificate', pair: { chain, key } };
    }
    case 'upgrade': {
      const { file, version, watchMs } = objectOf(request['to']);
      if (typeof file !== 'string' || !isAbsolute(file)) throw malformed();
      if (version !== undefined && typeof version !== 'string') throw malformed();
      if (watchMs !== undefined && !(typeof watchMs === 'number' && watchMs >= 0 && watchMs <= mostWatchMs))
        throw malformed();
      return { command: 'upgrade', to: { file, version, watchMs } };
    }
    default:
      throw malformed();
  }
}

const mostWatchMs = 3_600_000;

/** Throws the Failure `answer-malformed` for anything that is no answer. */
export function parseAnswer(line: string): ControlAnswer {
  const answer = quietly(() => JSON.parse(line) as unknown);
  if (typeof answer === 'object' && answer !== null) {
    if ('progress' in answer || 'result' in answer || 'failure' in answer) return answer as ControlAnswer;
  }
  throw new Failure('the service answered with something that this program does not understand', {
    code: 'answer-malformed',
    remedy: 'is the service another release than this program? restart the service',
  });
}

export function transferred(error: unknown): TransferredFailure {
  const causes: string[] = [];
  for (let cause = causeOf(error); cause !== undefined && causes.length < 8; cause = causeOf(cause)) {
    causes.push(reasonOf(cause));
  }
  if (error instanceof Failure) {
    const { message, code, exitCode, retryable, remedy } = error;
    return { message, code, exitCode, retryable, remedy, causes };
  }
  return {
    message: reasonOf(error),
    code: 'fault',
    exitCode: exitCodes.fault,
    retryable: false,
    remedy: 'this is a fault of the service; its log tells more',
    causes,
  };
}

/** The failure as it was on the other side. */
export function received(failure: TransferredFailure): Failure {
  const { message, code, exitCode, retryable, remedy, causes } = failure;
  const cause = causes.reduceRight<Error | undefined>(
    (inner, text) => new Error(text, inner === undefined ? undefined : { cause: inner }),
    undefined,
  );
  return new Failure(message, {
    code,
    exitCode,
    retryable,
    ...(remedy === undefined ? {} : { remedy }),
    ...(cause === undefined ? {} : { cause }),
  });
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}

function malformed(): Failure {
  return new Failure('the service did not understand the request', {
    code: 'request-malformed',
    remedy: 'is the service another release than this program? restart the service',
  });
}

function objectOf(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw malformed();
  return value as Record<string, unknown>;
}

function quietly(parse: () => unknown): unknown {
  try {
    return parse();
  } catch {
    return undefined;
  }
}
