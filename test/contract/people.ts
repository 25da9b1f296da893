import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createAuditLog } from '../../src/admin/audit-log.ts';
import { createSessions } from '../../src/admin/sessions.ts';
import { createSignInThrottle } from '../../src/admin/sign-in-throttle.ts';
import { createUsers, type Users } from '../../src/admin/users.ts';
import { createPasswordHashing } from '../../src/core/password-hash.ts';
import { createCertificateHistory } from '../../src/history/certificate-events.ts';
import { createGeoipHistory } from '../../src/history/geoip-editions.ts';
import type { Cache } from '../../src/ports/cache.ts';
import type { Database } from '../../src/ports/database.ts';
import { type CachePlace, openCache } from '../support/cache-client.ts';
import { type DatabasePlace, openDatabase } from '../support/open-database.ts';
import { until } from '../support/until.ts';

export interface PeoplePlaces {
  /** A new, empty one. */
  makeDatabase(): Promise<DatabasePlace>;
  readonly cache: CachePlace;
  /** Empties the cache, as a restart of its server would. */
  emptyCache(): Promise<void>;
}

const by = { name: 'root (via sudo from kim)' };
const password = 'correct horse battery';
const quick = { cost: { ln: 4, r: 8, p: 1 } };
const hourMs = 3_600_000;

