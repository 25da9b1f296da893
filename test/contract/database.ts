import { type Kysely, sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTable, integer } from '../../src/adapters/migrations/table.ts';
import { Failure } from '../../src/core/errors.ts';
import type { Database, Queries } from '../../src/ports/database.ts';
import { type DatabasePlace, openDatabase, type OpenOptions } from '../support/open-database.ts';
import { sampleTables, type SampleTables } from '../support/sample-tables.ts';
import { until } from '../support/until.ts';

type Samples = Database<SampleTables>;
type Sample = Partial<Record<'whole' | 'fraction' | 'words' | 'raw' | 'yes' | 'value' | 'address', unknown>>;

/** What every `Database` has to do. `makeDatabase` gives a new, empty one each time; `slow` is a query that takes seconds. */
export function databaseContract(
  name: string,
  makeDatabase: () => Promise<DatabasePlace>,
  slow: string,
): void {
  describe(`${name} as a database`, () => {
    let place: DatabasePlace;
    let database: Samples;
    let opened: Samples[];
    const open = (options: OpenOptions = {}): Samples => {
      const one = openDatabase<SampleTables>(place, { migrations: [sampleTables], ...options });
      opened.push(one);
      return one;
    };
    const setUp = async (): Promise<void> => {
      opened = [];
      place = await makeDatabase();
      database = open();
      await database.migrate();
    };
    const tearDown = async (): Promise<void> => {
      await Promise.all(opened.map((each) => each.close()));
    };

    const keep = async (sample: Sample) =>
      database.queries
        .insertInto('samples')
        .values(sample as never)
        .returningAll()
        .executeTakeFirstOrThrow();
    /** What comes back, from the statement that wrote it and from one that reads it. */
    const kept = async (sample: Sample): Promise<unknown> => {
      const [column] = Object.keys(sample) as (keyof Sample)[];
      const { id, ...written } = await keep(sample);
      const read = await database.queries
        .selectFrom('samples')
        .selectAll()
        .where('id', '=', id)
        .executeTakeFirstOrThrow();
      expect(read).toEqual({ id, ...written });
      return read[column!];
    };
    const account = (from: Queries<SampleTables>, of: string) =>
      from.selectFrom('accounts').select('balance').where('name', '=', of).executeTakeFirstOrThrow();
    const setBalance = (from: Queries<SampleTables>, of: string, balance: number) =>
      from.updateTable('accounts').set({ balance }).where('name', '=', of).execute();
    const openAccounts = (...names: string[]) =>
      database.queries
        .insertInto('accounts')
        .values(names.map((each) => ({ name: each, balance: 0 })))
        .execute();

    describe('values', () => {
      beforeAll(setUp);
      afterAll(tearDown);

      it.each([0, 1, -1, 2 ** 31, -(2 ** 31) - 1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER])(
        'keeps the integer %d',
        async (whole) => expect(await kept({ whole })).toBe(whole),
      );

      it('keeps integers of 64 bits, and refuses to round them', async () => {
        for (const whole of [2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n]) {
          const id = database.queries.insertInto('samples').values({ whole }).returning('id');
          const row = await id.executeTakeFirstOrThrow();
          const reading = database.queries.selectFrom('samples').where('id', '=', row.id);
          await expect(reading.select('whole').execute()).rejects.toMatchObject({ code: 'database-number' });
          const asText = await reading
            .select(sql<string>`cast(whole as text)`.as('whole'))
            .executeTakeFirstOrThrow();
          expect(asText.whole).toBe(String(whole));
        }
        expect(await kept({ whole: 42n })).toBe(42);
      });

      it.each([
        { whole: 2n ** 63n },
        { whole: -(2n ** 63n) - 1n },
        { whole: 2 ** 64 },
        { whole: 1.5 },
        { whole: 'x' },
        { fraction: Number.NaN },
        { fraction: Number.POSITIVE_INFINITY },
        { words: 'a\0b' },
        { words: '\0' },
        { value: '{"a":' },
        { value: '' },
        { address: 'example.com' },
        { address: '192.0.2.0/24' },
        { address: '' },
      ])('refuses $whole $fraction $words $value $address where it does not fit', async (sample) => {
        await expect(keep(sample)).rejects.toMatchObject({ code: 'database-value', retryable: false });
      });

      it.each([[undefined], [new Date()], [{ a: 1 }], [[1]]])(
        'takes no parameter such as %o',
        async (value: unknown) => {
          const query = sql`select ${value} as x`.execute(database.queries);
          await expect(query).rejects.toMatchObject({ code: 'database-statement' });
        },
      );

      it('keeps moments to the millisecond, before 1970 and far away too', async () => {
        const moments = ['1969-12-31T23:59:59.999Z', '0001-01-01T00:00:00Z', '9999-12-31T23:59:59.999Z'];
        for (const whole of [Date.now(), ...moments.map((moment) => Date.parse(moment))])
          expect(await kept({ whole })).toBe(whole);
      });

      it.each([0, -0.5, 0.1, 1 / 3, 1e300, 5e-324, 3])('keeps the fraction %d', async (fraction) =>
        expect(await kept({ fraction })).toBe(fraction),
      );

      it.each([true, false, null])('keeps %s', async (yes) => {
        expect(await kept({ yes })).toBe(yes);
        if (yes === null) return;
        const found = database.queries.selectFrom('samples').select('yes').where('yes', '=', yes);
        expect(await found.execute()).toEqual([{ yes }]);
      });

      it.each(['192.0.2.1', '255.255.255.255', '0.0.0.0', '::', '::1', '2001:db8::1', 'fe80::1:2:3:4'])(
        'keeps the address %s',
        async (address) => expect(await kept({ address })).toBe(address),
      );

      it.each(oddTexts)('keeps the text %j', async (words) => {
        expect(await kept({ words })).toBe(words);
        const found = database.queries.selectFrom('samples').select('words').where('words', '=', words);
        expect(await found.execute()).toEqual([{ words }]);
      });

      it('makes half a surrogate pair the same character as any program would', async () => {
        expect(await kept({ words: 'a\ud800b' })).toBe('a\ufffdb');
      });

      it.each([null, true, 0, -1.5, 1e21, '', [[]], [[[[]]]], {}, { a: [{ b: null }] }])(
        'keeps the JSON %j',
        async (value) => expect(await kept({ value: JSON.stringify(value) })).toEqual(value),
      );

      it('keeps odd texts in JSON, as values and as keys', async () => {
        for (const value of [oddTexts, Object.fromEntries(oddTexts.map((text) => [text, [text, null]]))])
          expect(await kept({ value: JSON.stringify(value) })).toEqual(value);
      });

      it('keeps JSON as it was written: order, NUL, half a surrogate pair, __proto__', async () => {
        const value = '{"z":1,"a":{"__proto__":[1]},"2":"\\u0000","1":"\\ud800"}';
        expect(JSON.stringify(await kept({ value }))).toBe(JSON.stringify(JSON.parse(value)));
        expect(await kept({ value: null })).toBeNull();
      });

      it('keeps bytes', async () => {
        const raw = Uint8Array.from({ length: 256 }, (_, index) => index);
        expect(await kept({ raw })).toEqual(raw);
        expect(await kept({ raw: new Uint8Array() })).toEqual(new Uint8Array());
        expect(await kept({ raw: Buffer.from('part of a larger one').subarray(3, 7) })).toEqual(
          new Uint8Array(Buffer.from('t of')),
        );
      });

      it('keeps text and bytes of 8 MB', async () => {
        const words = 'ä€😀x'.repeat(800_000);
        const raw = new Uint8Array(8_000_000).fill(171);
        const found = await keep({ words, raw });
        // not by `toEqual`, which takes seconds
        expect(found.words === words).toBe(true);
        expect(Buffer.compare(found.raw!, raw)).toBe(0);
      });

      it('sorts text by its bytes', async () => {
        await database.queries.deleteFrom('samples').execute();
        const words = ['z', 'Z', 'ä', 'a', '', '_', '10', '9', '😀', '\uffee'];
        await database.queries
          .insertInto('samples')
          .values(words.map((each) => ({ words: each })))
          .execute();
        const sorted = await database.queries
          .selectFrom('samples')
          .select('words')
          .orderBy('words')
          .execute();
        expect(sorted.map((row) => row.words)).toEqual(
          words.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
        );
      });

      it('counts and sums as numbers', async () => {
        await database.queries.deleteFrom('samples').execute();
        for (const whole of [1, 2, 4]) await keep({ whole });
        const found = await database.queries
          .selectFrom('samples')
          .select(({ fn }) => [
            fn.countAll().as('count'),
            fn.sum('whole').as('sum'),
            fn.max('whole').as('max'),
          ])
          .executeTakeFirstOrThrow();
        expect(found).toEqual({ count: 3, sum: 7, max: 4 });
      });

      it('takes 32,766 parameters and refuses more by name', async () => {
        await database.queries.deleteFrom('samples').execute();
        const values = Array.from({ length: 32_766 }, (_, whole) => ({ whole }));
        await database.queries.insertInto('samples').values(values).execute();
        const all = database.queries.selectFrom('samples').select(({ fn }) => fn.sum('whole').as('sum'));
        expect(await all.execute()).toEqual([{ sum: (32_766 * 32_765) / 2 }]);
        const more = database.queries.insertInto('samples').values([...values, { whole: 1 }]);
        await expect(more.execute()).rejects.toMatchObject({ code: 'database-statement' });
      });
    });

    describe('constraints', () => {
      beforeEach(setUp);
      afterEach(tearDown);

      it('name a duplicate key, be it the primary or another', async () => {
        await openAccounts('a');
        await expect(openAccounts('b', 'a')).rejects.toMatchObject({
          code: 'duplicate-key',
          retryable: false,
        });
        const owner = () => database.queries.insertInto('owners').values({ name: "O'Neill" }).execute();
        await owner();
        const failure = await owner().catch((error: unknown) => error as Failure);
        expect(failure).toMatchObject({
          code: 'duplicate-key',
          message: expect.stringContaining('owners') as string,
        });
        expect((failure as Failure).message).not.toContain('Neill');
        expect(await database.queries.selectFrom('accounts').selectAll().execute()).toHaveLength(1);
      });

      it('keep references whole, and remove with the owner what is the owner’s', async () => {
        const enter = (id: number) =>
          database.queries.insertInto('entries').values({ account: id, note: 'x' }).execute();
        await expect(enter(7)).rejects.toMatchObject({ code: 'database-reference' });
        const owner = database.queries.insertInto('owners').values({ name: 'a' }).returning('id');
        await enter((await owner.executeTakeFirstOrThrow()).id);
        await database.queries.deleteFrom('owners').execute();
        expect(await database.queries.selectFrom('entries').selectAll().execute()).toEqual([]);
      });

      it('refuse what is missing', async () => {
        const row = { name: null as unknown as string, balance: 1 };
        await expect(database.queries.insertInto('accounts').values(row).execute()).rejects.toMatchObject({
          code: 'database-value',
        });
      });

      it('let an upsert through, and say how many rows were written', async () => {
        const add = () =>
          database.queries
            .insertInto('accounts')
            .values({ name: 'a', balance: 5 })
            .onConflict((conflict) =>
              conflict.column('name').doUpdateSet({ balance: sql`accounts.balance + excluded.balance` }),
            )
            .executeTakeFirstOrThrow();
        expect(await add()).toMatchObject({ numInsertedOrUpdatedRows: 1n });
        await add();
        expect(await account(database.queries, 'a')).toEqual({ balance: 10 });
        const gone = await database.queries.deleteFrom('accounts').executeTakeFirstOrThrow();
        expect(gone.numDeletedRows).toBe(1n);
      });

      it('name a statement that is wrong', async () => {
        await expect(sql`selekt 1`.execute(database.queries)).rejects.toMatchObject({
          code: 'database-statement',
        });
        await expect(sql`select * from nowhere`.execute(database.queries)).rejects.toBeInstanceOf(Failure);
      });
    });

    describe('a transaction', () => {
      beforeEach(setUp);
      afterEach(tearDown);

      it('gives what its work gives, and keeps all that it wrote', async () => {
        const given = await database.transaction(async (transaction) => {
          await transaction.insertInto('accounts').values({ name: 'a', balance: 1 }).execute();
          return (await account(transaction, 'a')).balance;
        });
        expect(given).toBe(1);
        expect(await account(open().queries, 'a')).toEqual({ balance: 1 });
      });

      it('keeps nothing when its work throws, and throws the same', async () => {
        const reason = new Error('no');
        const work = database.transaction(async (transaction) => {
          await transaction.insertInto('accounts').values({ name: 'a', balance: 1 }).execute();
          throw reason;
        });
        await expect(work).rejects.toBe(reason);
        expect(await database.queries.selectFrom('accounts').selectAll().execute()).toEqual([]);
      });

      it('keeps nothing when one of its statements failed, though nobody looked', async () => {
        await openAccounts('a');
        let later: unknown;
        const work = database.transaction(async (transaction) => {
          await transaction.insertInto('accounts').values({ name: 'b', balance: 1 }).execute();
          await transaction
            .insertInto('accounts')
            .values({ name: 'a', balance: 1 })
            .execute()
            .catch(() => undefined);
          later = await account(transaction, 'a').catch((error: unknown) => error);
        });
        await expect(work).rejects.toMatchObject({ code: 'duplicate-key' });
        expect(later).toMatchObject({ code: 'database-transaction' });
        expect(await database.queries.selectFrom('accounts').select('name').execute()).toEqual([
          { name: 'a' },
        ]);
      });

      it('loses no update, however many at once in however many processes', async () => {
        await openAccounts('a');
        const processes = [database, open(), open()];
        const add = (at: number) =>
          processes[at % 3]!.transaction(async (transaction) => {
            const { balance } = await account(transaction, 'a');
            await setBalance(transaction, 'a', balance + 1);
          });
        const done = await Promise.allSettled(Array.from({ length: 30 }, (_, at) => add(at)));
        const failures = done.flatMap((each) => (each.status === 'rejected' ? [each.reason as Failure] : []));
        // one that lost again and again may be given up, by name, but never half done
        expect(failures.filter(({ code, retryable }) => code !== 'database-conflict' || !retryable)).toEqual(
          [],
        );
        expect(failures.length).toBeLessThan(5);
        expect(await account(database.queries, 'a')).toEqual({ balance: 30 - failures.length });
      });

      it('is as if it were alone: two that each look at what the other writes do not both go by the old', async () => {
        await openAccounts('a', 'b');
        await setBalance(database.queries, 'a', 1);
        await setBalance(database.queries, 'b', 1);
        let looked = 0;
        const withdraw = (from: Samples, own: string) =>
          from.transaction(async (transaction) => {
            const all = await transaction.selectFrom('accounts').select('balance').execute();
            looked++;
            // both look before either writes, where the database lets them
            await until('the other to look', () => looked >= 2, 300).catch(() => undefined);
            if (all.reduce((sum, { balance }) => sum + balance, 0) >= 2)
              await setBalance(transaction, own, 0);
          });
        await Promise.all([withdraw(database, 'a'), withdraw(open(), 'b')]);
        const left = await database.queries.selectFrom('accounts').select('balance').execute();
        expect(left.reduce((sum, { balance }) => sum + balance, 0)).toBe(1);
      });

      it('is not seen before it is done, and does not keep others from reading', async () => {
        await openAccounts('a');
        await database.transaction(async (transaction) => {
          await setBalance(transaction, 'a', 1);
          expect(await account(database.queries, 'a')).toEqual({ balance: 0 });
          expect(await account(open().queries, 'a')).toEqual({ balance: 0 });
          expect(await account(transaction, 'a')).toEqual({ balance: 1 });
        });
        expect(await account(database.queries, 'a')).toEqual({ balance: 1 });
      });

      it('that holds a lock has others wait, until they are told so', async () => {
        await openAccounts('a');
        const hasty = open({ patience: { lockMs: 200 } });
        await database.transaction(async (transaction) => {
          await setBalance(transaction, 'a', 1);
          await expect(setBalance(hasty.queries, 'a', 2)).rejects.toMatchObject({
            code: 'database-busy',
            retryable: true,
          });
        });
        await setBalance(hasty.queries, 'a', 2);
        expect(await account(database.queries, 'a')).toEqual({ balance: 2 });
      });

      it('waits for the end of another', async () => {
        await openAccounts('a');
        let second: Promise<unknown> | undefined;
        await database.transaction(async (transaction) => {
          await setBalance(transaction, 'a', 1);
          second = open()
            .queries.updateTable('accounts')
            .set({ balance: sql`balance + 1` })
            .execute();
          await account(transaction, 'a');
        });
        await second;
        expect(await account(database.queries, 'a')).toEqual({ balance: 2 });
      });
    });

    describe('a snapshot', () => {
      beforeEach(setUp);
      afterEach(tearDown);

      it('sees one moment while others write', async () => {
        await openAccounts('a', 'b');
        await database.snapshot(async (snapshot) => {
          expect(await account(snapshot, 'a')).toEqual({ balance: 0 });
          await setBalance(database.queries, 'b', 7);
          expect(await account(open().queries, 'b')).toEqual({ balance: 7 });
          expect(await account(snapshot, 'b')).toEqual({ balance: 0 });
        });
        expect(await account(database.queries, 'b')).toEqual({ balance: 7 });
      });

      it('writes nothing, and the database stays as writable as it was', async () => {
        await openAccounts('a');
        const writing = database.snapshot((snapshot) => setBalance(snapshot, 'a', 1));
        await expect(writing).rejects.toMatchObject({ code: 'database-statement' });
        await Promise.all(Array.from({ length: 8 }, () => setBalance(database.queries, 'a', 2)));
        expect(database.state()).toMatchObject({ status: 'up', failure: undefined });
      });
    });

    describe('its shape', () => {
      beforeEach(setUp);
      afterEach(tearDown);

      it('is told as it is: names, types, keys, what may be missing, what has to be written first', async () => {
        const column = (name: string, type: string, nullable = false) => ({ name, type, nullable });
        const table = (name: string, primaryKey: string[], ...columns: object[]) => ({
          name,
          primaryKey,
          columns,
        });
        expect(await database.shape()).toEqual({
          migrations: ['0001-samples'],
          tables: [
            table('accounts', ['name'], column('name', 'text'), column('balance', 'integer')),
            table('owners', ['id'], column('id', 'integer'), column('name', 'text')),
            table(
              'entries',
              ['id'],
              column('id', 'integer'),
              column('account', 'integer'),
              column('note', 'text'),
            ),
            table(
              'samples',
              ['id'],
              column('id', 'integer'),
              column('whole', 'integer', true),
              column('fraction', 'real', true),
              column('words', 'text', true),
              column('raw', 'bytes', true),
              column('yes', 'boolean', true),
              column('value', 'json', true),
              column('address', 'address', true),
            ),
          ],
        });
      });

      it('is the one of its moment in a snapshot, with keys of several columns in their order', async () => {
        const pair = { b: integer, a: integer };
        await createTable(database.queries as Kysely<unknown>, database.kind, 'pairs', pair, {
          primaryKey: ['a', 'b'],
        });
        const shape = await database.snapshot((snapshot) => database.shape(snapshot));
        expect(shape.tables.find(({ name }) => name === 'pairs')).toEqual({
          name: 'pairs',
          primaryKey: ['a', 'b'],
          columns: ['b', 'a'].map((name) => ({ name, type: 'integer', nullable: false })),
        });
      });

      it('has no migrations and no tables before the first', async () => {
        const empty = openDatabase(await makeDatabase());
        opened.push(empty);
        expect(await empty.shape()).toEqual({ migrations: [], tables: [] });
      });

      it.each([
        ['a type', 'create table odd (id text primary key, at time)', /"at" of the table "odd"/],
        ['no key', 'create table odd (id text)', /"odd" has no primary key/],
      ])('names %s that is not ours', async (_, statement, message) => {
        await sql.raw(statement).execute(database.queries);
        await expect(database.shape()).rejects.toMatchObject({
          code: 'database-foreign',
          message: expect.stringMatching(message) as string,
        });
      });
    });

    describe('limits', () => {
      beforeEach(setUp);
      afterEach(tearDown);

      it('say so when all connections are taken for too long', async () => {
        const narrow = open({ maxConnections: 1, patience: { connectionMs: 200 } });
        await narrow.probe();
        await narrow.snapshot(async () => {
          const more = narrow.queries.selectFrom('accounts').selectAll().execute();
          await expect(more).rejects.toMatchObject({ code: 'database-busy', retryable: true });
        });
        expect(await narrow.queries.selectFrom('accounts').selectAll().execute()).toEqual([]);
      });

      it('end the wait for a statement, and the next one works', async () => {
        const hasty = open({ patience: { statementMs: 300 } });
        await expect(sql.raw(slow).execute(hasty.queries)).rejects.toMatchObject({
          code: 'database-timeout',
          retryable: true,
        });
        const inside = hasty.transaction((transaction) => sql.raw(slow).execute(transaction));
        await expect(inside).rejects.toMatchObject({ retryable: true });
        await until('it to work again', async () => (await hasty.probe()).status === 'up');
        await until('it to answer', () =>
          account(hasty.queries, 'x').then(
            () => true,
            (error: unknown) => !(error instanceof Failure),
          ),
        );
      });

      it('leave the loop alone while a lock is held elsewhere', async () => {
        await openAccounts('a');
        await database.transaction(async (transaction) => {
          await setBalance(transaction, 'a', 1);
          const waiting = open({ patience: { lockMs: 5_000 } });
          let longest = 0;
          let last = performance.now();
          const timer = setInterval(() => {
            longest = Math.max(longest, performance.now() - last);
            last = performance.now();
          }, 10);
          await expect(setBalance(waiting.queries, 'a', 2)).rejects.toMatchObject({ code: 'database-busy' });
          clearInterval(timer);
          longest = Math.max(longest, performance.now() - last);
          // a loop that waits stands still for all of the five seconds
          expect(longest).toBeLessThan(2_500);
        });
      });
    });

    describe('at its end', () => {
      beforeEach(setUp);
      afterEach(tearDown);

      it('may be closed twice, at once and later, and says so to whoever still asks', async () => {
        await Promise.all([database.close(), database.close()]);
        await database.close();
        const closed = { code: 'database-closed', retryable: false };
        await expect(account(database.queries, 'a')).rejects.toMatchObject(closed);
        await expect(database.transaction(() => Promise.resolve())).rejects.toMatchObject(closed);
        await expect(database.snapshot(() => Promise.resolve())).rejects.toMatchObject(closed);
        await expect(database.migrate()).rejects.toMatchObject(closed);
        expect(await database.probe()).toMatchObject({ status: 'closed' });
      });

      it('may be closed before it was ever asked', async () => {
        const unused = open();
        await unused.close();
        await expect(account(unused.queries, 'a')).rejects.toMatchObject({ code: 'database-closed' });
      });

      it('lets a transaction end that is under way, and nobody else begin', async () => {
        await openAccounts('a');
        let closing: Promise<void> | undefined;
        await database.transaction(async (transaction) => {
          await setBalance(transaction, 'a', 1);
          closing = database.close();
          await expect(account(database.queries, 'a')).rejects.toMatchObject({ code: 'database-closed' });
          await setBalance(transaction, 'a', 2);
        });
        await closing;
        expect(await account(open().queries, 'a')).toEqual({ balance: 2 });
      });

      it('lets what is under way end, and waits for it no longer than a few seconds', async () => {
        await openAccounts('a');
        const slowly = sql
          .raw(slow)
          .execute(database.queries)
          .catch((error: unknown) => error as Failure);
        await account(database.queries, 'a');
        const since = performance.now();
        await database.close();
        expect(performance.now() - since).toBeLessThan(6_000);
        await slowly;
      });
    });
  });
}

const oddTexts = [
  '',
  ' ',
  "O'Neill",
  '"; drop table samples; --',
  '\\',
  '\\x41',
  '%_?$1:a@b',
  'line\nand\r\nline\ttab',
  '\u0001\u007f\u0085\u2028\u2029\ufeff',
  'ü é e\u0301 ß İ',
  '中文 العربية עברית',
  '😀👩‍👩‍👧‍👦🏴󠁧󠁢󠁥󠁮󠁧󠁿',
  '\uffff\ufffd',
  '{"not":"parsed"}',
  '__proto__',
];
