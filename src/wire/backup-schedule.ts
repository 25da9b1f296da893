import { once } from 'node:events';
import { constants, setPriority } from 'node:os';
import { isSea } from 'node:sea';
import { Readable } from 'node:stream';
import { text as textOf } from 'node:stream/consumers';
import type { BackupSchedule } from '../backup/schedule.ts';
import type { Config } from '../config/schema.ts';
import { settings } from '../config/schema.ts';
import { systemClock } from '../core/clock.ts';
import { exitCodes, Failure, reasonOf } from '../core/errors.ts';
import { startProgram } from '../core/start-program.ts';
import type { Logger } from '../ports/logger.ts';
import type { BackupsStatus } from '../supervisor/control-messages.ts';
import { backups, backupsFolder } from './backup.ts';
import { withoutSecrets } from './worker-command.ts';

/** Set by `systemd/appliance.service`, where a timer of root's makes the backups. */
const hasTimer = 'APPLIANCE_BACKUP_TIMER';

/** Has backups made when it is time for them; undefined where BACKUP_SCHEDULE is off, or a timer of the host does it. */
export async function startBackupSchedule(config: Config, log: Logger): Promise<BackupSchedule | undefined> {
  const { backupSchedule: expression } = config;
  if (expression === undefined || process.env[hasTimer] === 'yes') return undefined;
  const { startSchedule } = await import('../backup/schedule.ts');
  return startSchedule({
    expression,
    newestMs: async () => (await backups.list(config)).find((each) => !each.beforeRestore)?.createdMs,
    async run(signal) {
      const startedMs = Date.now();
      await runAsChild(log, signal).catch((error: unknown) => noted(config, error, startedMs, signal));
    },
    clock: systemClock,
    log,
  });
}

/** A run that did not even begin, for want of its passphrase or its database, has noted nothing by itself. */
async function noted(config: Config, error: unknown, startedMs: number, signal: AbortSignal): Promise<never> {
  signal.throwIfAborted();
  const { changeRecord } = await import('../backup/record.ts');
  const message = reasonOf(error)
    .split('\n')[0]!
    .replace(/^error: /, '');
  const lastFailure = { atMs: Date.now(), code: 'backup-failed', message };
  await changeRecord(backupsFolder(config), (record) =>
    (record.lastFailure?.atMs ?? 0) >= startedMs ? record : { ...record, lastFailure },
  ).catch(() => undefined);
  throw error;
}

/** For `status`; undefined where the folder cannot be read. */
export async function backupsStatus(config: Config): Promise<BackupsStatus | undefined> {
  const { readRecord } = await import('../backup/record.ts');
  try {
    const found = (await backups.list(config)).filter(({ beforeRestore }) => !beforeRestore);
    const { lastFailure } = await readRecord(backupsFolder(config));
    const { readRestoreJournal } = await import('../backup/restore-journal.ts');
    const unfinishedRestore = (await readRestoreJournal(backupsFolder(config)))?.archive;
    return { count: found.length, newest: found[0], lastFailure, unfinishedRestore };
  } catch {
    return undefined;
  }
}

/** In a process of its own, whose memory is gone when it is done. Rejects where it failed. */
async function runAsChild(log: Logger, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const leading = isSea() ? [] : [process.argv[1]!];
  // what `serve` was given beside the configuration's files holds for its backups
  const flags = process.argv.slice(process.argv.indexOf('serve') + 1);
  const child = startProgram(process.execPath, [...leading, 'backup', 'scheduled', ...flags], {
    env: withoutSecrets(process.env),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const end = () => void child.kill('SIGTERM');
  signal.addEventListener('abort', end);
  try {
    // it may have ended already
    child.stdin?.on('error', () => undefined).end(JSON.stringify(secretsOf(process.env)));
    const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
    lowerPriority(child.pid);
    const [said, complaint, [status, how]] = await Promise.all([
      textOf(child.stdout ?? Readable.from([])),
      textOf(child.stderr ?? Readable.from([])),
      exited,
    ]);
    signal.throwIfAborted();
    if (status === exitCodes.locked) return log.info({}, 'somebody else makes a backup now');
    if (said !== '') log.info({ backup: JSON.parse(said) as unknown }, 'a backup was made');
    if (status === exitCodes.done || said !== '') {
      if (complaint !== '') log.warn({ text: complaint.trim() }, 'not all went well with the backup');
      return;
    }
    throw new Failure(complaint.trim() || `it ended with ${how ?? `status ${status}`}`, {
      code: 'backup-failed',
    });
  } finally {
    signal.removeEventListener('abort', end);
  }
}

/** Whoever waits for an answer goes first. */
function lowerPriority(pid: number | undefined): void {
  try {
    if (pid !== undefined) setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // it has ended already
  }
}

/** The environment of a process can be read; a pipe is closed when it was read. */
function secretsOf(environment: NodeJS.ProcessEnv): Record<string, string> {
  const own = settings.flatMap(([, { key, secret }]): [string, string][] => {
    const value = environment[key];
    return secret && value !== undefined ? [[key, value]] : [];
  });
  return Object.fromEntries(own);
}
