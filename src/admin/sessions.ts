import type { Clock } from '../core/clock.ts';
import { Failure } from '../core/errors.ts';
import { newPassword } from '../core/password.ts';
import type { Cache } from '../ports/cache.ts';
import type { Database } from '../ports/database.ts';
import { digestOf, endOf, parseEntry, type SessionEntry, type SessionLives } from './session-entry.ts';
import { createStandings } from './session-standing.ts';
import type { User, VerifiedUser } from './users.ts';

export interface Session {
  /** His name and role as they were a few seconds ago at most. */
  readonly user: Pick<User, 'id' | 'name' | 'role'>;
  /** Milliseconds since 1970. */
  readonly createdMs: number;
  /** When it ends, if it is not used before. */
  readonly endsMs: number;
}

/**
 * Who is signed in. Whoever has a token has its session; of the token itself only the SHA-256 is kept. Sessions are in the cache, and
 * where they are persistent in the database too, which then has the last word: without the cache they go on from there.
 *
 * All reject as the database does: whether somebody may still do what he could is asked there every few seconds. Where sessions are not
 * persistent they reject with `sessions-away` (retryable) while the cache is away.
 */
export interface Sessions {
  /** For somebody whose password was right. Gives the token, which nothing here can give again. */
  create(
    user: Pick<VerifiedUser, 'id' | 'name' | 'role' | 'sessionStamp'>,
  ): Promise<Session & { readonly token: string }>;
  /** Undefined where there is none, or none any more. Being found makes it live on. */
  find(token: string): Promise<Session | undefined>;
  /** Ends it: here at once, in other processes within seconds. */
  revoke(token: string): Promise<void>;
  /** Ends all of a user's, within seconds. */
  revokeAll(userId: number): Promise<void>;
  /** Removes those from the database that have ended; gives how many. The cache does so by itself. */
  prune(): Promise<number>;
}

export interface SessionsOptions {
  readonly database: Database;
  readonly cache: Cache;
  /** `APP_SESSIONS=persistent`. */
  readonly persistent: boolean;
  readonly clock: Pick<Clock, 'now'>;
  readonly lives?: SessionLives;
}

const hourMs = 3_600_000;
/** A working day without a new sign-in, and a new one each week. */
const usualLives: SessionLives = { idleMs: 12 * hourMs, longestMs: 7 * 24 * hourMs };
/** Not each request is written down. */
const noteEveryMs = 60_000;
/** How long a cache that did not answer is not asked again. */
const skipAwayMs = 5_000;

