import type { Clock } from '../core/clock.ts';
import { exitCodes, Failure } from '../core/errors.ts';
import { newPassword } from '../core/password.ts';
import type { PasswordHashing } from '../core/password-hash.ts';
import type { Database, Queries } from '../ports/database.ts';
import type { UsersTable } from '../ports/database-tables.ts';
import { type Actor, appendAudit } from './audit-log.ts';
import { checkNewPassword } from './password-rules.ts';
import { type Role, roleOf } from './role.ts';
import { userName } from './user-name.ts';

export interface User {
  readonly id: number;
  /** In NFC and lower case. */
  readonly name: string;
  readonly role: Role;
  readonly disabled: boolean;
  /** Milliseconds since 1970. */
  readonly createdMs: number;
  readonly lastSignInMs: number | undefined;
}

/** One who has just shown his password. */
export interface VerifiedUser extends User {
  /** For his session to carry; see `UsersTable`. */
  readonly sessionStamp: string;
}

export interface NewUser {
  readonly name: string;
  readonly password: string;
  /** Where absent: owner for the first, viewer for all others. */
  readonly role?: Role;
}

/**
 * People who may sign in. Whatever changes them is in the audit log, in the same transaction. All reject as the database does,
 * and with the Failures `user-name`, `user-exists`, `user-unknown`, `password-weak` and `last-owner` (exit code 2).
 */
export interface Users {
  add(user: NewUser, by: Actor): Promise<User>;
  /** By name. */
  list(): Promise<readonly User[]>;
  /** Undefined where there is none, or no such name can be. */
  find(name: string): Promise<User | undefined>;
  /** As `find`, but throws where there is none. */
  expect(name: string): Promise<User>;
  /** The name as it will be kept. Throws where it is none, or taken. */
  expectFree(name: string): Promise<string>;
  /** His sessions end within seconds. The last owner who may sign in cannot be removed. */
  remove(name: string, by: Actor): Promise<User>;
  /** His sessions end within seconds. */
  setPassword(name: string, password: string, by: Actor): Promise<User>;
  /** One who is disabled cannot sign in, and his sessions end within seconds. The last owner cannot be. */
  setDisabled(name: string, disabled: boolean, by: Actor): Promise<User>;
  /**
   * The user, if that is his password and he may sign in; undefined, after the same time, in all other cases. A hash
   * with an old cost is made anew.
   */
  verify(name: string, password: string): Promise<VerifiedUser | undefined>;
}

export interface UsersOptions {
  readonly database: Database;
  readonly hashing: PasswordHashing;
  readonly clock: Pick<Clock, 'now'>;
}