/** What people, their sessions and the log of what they do have to be on every database and cache. */
export function peopleContract(name: string, makePlaces: () => Promise<PeoplePlaces>): void {
  describe(`${name}:`, () => {
    let places: PeoplePlaces;
    let database: Database;
    let cache: Cache;
    let users: Users;
    let now: number;
    const clock = { now: () => now };
    const endings: (() => Promise<unknown>)[] = [];
    let databasePlace: DatabasePlace;

    beforeAll(async () => {
      places = await makePlaces();
    });
    beforeEach(async () => {
      now = Date.UTC(2026, 10, 22);
      databasePlace = await places.makeDatabase();
      database = open();
      await database.migrate();
      cache = openCache(places.cache);
      endings.push(() => cache.close());
      users = createUsers({ database, hashing: createPasswordHashing(quick), clock });
    });
    afterEach(async () => {
      await Promise.all(endings.splice(0).map((end) => end()));
      await places.emptyCache();
    });
    afterAll(() => Promise.all(endings.splice(0).map((end) => end())));

    const open = (): Database => {
      const one = openDatabase(databasePlace);
      endings.push(() => one.close());
      return one;
    };
    const code = (expected: string, exitCode = 2) => ({ code: expected, exitCode });
    const logged = async () => {
      const entries = await createAuditLog(database, clock).read({ limit: 100 });
      return entries.map(({ action, subject }) => [action, subject]).toReversed();
    };

    describe('users', () => {
      it('are added, found and listed; the first is an owner, the next are viewers', async () => {
        expect(await users.list()).toEqual([]);
        const anna = await users.add({ name: 'anna', password }, by);
        expect(anna).toEqual({
          id: anna.id,
          name: 'anna',
          role: 'owner',
          disabled: false,
          createdMs: now,
          lastSignInMs: undefined,
        });
        await users.add({ name: 'zoé', password }, by);
        await users.add({ name: 'ben', password, role: 'owner' }, by);
        expect(await users.find('anna')).toEqual(anna);
        expect((await users.list()).map(({ name, role }) => [name, role])).toEqual([
          ['anna', 'owner'],
          ['ben', 'owner'],
          ['zoé', 'viewer'],
        ]);
        expect(await users.find('carl')).toBeUndefined();
        expect(await users.find('no such\nname')).toBeUndefined();
      });

      it('have one name, however it is written', async () => {
        await users.add({ name: 'Zoé', password }, by);
        for (const other of ['zoé', 'ZOÉ', 'zoe\u0301', 'ZOE\u0301']) {
          await expect(users.add({ name: other, password }, by)).rejects.toMatchObject(code('user-exists'));
          expect(await users.verify(other, password)).toMatchObject({ name: 'zoé' });
        }
      });

      it('of the same name who are added at once by several processes are one', async () => {
        const processes = [
          users,
          ...[1, 2].map(() =>
            createUsers({ database: open(), hashing: createPasswordHashing(quick), clock }),
          ),
        ];
        const added = await Promise.allSettled(
          processes.flatMap((each) => [
            each.add({ name: 'anna', password }, by),
            each.add({ name: 'ANNA', password }, by),
          ]),
        );
        expect(added.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
        for (const each of added) {
          if (each.status === 'rejected') expect(each.reason).toMatchObject(code('user-exists'));
        }
        expect(await logged()).toEqual([['user.add', 'anna']]);
      });

      it('who are added first at once are owner one, viewer all others', async () => {
        const names = ['a', 'b', 'c', 'd'];
        await Promise.all(names.map((each) => users.add({ name: each, password }, by)));
        const roles = (await users.list()).map(({ role }) => role).toSorted();
        expect(roles).toEqual(['owner', 'viewer', 'viewer', 'viewer']);
      });

      it('cannot be the last owner and go', async () => {
        await users.add({ name: 'anna', password }, by);
        await users.add({ name: 'ben', password }, by);
        await expect(users.remove('anna', by)).rejects.toMatchObject(code('last-owner'));
        await expect(users.setDisabled('anna', true, by)).rejects.toMatchObject(code('last-owner'));
        expect(await users.find('anna')).toMatchObject({ disabled: false });
        await users.add({ name: 'carl', password, role: 'owner' }, by);
        await users.setDisabled('carl', true, by);
        await expect(users.remove('anna', by)).rejects.toMatchObject(code('last-owner'));
        await users.setDisabled('carl', false, by);
        const gone = await Promise.allSettled([users.remove('anna', by), users.remove('carl', by)]);
        expect(gone.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
        await users.remove('ben', by);
        expect(await users.list()).toHaveLength(1);
        await expect(users.remove('ben', by)).rejects.toMatchObject(code('user-unknown'));
      });

      it('sign in with their password alone, and not when they are disabled', async () => {
        await users.add({ name: 'anna', password }, by);
        now += hourMs;
        expect(await users.verify('Anna', password)).toMatchObject({ name: 'anna', lastSignInMs: now });
        expect(await users.find('anna')).toMatchObject({ lastSignInMs: now });
        for (const [who, what] of [
          ['anna', 'correct horse'],
          ['anna', ''],
          ['nobody', password],
          ['no\0body', password],
        ] as const) {
          expect(await users.verify(who, what)).toBeUndefined();
        }
        await users.setPassword('anna', 'another horse battery', by);
        expect(await users.verify('anna', password)).toBeUndefined();
        expect(await users.verify('anna', 'another horse battery')).toBeDefined();
        await users.add({ name: 'ben', password, role: 'owner' }, by);
        await users.setDisabled('anna', true, by);
        expect(await users.verify('anna', 'another horse battery')).toBeUndefined();
      });

      it('get a hash with the present cost when they sign in', async () => {
        await users.add({ name: 'anna', password }, by);
        const hashing = createPasswordHashing({ cost: { ln: 5, r: 8, p: 1 } });
        const later = createUsers({ database, hashing, clock });
        expect(await later.verify('anna', 'wrong horse battery')).toBeUndefined();
        const hashOf = async () =>
          (await database.queries.selectFrom('users').selectAll().executeTakeFirstOrThrow()).password_hash;
        expect(await hashOf()).toMatch(/^\$scrypt\$ln=4,/);
        const first = await later.verify('anna', password);
        expect(await hashOf()).toMatch(/^\$scrypt\$ln=5,/);
        // which ends no session
        expect(await users.verify('anna', password)).toEqual(first);
      });

      it('keep their password when it is refused', async () => {
        await users.add({ name: 'anna', password }, by);
        await expect(users.setPassword('anna', 'short', by)).rejects.toMatchObject(code('password-weak'));
        await expect(users.setPassword('ben', password, by)).rejects.toMatchObject(code('user-unknown'));
        await expect(users.add({ name: 'ben', password: 'password123' }, by)).rejects.toMatchObject(
          code('password-weak'),
        );
        await expect(users.add({ name: 'b n', password }, by)).rejects.toMatchObject(code('user-name'));
        expect(await users.verify('anna', password)).toBeDefined();
        expect(await logged()).toEqual([['user.add', 'anna']]);
      });
    });

    describe('the audit log', () => {
      it('has every change with who made it, in one transaction with it', async () => {
        await users.add({ name: 'anna', password }, by);
        await users.add({ name: 'ben', password }, { name: 'anna', address: '2001:db8::1' });
        await users.setPassword('ben', 'another horse battery', by);
        await users.setDisabled('ben', true, by);
        await users.setDisabled('ben', false, by);
        await users.remove('ben', by);
        await users.remove('anna', by).catch(() => undefined);
        expect(await logged()).toEqual([
          ['user.add', 'anna'],
          ['user.add', 'ben'],
          ['user.password', 'ben'],
          ['user.disable', 'ben'],
          ['user.enable', 'ben'],
          ['user.remove', 'ben'],
        ]);
        const [last, ...rest] = (await createAuditLog(database, clock).read({ limit: 100 })).toReversed();
        expect(last).toMatchObject({ actor: by, atMs: now, details: { role: 'owner' } });
        expect(rest[0]).toMatchObject({ actor: { name: 'anna', address: '2001:db8::1' } });
        expect(JSON.stringify(rest)).not.toMatch(/horse|scrypt/);
      });

      it('is read a page at a time, newest first, and pruned by age and number', async () => {
        const log = createAuditLog(database, clock);
        for (let index = 0; index < 25; index++) {
          now += 1000;
          await log.append({ actor: by, action: 'test', subject: `${index}`, details: { index } });
        }
        const pages: string[][] = [];
        for (let beforeId: number | undefined; ;) {
          const page = await log.read({ limit: 10, ...(beforeId !== undefined && { beforeId }) });
          if (page.length === 0) break;
          pages.push(page.map(({ subject }) => subject ?? ''));
          beforeId = page.at(-1)?.id;
        }
        expect(pages.map(({ length }) => length)).toEqual([10, 10, 5]);
        expect(pages.flat()).toEqual(Array.from({ length: 25 }, (_, index) => `${24 - index}`));
        expect(await log.prune({ beforeMs: now - 19_000, keep: 1000 })).toBe(5);
        expect(await log.prune({ beforeMs: 0, keep: 8 })).toBe(12);
        expect((await log.read({ limit: 100 })).map(({ subject }) => subject)).toEqual(
          Array.from({ length: 8 }, (_, index) => `${24 - index}`),
        );
        expect(await log.prune({ beforeMs: 0, keep: 0 })).toBe(8);
      });

      it('keeps hostile names on one line and of a length', async () => {
        const log = createAuditLog(database, clock);
        await log.append({ actor: { name: `a\n\u001b[2Jb\0\ud800${'x'.repeat(5000)}` }, action: 'test' });
        const [entry] = await log.read({ limit: 1 });
        expect(entry?.actor.name).toMatch(/^a \[2Jb �x+$/);
        expect(entry?.actor.name).toHaveLength(200);
      });
    });

    describe.each([true, false])('sessions, persistent: %s,', (persistent) => {
      const sessionsOf = (on: Database = database, over: Cache = cache) =>
        createSessions({ database: on, cache: over, persistent, clock });
      const signIn = async (who = 'anna') => {
        await users.add({ name: who, password, role: 'owner' }, by);
        const user = await users.verify(who, password);
        if (user === undefined) throw new Error('the password is wrong');
        const { token } = await sessionsOf().create(user);
        return { user, token };
      };
      const closedCache = async (): Promise<Cache> => {
        const closed = openCache(places.cache);
        await closed.close();
        return closed;
      };

      it('are found by their token, by every process, and by nothing else', async () => {
        const { user, token } = await signIn();
        expect(token).toMatch(/^[\w-]{43}$/);
        const session = {
          user: { id: user.id, name: 'anna', role: 'owner' },
          createdMs: now,
          endsMs: now + 12 * hourMs,
        };
        expect(await sessionsOf().find(token)).toEqual(session);
        expect(await sessionsOf(open()).find(token)).toEqual(session);
        const digest = createHash('sha256').update(token).digest('base64url');
        for (const other of [
          '',
          'x',
          digest,
          `${token}x`,
          token.slice(1),
          token.replace(/./, (c) => (c === 'a' ? 'b' : 'a')),
        ]) {
          expect(await sessionsOf().find(other)).toBeUndefined();
        }
      });

      it('are kept by the digest of their token alone', async () => {
        const { token } = await signIn();
        const rows = await database.queries.selectFrom('sessions').selectAll().execute();
        expect(rows).toHaveLength(persistent ? 1 : 0);
        for (const row of rows) {
          expect(Buffer.from(row.token_hash)).toEqual(createHash('sha256').update(token).digest());
          expect(JSON.stringify(row)).not.toContain(token);
        }
      });

      it('live on when they are used, but not for ever', async () => {
        const { token } = await signIn();
        const start = now;
        const sessions = sessionsOf();
        for (; now < start + 7 * 24 * hourMs - 11 * hourMs; now += 11 * hourMs) {
          expect(await sessions.find(token), `after ${(now - start) / hourMs} h`).toBeDefined();
        }
        expect(await sessions.find(token)).toMatchObject({ endsMs: start + 7 * 24 * hourMs });
        now = start + 7 * 24 * hourMs;
        expect(await sessions.find(token)).toBeUndefined();
        expect(await sessionsOf().find(token)).toBeUndefined();
      });

      it('end when nobody uses them', async () => {
        const { token } = await signIn();
        now += 12 * hourMs - 1;
        expect(await sessionsOf().find(token)).toBeDefined();
        now += 12 * hourMs;
        expect(await sessionsOf().find(token)).toBeUndefined();
      });

      it('end here at once when they are revoked, and stay so', async () => {
        const { token, user } = await signIn();
        const sessions = sessionsOf();
        const other = await sessions.create(user);
        await sessions.find(token);
        await sessions.revoke(token);
        await sessions.revoke(token);
        await sessions.revoke('no token');
        expect(await sessions.find(token)).toBeUndefined();
        expect(await sessionsOf().find(token)).toBeUndefined();
        expect(await sessions.find(other.token)).toBeDefined();
        await sessions.revokeAll(user.id);
        expect(await sessions.find(other.token)).toBeUndefined();
      });

      it('stay revoked although requests come at the same time', async () => {
        const { token } = await signIn();
        const [one, two] = [sessionsOf(), sessionsOf(open())];
        now += 120_000;
        const finds = Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? one : two).find(token));
        await one.revoke(token);
        await Promise.all(finds);
        now += 3_000;
        expect(await one.find(token)).toBeUndefined();
        expect(await two.find(token)).toBeUndefined();
      });

      it.each<[string, (user: { id: number }) => Promise<unknown>]>([
        ['is removed', () => users.remove('anna', by)],
        ['is disabled', () => users.setDisabled('anna', true, by)],
        ['gets another password', () => users.setPassword('anna', 'another horse battery', by)],
        ['is signed out everywhere', ({ id }) => sessionsOf().revokeAll(id)],
      ])('end within seconds in all processes when their user %s', async (_, happens) => {
        await users.add({ name: 'ben', password, role: 'owner' }, by);
        const { token, user } = await signIn();
        const elsewhere = sessionsOf(open());
        expect(await elsewhere.find(token)).toBeDefined();
        await happens(user);
        now += 3_000;
        expect(await elsewhere.find(token)).toBeUndefined();
        expect(await sessionsOf().find(token)).toBeUndefined();
      });

      it('never become those of another who comes later', async () => {
        await users.add({ name: 'ben', password, role: 'owner' }, by);
        const { token, user } = await signIn();
        await users.remove('anna', by);
        // as after a restore of an older state, in which the number was not given yet
        const values = { id: user.id, name: 'eve', role: 'owner', disabled: false, session_stamp: 'other' };
        await database.queries
          .insertInto('users')
          .values({ ...values, password_hash: 'x', created_ms: now, last_sign_in_ms: null })
          .execute();
        expect(await sessionsOf().find(token)).toBeUndefined();
      });

      it('of a password that was changed meanwhile do not begin', async () => {
        const { user } = await signIn();
        await users.setPassword('anna', 'another horse battery', by);
        const { token } = await sessionsOf().create(user);
        expect(await sessionsOf().find(token)).toBeUndefined();
      });

      it('show a new role within seconds', async () => {
        const { token } = await signIn();
        const sessions = sessionsOf();
        expect(await sessions.find(token)).toMatchObject({ user: { role: 'owner' } });
        await database.queries.updateTable('users').set({ role: 'viewer' }).execute();
        now += 3_000;
        expect(await sessions.find(token)).toMatchObject({ user: { role: 'viewer' } });
        await database.queries.updateTable('users').set({ role: 'of a later release' }).execute();
        now += 3_000;
        expect(await sessions.find(token)).toMatchObject({ user: { role: 'viewer' } });
      });

      it(
        persistent ? 'are there again when the cache was emptied' : 'are gone when the cache was emptied',
        async () => {
          const { token } = await signIn();
          await places.emptyCache();
          await until('the cache is back', () =>
            cache.namespace({ name: 'probe', maxEntries: 1, maxValueBytes: 9 }).set('a', 'b'),
          );
          expect((await sessionsOf().find(token)) !== undefined).toBe(persistent);
          if (!persistent) return;
          // and in the cache again: what is asked there is not asked of the table
          const key = createHash('sha256').update(token).digest('base64url');
          const bounds = { name: 'sessions', maxEntries: 10_000, maxValueBytes: 1_000, mustKeep: true };
          expect(await cache.namespace(bounds).get(key)).toContain('"userId"');
        },
      );

      it(
        persistent ? 'begin, go on and end without the cache' : 'without the cache are a clear failure',
        async () => {
          const { user, token } = await signIn();
          const sessions = sessionsOf(database, await closedCache());
          if (!persistent) {
            const away = { code: 'sessions-away', retryable: true };
            await expect(sessions.create(user)).rejects.toMatchObject(away);
            await expect(sessions.find(token)).rejects.toMatchObject(away);
            await expect(sessions.revoke(token)).rejects.toMatchObject(away);
            return;
          }
          const other = await sessions.create(user);
          for (const each of [token, other.token]) expect(await sessions.find(each)).toBeDefined();
          now += 11 * hourMs;
          for (const each of [token, other.token]) expect(await sessions.find(each)).toBeDefined();
          now += 11 * hourMs;
          // the cache, which missed all that, is back
          expect(await sessionsOf().find(token)).toBeDefined();
          await sessions.revoke(token);
          now += 3_000;
          expect(await sessionsOf().find(token)).toBeUndefined();
        },
      );

      it('are not believed for longer than seconds without the database', async () => {
        const { token } = await signIn();
        const own = open();
        const sessions = sessionsOf(own);
        expect(await sessions.find(token)).toBeDefined();
        await own.close();
        expect(await sessions.find(token)).toBeDefined();
        now += 3_000;
        await expect(sessions.find(token)).rejects.toMatchObject({ code: 'database-closed' });
      });

      it('that have ended are pruned', async () => {
        const { user, token } = await signIn();
        const sessions = sessionsOf();
        now += 6 * hourMs;
        await sessions.create(user);
        expect(await sessions.prune()).toBe(0);
        now += 6 * hourMs;
        expect(await sessions.prune()).toBe(persistent ? 1 : 0);
        expect(await sessions.find(token)).toBeUndefined();
        now += 6 * hourMs;
        expect(await sessions.prune()).toBe(persistent ? 1 : 0);
      });
    });

    describe('attempts to sign in', () => {
      /** The same cache with more patience: on a busy machine a miss after 200 ms is none of its faults. */
      const patient = (): Cache => ({
        ...cache,
        namespace: (options) => cache.namespace({ ...options, mustKeep: true }),
      });
      it('are limited for an address, and for the whole network of one of IPv6', async () => {
        const throttle = createSignInThrottle(patient(), clock);
        for (let index = 0; index < 20; index++)
          expect(await throttle.attempt(`n${index}`, '192.0.2.1')).toBe(0);
        expect(await throttle.attempt('n', '192.0.2.1')).toBeGreaterThan(14 * 60_000);
        expect(await throttle.attempt('n', '192.0.2.2')).toBe(0);
        await throttle.succeeded('n');
        expect(await throttle.attempt('n', '192.0.2.1')).toBeGreaterThan(0);
        for (let index = 0; index < 20; index++)
          expect(await throttle.attempt(`m${index}`, `2001:db8::${index}`)).toBe(0);
        expect(await throttle.attempt('m', '2001:db8::ffff:1')).toBeGreaterThan(0);
        expect(await throttle.attempt('m', '2001:db8:0:1::1')).toBe(0);
      });

      it('are limited for an account from wherever they come, until one succeeds', async () => {
        const [throttle, elsewhere] = [
          createSignInThrottle(patient(), clock),
          createSignInThrottle(patient(), clock),
        ];
        for (let index = 0; index < 50; index++) {
          const one = index % 2 === 0 ? throttle : elsewhere;
          expect(await one.attempt(index % 3 === 0 ? 'Anna' : 'anna', `192.0.2.${index}`)).toBe(0);
        }
        expect(await throttle.attempt('ANNA', '198.51.100.1')).toBeGreaterThan(59 * 60_000);
        expect(await throttle.attempt('ben', '198.51.100.1')).toBe(0);
        await elsewhere.succeeded('anna');
        expect(await throttle.attempt('anna', '198.51.100.1')).toBe(0);
      });

      it('are limited in each process while the cache is away', async () => {
        const closed = openCache(places.cache);
        await closed.close();
        const throttle = createSignInThrottle(closed, clock);
        for (let index = 0; index < 20; index++)
          expect(await throttle.attempt('anna', `192.0.2.${index}`)).toBe(0);
        expect(await throttle.attempt('ben', '198.51.100.1')).toBe(60_000);
        await throttle.succeeded('anna');
        now += 60_000;
        expect(await throttle.attempt('anna', '192.0.2.1')).toBe(0);
      });
    });

    describe('the history', () => {
      it('of certificates is read newest first, by name, and pruned', async () => {
        const history = createCertificateHistory(database, clock);
        const event = {
          event: 'issued',
          authority: 'https://ca.example/directory',
          details: { names: ['a', 'b'] },
        };
        const ends = { notAfterMs: now + hourMs, error: undefined };
        await history.append({ ...event, name: 'a.example', ...ends });
        now += 1000;
        await history.append({ ...event, name: 'b.example', ...ends });
        now += 1000;
        await history.append({
          ...event,
          event: 'failed',
          name: 'a.example',
          notAfterMs: undefined,
          error: 'a "reason"\nof two lines',
        });
        const all = await history.read({ limit: 10 });
        expect(all.map(({ name, atMs }) => [name, atMs - now])).toEqual([
          ['a.example', 0],
          ['b.example', -1000],
          ['a.example', -2000],
        ]);
        const [failed, issued] = await history.read({ limit: 10, name: 'a.example' });
        expect(failed).toMatchObject({
          event: 'failed',
          notAfterMs: undefined,
          error: 'a "reason"\nof two lines',
        });
        expect(issued).toEqual({ id: issued?.id, atMs: now - 2000, ...event, name: 'a.example', ...ends });
        expect(await history.read({ limit: 1, name: 'a.example', beforeId: failed?.id ?? 0 })).toEqual([
          issued,
        ]);
        expect(await history.prune(now - 1000)).toBe(1);
        expect(await history.read({ limit: 10 })).toHaveLength(2);
      });

      it('of GeoIP editions has each once', async () => {
        const history = createGeoipHistory(database);
        const old = {
          edition: 'GeoLite2-City',
          builtMs: now - hourMs,
          fetchedMs: now,
          source: 'built in',
          sizeBytes: 7_000_000_000,
          sha256: new Uint8Array(32).fill(255),
        };
        const fresh = { ...old, builtMs: now, source: 'https://example.com/x.mmdb' };
        expect(await history.record(old)).toBe(true);
        expect(await history.record({ ...old, fetchedMs: now + 1 })).toBe(false);
        expect(await history.record(fresh)).toBe(true);
        const listed = await history.list();
        expect(listed.map((each) => ({ ...each, sha256: new Uint8Array(each.sha256) }))).toEqual([
          fresh,
          old,
        ]);
      });
    });
  });
}
