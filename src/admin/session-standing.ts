import type { Clock } from '../core/clock.ts';
import { isObject } from '../core/is-object.ts';
import type { Database } from '../ports/database.ts';
import { type Role, roleOf } from './role.ts';
import type { SessionEntry } from './session-entry.ts';

/** What the database says of a session. */
export interface Standing {
  readonly name: string;
  readonly role: Role;
  readonly disabled: boolean;
  /** What the person's sessions must carry. */
  readonly stamp: string;
  /** The session itself, where it is kept there. */
  readonly entry: SessionEntry | undefined;
}

/** The standings of sessions, each asked for once in a few seconds. */
export interface Standings {
  /** Undefined where there is no such person, or no such session where those are kept. Rejects as the database does. */
  of(digest: Buffer, userId: number | undefined): Promise<Standing | undefined>;
  forget(digest: Buffer): void;
  forgetAll(): void;
}

const freshMs = 3_000;
const maxKnown = 1_000;

/** `persistent`: sessions are kept in the database, and one that is not there has ended. */
export function createStandings(
  database: Database,
  persistent: boolean,
  clock: Pick<Clock, 'now'>,
): Standings {
  const known = new Map<
    string,
    { readonly atMs: number; readonly standing: Promise<Standing | undefined> }
  >();

  const read = async (digest: Buffer, userId: number | undefined): Promise<Standing | undefined> => {
    if (persistent) return ofPersistent(database, digest);
    return userId === undefined ? undefined : ofUser(database, userId);
  };

  return {
    of(digest, userId) {
      const key = digest.toString('base64url');
      const now = clock.now();
      const found = known.get(key);
      // a clock that was set back must not make it last
      if (found !== undefined && Math.abs(now - found.atMs) < freshMs) return found.standing;
      const standing = read(digest, userId);
      const mine = { atMs: now, standing };
      known.delete(key);
      known.set(key, mine);
      const [oldest] = known.keys();
      if (known.size > maxKnown && oldest !== undefined) known.delete(oldest);
      const drop = (): void => {
        if (known.get(key) === mine) known.delete(key);
      };
      // what is not there may come, and what failed is asked again
      standing.then((value) => (value === undefined ? drop() : undefined), drop);
      return standing;
    },
    forget: (digest) => void known.delete(digest.toString('base64url')),
    forgetAll: () => known.clear(),
  };
}

async function ofUser(database: Database, userId: number): Promise<Standing | undefined> {
  const row = await database.queries
    .selectFrom('users')
    .select(['name', 'role', 'disabled', 'session_stamp'])
    .where('id', '=', userId)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const { name, role, disabled, session_stamp: stamp } = row;
  return { name, role: roleOf(role), disabled, stamp, entry: undefined };
}

async function ofPersistent(database: Database, digest: Buffer): Promise<Standing | undefined> {
  const row = await database.queries
    .selectFrom('sessions')
    .innerJoin('users', 'users.id', 'sessions.user_id')
    .select(['user_id', 'sessions.created_ms', 'last_used_ms', 'data'])
    .select(['name', 'role', 'disabled', 'session_stamp'])
    .where('token_hash', '=', digest)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const { name, role, disabled, session_stamp, user_id, created_ms, last_used_ms, data } = row;
  const stamp = isObject(data) && typeof data['stamp'] === 'string' ? data['stamp'] : '';
  const entry = { userId: user_id, stamp, createdMs: created_ms, lastUsedMs: last_used_ms };
  return { name, role: roleOf(role), disabled, stamp: session_stamp, entry };
}
