import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm, rmdir, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { removeLeftovers, temporaryName } from './atomic-file.ts';
import { exitCodes, Failure } from './errors.ts';
import { findLock, isLost, type LockRecord, recordText } from './lock-record.ts';
import { monotonicMs, type ProcessIdentity, thisProcess } from './process-identity.ts';
import { systemCode, writeFailure } from './storage-failure.ts';

export interface LockOptions {
  /** The lock itself, in a folder that exists. */
  readonly path: string;
  /** What it guards, for people: `the certificates`. */
  readonly subject: string;
  /** Who takes it, for people: `appliance renew-certs`. */
  readonly holder: string;
  /** It is held for a moment only, so others wait for it instead of giving up. */
  readonly brief?: boolean;
  /** How long a holder that shows no sign of life keeps it; it renews its lock four times in that time. */
  readonly expiryMs?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

export interface HeldLock {
  /** Aborts, with a Failure `lock-lost`, when the lock was not renewed in time or was taken away. */
  readonly signal: AbortSignal;
  /** Throws that Failure unless the lock is still ours: to be asked right before what must not be done twice. */
  check(): Promise<void>;
  /** Never rejects. */
  release(): Promise<void>;
}

/** As long as one waits for a holder that is `brief`. */
const patienceMs = 5_000;

/**
 * Takes a lock that holds between processes of one host, and of several that share a file system. Rejects at once with
 * `locked` (exit code 5) where somebody holds it, with `store-unwritable` and the like where it cannot be written.
 *
 * The lock is a folder with one file in it, whose name nobody used before. Two calls of the system do all the work:
 * - a folder that holds our file is renamed to the lock: that succeeds only where there is none or an empty one, and
 *   for one of several at once (rename(2), ENOTEMPTY);
 * - the file of a holder that lost the lock is removed by its name. However late that comes, it cannot hit the next
 *   holder's, so there is nothing to verify and nothing to put back.
 * A holder renews by writing to the file it has open, which reaches nobody else's either.
 */
export async function takeLock(options: LockOptions): Promise<HeldLock> {
  const { path, expiryMs = 60_000, now = Date.now } = options;
  const self = thisProcess();
  const giveUpAt = monotonicMs() + patienceMs;
  await removeLeftovers(dirname(path));
  for (;;) {
    const held = await tryToTake(options, self);
    if (held !== undefined) return held;
    const times = { now: now(), nowMonotonic: monotonicMs() };
    const found = await findLock(path);
    if (found === undefined) {
      // for file systems that rename nothing over an empty folder; one that is not empty stays
      await rmdir(path).catch(() => undefined);
      if (times.nowMonotonic > giveUpAt) throw locked(options.subject, undefined, expiryMs, path);
    } else if (isLost(found, self, expiryMs, times)) await removeFile(found.path);
    else if (found.record?.brief === true && times.nowMonotonic < giveUpAt) await wait(50);
    else throw locked(options.subject, found.record, expiryMs, path);
  }
}

async function tryToTake(options: LockOptions, self: ProcessIdentity): Promise<HeldLock | undefined> {
  const { path, holder, brief = false, expiryMs = 60_000, now = Date.now } = options;
  const folder = temporaryName(path);
  const name = basename(folder).split('.').at(-2) ?? '';
  const record = (since: number): LockRecord => ({
    ...self,
    holder,
    brief,
    since,
    expiresAt: now() + expiryMs,
    expiresAtMonotonic: monotonicMs() + expiryMs,
  });
  let file: FileHandle | undefined;
  try {
    const first = record(now());
    await mkdir(folder, { mode: 0o700 });
    file = await open(join(folder, name), constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    await file.writeFile(recordText(first));
    await rename(folder, path);
    return hold(join(path, name), file, first, () => record(first.since), expiryMs);
  } catch (error) {
    await file?.close().catch(() => undefined);
    await rm(folder, { recursive: true, force: true }).catch(() => undefined);
    if (['ENOTEMPTY', 'EEXIST'].includes(systemCode(error) ?? '')) return undefined;
    throw writeFailure(path, error);
  }
}

function hold(
  path: string,
  file: FileHandle,
  first: LockRecord,
  next: () => LockRecord,
  expiryMs: number,
): HeldLock {
  const lost = new AbortController();
  let current = first;
  const lose = () =>
    lost.abort(new Failure('the lock was lost', { code: 'lock-lost', retryable: true, remedy: again }));
  const check = async () => {
    if (monotonicMs() > current.expiresAtMonotonic || !(await isSameFile(path, file))) lose();
    lost.signal.throwIfAborted();
  };
  const renew = async () => {
    // so late that another may be taking it by the time that this is written
    if (monotonicMs() > current.expiresAtMonotonic - expiryMs / 6) lose();
    lost.signal.throwIfAborted();
    const record = next();
    await file.write(recordText(record), 0);
    current = record;
    await check();
  };
  let renewing = Promise.resolve();
  const timer = setInterval(() => {
    // what could not be written this time is tried the next, until it is too late
    renewing = renewing.then(renew).catch(() => undefined);
  }, expiryMs / 4).unref();
  return {
    signal: lost.signal,
    check,
    async release() {
      clearInterval(timer);
      await renewing;
      await removeFile(path).catch(() => undefined);
      await file.close().catch(() => undefined);
      // not empty where the next holder is already there
      await rmdir(dirname(path)).catch(() => undefined);
    },
  };
}

const again = 'This process stood still for too long, and another took its place. Try again.';

async function isSameFile(path: string, file: FileHandle): Promise<boolean> {
  try {
    return (await stat(path)).ino === (await file.stat()).ino;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}

async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw writeFailure(path, error);
  }
}

function locked(subject: string, record: LockRecord | undefined, expiryMs: number, path: string): Failure {
  const who = record
    ? `${record.holder} (process ${record.pid} on ${record.host})`
    : `another process (${path})`;
  const since = record ? ` since ${new Date(record.since).toISOString()}` : '';
  return new Failure(`${subject} are locked by ${who}${since}`, {
    code: 'locked',
    exitCode: exitCodes.locked,
    retryable: true,
    remedy: `Wait until that is done, then try again. A holder that ended loses the lock by itself, at the latest after ${expiryMs / 1000} s.`,
  });
}
