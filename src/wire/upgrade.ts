import { statSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { settings } from '../config/schema.ts';
import { exitCodes, Failure, reasonOf } from '../core/errors.ts';
import type { InTurn } from '../core/turns.ts';
import { version } from '../core/version.ts';
import type { Logger } from '../ports/logger.ts';
import type { UpgradeRequest, UpgradeResult } from '../supervisor/control-messages.ts';
import { keepLastUpgrade, type LastUpgrade } from '../supervisor/last-upgrade.ts';
import type { ServiceManager } from '../supervisor/notify.ts';
import { startSuccessor, type Successor } from '../supervisor/successor.ts';
import type { Supervisor } from '../supervisor/supervisor.ts';
import { notTakenOver, upgradeUnderWay } from '../supervisor/upgrade-failure.ts';
import { withoutSecrets } from './worker-command.ts';

export interface UpgradeOptions {
  readonly supervisor: Supervisor;
  readonly systemd: ServiceManager;
  readonly log: Logger;
  dataDir(): string;
  /** Ends what only one supervisor may do: orders, backups by schedule. */
  pause(): Promise<void>;
  /** Starts that again, and takes back what the successor may have taken. Never rejects. */
  resume(): Promise<void>;
  /** After a start or reload that is under way. */
  readonly inTurn: InTurn;
}

/** The change from this supervisor to one of another version. */
export interface Upgrades {
  readonly underWay: boolean;
  /** The process that serves instead of this one. */
  readonly successorPid: number | undefined;
  /**
   * Hands over, unless `left` is aborted before: without whoever asked, nobody would make the new version the one that is installed.
   * Rejects with `upgrade-went-back`, and then all is as before; with `upgrade-under-way`; with `upgrade-file`.
   */
  upgrade(
    request: UpgradeRequest,
    progress: (step: string) => void,
    left?: AbortSignal,
  ): Promise<UpgradeResult>;
  /** The service is stopped: the successor ends too, unless the service is its own. Never rejects. */
  end(): Promise<void>;
  /** The same, at once. */
  kill(): void;
}

/** Long enough for what only shows after ten seconds, as a worker that stops answering does. */
const watchMs = 15_000;

export function createUpgrades(options: UpgradeOptions): Upgrades {
  const { supervisor, systemd, log } = options;
  let underWay = false;
  let stopped = false;
  let successor: Successor | undefined;
  let successorPid: number | undefined;

  const keep = async (upgrade: LastUpgrade): Promise<void> => {
    await keepLastUpgrade(options.dataDir(), upgrade).catch((error: unknown) =>
      log.warn({ reason: reasonOf(error) }, 'how the upgrade goes cannot be kept for "appliance status"'),
    );
  };
  const goOn = (left: AbortSignal | undefined): void => {
    if (stopped) throw notTakenOver('the service was stopped meanwhile');
    if (left?.aborted === true) throw alone();
  };

  const handOver = async (
    file: string,
    periodMs: number,
    began: (version: string) => Promise<void>,
    progress: (step: string) => void,
    left: AbortSignal | undefined,
  ): Promise<Successor> => {
    progress('starting the new version beside this one');
    await options.pause();
    goOn(left);
    const expects = supervisor.https();
    successor = startSuccessor({
      ...command(file),
      manager: systemd.environment,
      claims: supervisor.claims(),
      log,
    });
    const to = await successor.begun();
    await began(to);
    await successor.ready();
    progress(`${to} answers; watching it for ${periodMs / 1000} s`);
    await unlessAborted(successor.watch(periodMs, expects), left, alone);
    goOn(left);
    progress(`${to} is well; it takes over`);
    supervisor.closeMetrics();
    await successor.takeOver();
    goOn(left);
    const moved = await systemd.mainProcess(successor.pid);
    if (!moved) throw notTakenOver('systemd could not be told of the new main process');
    return successor;
  };

  const upgradeTo = async (
    request: UpgradeRequest,
    progress: (step: string) => void,
    left: AbortSignal | undefined,
  ): Promise<UpgradeResult> => {
    const startedMs = Date.now();
    let to = request.version ?? 'unknown';
    let isPaused = false;
    const upgrade = () => ({ from: version, to, startedMs });
    try {
      const file = await trusted(request.file);
      const began = (version: string): Promise<void> => {
        to = version;
        return keep({ ...upgrade(), outcome: 'under-way' });
      };
      isPaused = true;
      const { pid, release } = await handOver(file, request.watchMs ?? watchMs, began, progress, left);
      // the last word of this process to systemd
      await systemd.fallSilent();
      await keep({ ...upgrade(), endedMs: Date.now(), outcome: 'done' });
      successorPid = pid;
      release();
      return { from: version, to, pid };
    } catch (error) {
      const reason = reasonOf(error);
      log.error({ from: version, to, reason }, 'the upgrade went back: this version serves on');
      await systemd.mainProcess(process.pid);
      await successor?.end();
      successor = undefined;
      await keep({ ...upgrade(), endedMs: Date.now(), outcome: 'went-back', reason });
      if (isPaused && !stopped) await options.resume();
      underWay = false;
      throw error;
    }
  };

  return {
    get underWay() {
      return underWay;
    },
    get successorPid() {
      return successorPid;
    },
    async upgrade(request, progress, left) {
      if (underWay || stopped) throw upgradeUnderWay();
      underWay = true;
      return options.inTurn(() => upgradeTo(request, progress, left));
    },
    async end() {
      stopped = true;
      if (successorPid === undefined) await successor?.end();
    },
    kill() {
      if (successorPid === undefined) successor?.kill();
    },
  };
}

function alone(): Failure {
  return notTakenOver('whoever asked for it was ended, so nobody would have brought it to its end');
}

/** Rejects with `failure` as soon as the signal is aborted. */
async function unlessAborted<Value>(
  promise: Promise<Value>,
  signal: AbortSignal | undefined,
  failure: () => Failure,
): Promise<Value> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(failure());
  signal?.addEventListener('abort', abort);
  // what it then rejects with is of no matter
  promise.catch(() => undefined);
  try {
    if (signal?.aborted === true) abort();
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

/** What `serve` was given holds for its successor. */
function command(file: string) {
  const own = settings.flatMap(([, { key, secret }]): [string, string][] => {
    const value = process.env[key];
    return secret && value !== undefined ? [[key, value]] : [];
  });
  return {
    file,
    arguments: ['serve', ...process.argv.slice(process.argv.indexOf('serve') + 1)],
    environment: withoutSecrets(process.env),
    secrets: Object.fromEntries(own),
  };
}

/**
 * Whoever may talk to this service may not have it run just any program: it has to be root's, or of the owner of the one that
 * runs, and nobody else may change it. Rejects with `upgrade-file`.
 */
async function trusted(path: string): Promise<string> {
  const refuse = (why: string): never => {
    throw new Failure(`${path} is not run: ${why}`, { code: 'upgrade-file', exitCode: exitCodes.usage });
  };
  const file = await realpath(path).catch((error: unknown) => refuse(reasonOf(error)));
  const { uid, mode } = statSync(file);
  if (uid !== 0 && uid !== statSync(process.execPath).uid) refuse('it is another user’s');
  if ((mode & 0o022) !== 0) refuse('others may write to it');
  return file;
}
