import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { hasEnded, onSameKernel, type ProcessIdentity } from './process-identity.ts';
import { readFailure, systemCode, writeFailure } from './storage-failure.ts';
import { readTextFile } from './text-file.ts';

/** What a holder says of itself in its lock. */
export interface LockRecord extends ProcessIdentity {
  /** What it is, for people: `appliance renew-certs`. */
  readonly holder: string;
  /** Milliseconds since 1970. */
  readonly since: number;
  /** When it loses the lock unless it renews it: milliseconds since 1970, and on its kernel's monotonic clock. */
  readonly expiresAt: number;
  readonly expiresAtMonotonic: number;
  /** Whether it holds the lock for a moment only, so that it is worth waiting for it. */
  readonly brief: boolean;
}

/** A lock that was found; `record` is undefined where its file is damaged. */
export interface FoundLock {
  readonly path: string;
  readonly record: LockRecord | undefined;
  readonly changedAt: number;
}

/** For people and scripts to read. One holder's records all have one length, so that a new one replaces the old in place. */
export function recordText(record: LockRecord): string {
  const written = {
    ...record,
    since: new Date(record.since).toISOString(),
    expiresAt: new Date(record.expiresAt).toISOString(),
    expiresAtMonotonic: String(record.expiresAtMonotonic).padStart(16, '0'),
  };
  return `${JSON.stringify(written, null, 2)}\n`;
}

function parseRecord(text: string): LockRecord | undefined {
  try {
    const found = JSON.parse(text) as Record<string, unknown>;
    const word = (key: keyof LockRecord) => (typeof found[key] === 'string' ? found[key] : '');
    const record = {
      holder: word('holder'),
      pid: Number(found['pid']),
      host: word('host'),
      bootId: word('bootId'),
      pidNamespace: word('pidNamespace'),
      startTime: word('startTime'),
      since: Date.parse(word('since')),
      expiresAt: Date.parse(word('expiresAt')),
      expiresAtMonotonic: Number(found['expiresAtMonotonic']),
      brief: found['brief'] === true,
    };
    const whole = [record.since, record.expiresAt, record.expiresAtMonotonic].every(Number.isFinite);
    // 0 and below mean groups of processes to kill(2)
    return whole && Number.isSafeInteger(record.pid) && record.pid > 0 ? record : undefined;
  } catch {
    return undefined;
  }
}

/** Who holds the lock that is the folder `path`; undefined where it is free. Rejects where it cannot be read. */
export async function findLock(path: string): Promise<FoundLock | undefined> {
  try {
    const [name] = await readdir(path);
    if (name === undefined) return undefined;
    const file = join(path, name);
    const { mtimeMs } = await stat(file);
    const { text } = await readTextFile(file);
    return { path: file, record: parseRecord(text ?? ''), changedAt: mtimeMs };
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT') return undefined;
    throw code === 'ENOTDIR' ? writeFailure(path, error) : readFailure(path, error);
  }
}

/**
 * Whether the holder has lost its lock: it ended, or did not renew it in time. `now` (milliseconds since 1970) and
 * `nowMonotonic` were taken before the lock was read, so that what was renewed since does not count as late. A wall
 * clock that was set wrong, here or there, must not hold a lock for years: none lasts longer than `expiryMs`.
 */
export function isLost(
  lock: FoundLock,
  self: ProcessIdentity,
  expiryMs: number,
  { now, nowMonotonic }: { readonly now: number; readonly nowMonotonic: number },
): boolean {
  const { record } = lock;
  if (record === undefined) return Math.abs(now - lock.changedAt) > expiryMs;
  if (hasEnded(record, self)) return true;
  if (onSameKernel(record, self)) return nowMonotonic > record.expiresAtMonotonic;
  return now > record.expiresAt || record.expiresAt - now > 2 * expiryMs;
}