export function createUsers({ database, hashing, clock }: UsersOptions): Users {
  /** Finds the user and does something to him, with its entry, or nothing. */
  const change = (
    name: string,
    by: Actor,
    action: string,
    work: (queries: Queries, user: User) => Promise<unknown>,
  ): Promise<User> =>
    database.transaction(async (queries) => {
      const user = await expectUser(queries, name);
      await work(queries, user);
      await appendAudit(queries, clock.now(), { actor: by, action, subject: user.name });
      return (await rowOf(queries, user.name).then(userOf)) ?? user;
    });

  const expectFree = async (text: string): Promise<string> => {
    const name = userName(text);
    if ((await rowOf(database.queries, name)) !== undefined) throw userExists(name);
    return name;
  };

  return {
    async add(user, by) {
      const name = await expectFree(user.name);
      checkNewPassword(user.password, name);
      const password_hash = await hashing.hash(user.password);
      try {
        return await database.transaction(async (queries) => {
          const role = user.role ?? ((await hasOwner(queries)) ? 'viewer' : 'owner');
          const now = clock.now();
          const row = { name, role, password_hash, created_ms: now, last_sign_in_ms: null, disabled: false };
          const { id } = await queries
            .insertInto('users')
            .values({ ...row, session_stamp: newPassword() })
            .returning('id')
            .executeTakeFirstOrThrow();
          await appendAudit(queries, now, {
            actor: by,
            action: 'user.add',
            subject: name,
            details: { role },
          });
          return { id, name, role, disabled: false, createdMs: now, lastSignInMs: undefined };
        });
      } catch (error) {
        // another may have come first; its cause holds the statement's own words, which nobody needs
        if (error instanceof Failure && error.code === 'duplicate-key') throw userExists(name);
        throw error;
      }
    },
    async list() {
      const rows = await database.queries.selectFrom('users').selectAll().orderBy('name').execute();
      return rows.map(knownUserOf);
    },
    async find(name) {
      const known = nameOrNone(name);
      return known === undefined ? undefined : userOf(await rowOf(database.queries, known));
    },
    expect: (name) => expectUser(database.queries, name),
    expectFree,
    remove: (name, by) =>
      change(name, by, 'user.remove', async (queries, user) => {
        await queries.deleteFrom('users').where('id', '=', user.id).execute();
        if (isActiveOwner(user) && !(await hasOwner(queries))) throw lastOwner(user, 'removed');
      }),
    async setPassword(name, password, by) {
      const { name: known } = await expectUser(database.queries, name);
      checkNewPassword(password, known);
      const password_hash = await hashing.hash(password);
      return change(known, by, 'user.password', async (queries, { id }) => {
        const fresh = { password_hash, session_stamp: newPassword() };
        await queries.updateTable('users').set(fresh).where('id', '=', id).execute();
        await queries.deleteFrom('sessions').where('user_id', '=', id).execute();
      });
    },
    setDisabled: (name, disabled, by) =>
      change(name, by, disabled ? 'user.disable' : 'user.enable', async (queries, user) => {
        const session_stamp = newPassword();
        await queries
          .updateTable('users')
          .set({ disabled, session_stamp })
          .where('id', '=', user.id)
          .execute();
        if (disabled && isActiveOwner(user) && !(await hasOwner(queries))) throw lastOwner(user, 'disabled');
      }),
    async verify(name, password) {
      const known = nameOrNone(name);
      const row = known === undefined ? undefined : await rowOf(database.queries, known);
      const matches = await hashing.verify(password, row?.password_hash);
      if (row === undefined || !matches || row.disabled) return undefined;
      const { id, password_hash, session_stamp } = row;
      const last_sign_in_ms = clock.now();
      try {
        const renewed = hashing.isOutdated(password_hash) ? await hashing.hash(password) : password_hash;
        await database.queries
          .updateTable('users')
          .set({ last_sign_in_ms, password_hash: renewed })
          .where('id', '=', id)
          // not over a password that was set meanwhile
          .where('password_hash', '=', password_hash)
          .execute();
      } catch (error) {
        // a full disk, or a crowd, keeps nobody out
        if (!(error instanceof Failure)) throw error;
      }
      return { ...knownUserOf({ ...row, last_sign_in_ms }), sessionStamp: session_stamp };
    },
  };
}

type UserRow = Omit<UsersTable, 'id'> & { readonly id: number };

function rowOf(queries: Queries, name: string): Promise<UserRow | undefined> {
  return queries.selectFrom('users').selectAll().where('name', '=', name).executeTakeFirst();
}

async function expectUser(queries: Queries, name: string): Promise<User> {
  const known = userName(name);
  const user = userOf(await rowOf(queries, known));
  if (user !== undefined) return user;
  throw new Failure(`there is no user "${known}"`, {
    code: 'user-unknown',
    exitCode: exitCodes.usage,
    remedy: '"appliance admin user list" shows all of them',
  });
}

function nameOrNone(text: string): string | undefined {
  try {
    return userName(text);
  } catch {
    return undefined;
  }
}

function userOf(row: UserRow | undefined): User | undefined {
  return row === undefined ? undefined : knownUserOf(row);
}

function knownUserOf({ id, name, role, disabled, created_ms, last_sign_in_ms }: UserRow): User {
  const lastSignInMs = last_sign_in_ms ?? undefined;
  return { id, name, role: roleOf(role), disabled, createdMs: created_ms, lastSignInMs };
}

function isActiveOwner({ role, disabled }: User): boolean {
  return role === 'owner' && !disabled;
}

async function hasOwner(queries: Queries): Promise<boolean> {
  const owner = await queries
    .selectFrom('users')
    .select('id')
    .where('role', '=', 'owner')
    .where('disabled', '=', false)
    .limit(1)
    .executeTakeFirst();
  return owner !== undefined;
}

function userExists(name: string): Failure {
  return new Failure(`there is a user "${name}" already`, {
    code: 'user-exists',
    exitCode: exitCodes.usage,
    remedy: `choose another name, or give that one a new password: appliance admin user password ${name}`,
  });
}

function lastOwner({ name }: User, done: string): Failure {
  return new Failure(
    `"${name}" is the last owner and cannot be ${done}: nobody could let people in any more`,
    {
      code: 'last-owner',
      exitCode: exitCodes.usage,
      remedy: 'add another owner first: appliance admin user add NAME --role owner',
    },
  );
}