export function createSessions({
  database,
  cache,
  persistent,
  clock,
  lives = usualLives,
}: SessionsOptions): Sessions {
  const entries = cache.namespace({
    name: 'sessions',
    lifeMs: lives.idleMs,
    maxEntries: 10_000,
    maxValueBytes: 1_000,
    mustKeep: true,
  });
  const standings = createStandings(database, persistent, clock);
  const keyOf = (digest: Buffer): string => digest.toString('base64url');

  let awayMs = Number.NEGATIVE_INFINITY;
  /** What the cache gives. With persistent sessions one that is away has nothing, and makes one wait for it, not all. */
  const ofCache = async <T>(action: () => Promise<T>): Promise<T | undefined> => {
    if (persistent && Math.abs(clock.now() - awayMs) < skipAwayMs) return undefined;
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (!persistent) throw sessionsAway(error);
      awayMs = clock.now();
      return undefined;
    }
  };
  const put = (digest: Buffer, entry: SessionEntry) =>
    ofCache(() =>
      entries.set(keyOf(digest), JSON.stringify(entry), Math.max(1, endOf(entry, lives) - clock.now())),
    );

  /** Writes down that it was used. That it could not be is no reason to turn anybody away: the next time then. */
  const note = async (digest: Buffer, entry: SessionEntry, text: string): Promise<SessionEntry> => {
    const used = { ...entry, lastUsedMs: clock.now() };
    const endsMs = endOf(used, lives);
    try {
      const [key, life] = [keyOf(digest), Math.max(1, endsMs - clock.now())];
      // never what was deleted meanwhile
      await ofCache(() => entries.compareAndSet(key, text, JSON.stringify(used), life));
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
    }
    if (!persistent) return used;
    try {
      await database.queries
        .updateTable('sessions')
        .set({ last_used_ms: used.lastUsedMs, expires_ms: endsMs })
        .where('token_hash', '=', digest)
        .where('last_used_ms', '<', used.lastUsedMs)
        .execute();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
    }
    standings.forget(digest);
    return used;
  };

  const end = async (digest: Buffer): Promise<void> => {
    await ofCache(() => entries.delete(keyOf(digest)));
    // also where they are not persistent: they may have been so before, and become so again
    await database.queries.deleteFrom('sessions').where('token_hash', '=', digest).execute();
    standings.forget(digest);
  };

  return {
    async create({ id, name, role, sessionStamp: stamp }) {
      const token = newPassword();
      const digest = digestOf(token);
      if (digest === undefined) throw new TypeError('a new token does not look like one');
      const now = clock.now();
      const entry = { userId: id, stamp, createdMs: now, lastUsedMs: now };
      const endsMs = endOf(entry, lives);
      if (persistent) {
        const times = { created_ms: now, last_used_ms: now, expires_ms: endsMs };
        const row = { token_hash: digest, user_id: id, ...times, data: JSON.stringify({ stamp }) };
        await database.queries.insertInto('sessions').values(row).execute();
      }
      await put(digest, entry);
      return { token, user: { id, name, role }, createdMs: now, endsMs };
    },
    async find(token) {
      const digest = digestOf(token);
      if (digest === undefined) return undefined;
      const text = await ofCache(() => entries.get(keyOf(digest)));
      const cached = text === undefined ? undefined : parseEntry(text);
      if (cached === undefined && !persistent) return undefined;
      const standing = await standings.of(digest, cached?.userId);
      const entry = later(cached, standing?.entry);
      const now = clock.now();
      const ended = entry === undefined || endOf(entry, lives) <= now;
      if (standing === undefined || ended || standing.disabled || standing.stamp !== entry.stamp) {
        if (cached !== undefined) await ofCache(() => entries.delete(keyOf(digest)));
        return undefined;
      }
      // the cache was emptied; should the session end at this very moment, its row is gone, and that counts
      if (cached === undefined) await put(digest, entry);
      const noted =
        now - entry.lastUsedMs < noteEveryMs
          ? entry
          : await note(digest, entry, text ?? JSON.stringify(entry));
      const user = { id: entry.userId, name: standing.name, role: standing.role };
      return { user, createdMs: entry.createdMs, endsMs: endOf(noted, lives) };
    },
    async revoke(token) {
      const digest = digestOf(token);
      if (digest !== undefined) await end(digest);
    },
    async revokeAll(userId) {
      await database.transaction(async (queries) => {
        const fresh = { session_stamp: newPassword() };
        await queries.updateTable('users').set(fresh).where('id', '=', userId).execute();
        await queries.deleteFrom('sessions').where('user_id', '=', userId).execute();
      });
      standings.forgetAll();
    },
    async prune() {
      const now = clock.now();
      const { numDeletedRows } = await database.queries
        .deleteFrom('sessions')
        .where(({ or, eb }) =>
          or([eb('expires_ms', '<=', now), eb('created_ms', '<=', now - lives.longestMs)]),
        )
        .executeTakeFirst();
      return Number(numDeletedRows);
    },
  };
}

/** The one that was used last: each may have missed something while the other was away. */
function later(cached: SessionEntry | undefined, kept: SessionEntry | undefined): SessionEntry | undefined {
  if (cached === undefined || kept === undefined) return cached ?? kept;
  return kept.lastUsedMs > cached.lastUsedMs ? kept : cached;
}

function sessionsAway(cause: Failure): Failure {
  return new Failure('sessions cannot be read or written: they are in the cache alone', {
    code: 'sessions-away',
    retryable: cause.retryable,
    remedy: 'bring the cache back; APP_SESSIONS=persistent keeps them in the database as well',
    cause,
  });
}
