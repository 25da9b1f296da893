import { createHash } from 'node:crypto';
import { isObject } from '../core/is-object.ts';

/** What is kept of a session, wherever. */
export interface SessionEntry {
  readonly userId: number;
  /** The user's `session_stamp` when it began. */
  readonly stamp: string;
  readonly createdMs: number;
  readonly lastUsedMs: number;
}

export interface SessionLives {
  /** How long it lives without being used, milliseconds. */
  readonly idleMs: number;
  /** How long it lives at all, milliseconds. */
  readonly longestMs: number;
}

/** When it ends, if nobody uses it before; milliseconds since 1970. */
export function endOf({ createdMs, lastUsedMs }: SessionEntry, { idleMs, longestMs }: SessionLives): number {
  return Math.min(createdMs + longestMs, lastUsedMs + idleMs);
}

/** The SHA-256 of a token: all that is ever kept of it. Undefined for what cannot be a token. */
export function digestOf(token: string): Buffer | undefined {
  return /^[\w-]{43}$/.test(token) ? createHash('sha256').update(token).digest() : undefined;
}

/** What the cache gave back. Undefined for what we have not written. */
export function parseEntry(text: string): SessionEntry | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (!isObject(value)) return undefined;
    const { userId, stamp, createdMs, lastUsedMs } = value;
    if (typeof userId !== 'number' || typeof stamp !== 'string') return undefined;
    if (typeof createdMs !== 'number' || typeof lastUsedMs !== 'number') return undefined;
    return { userId, stamp, createdMs, lastUsedMs };
  } catch {
    return undefined;
  }
}
