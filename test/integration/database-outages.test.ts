import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Failure } from '../../src/core/errors.ts';
import type { Database } from '../../src/ports/database.ts';
import { type DatabasePlace, openDatabase, type OpenOptions } from '../support/open-database.ts';
import { makeListenerCertificate } from '../support/listener-certificate.ts';
import { placeOf, type Postgres, startPostgres } from '../support/postgres.ts';
import { sampleTables, type SampleTables } from '../support/sample-tables.ts';
import { until } from '../support/until.ts';

type Samples = Database<SampleTables>;
type Place = DatabasePlace & { kind: 'postgres' };

let server: Postgres;
let opened: Samples[] = [];
const folder = mkdtempSync(join(tmpdir(), 'database-outages-'));
const open = (change: Partial<Place> = {}, options: OpenOptions = {}): Samples => {
  const one = openDatabase<SampleTables>(
    { ...placeOf(server), ...change },
    { migrations: [sampleTables], ...options },
  );
  opened.push(one);
  return one;
};
const balance = async (database: Samples) =>
  (await database.queries.selectFrom('accounts').select('balance').executeTakeFirstOrThrow()).balance;
const setBalance = (database: Pick<Samples, 'queries'>, amount: number) =>
  database.queries.updateTable('accounts').set({ balance: amount }).execute();
const pidOf = async (queries: Samples['queries']) =>
  (await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(queries)).rows[0]!.pid;

const isGone = async (pid: number) =>
  (await server.admin(`select 1 from pg_stat_activity where pid = ${pid}`)).length === 0;

beforeAll(async () => {
  const certificate = await makeListenerCertificate(folder);
  // by TLS or not, as the role says
  const hba = [
    'hostnossl all only_tls all reject',
    'hostssl all never_tls all reject',
    'host all all 127.0.0.0/8 scram-sha-256',
  ];
  server = await startPostgres('embedded', { certificate, hba });
  for (const role of ['only_tls', 'never_tls'])
    await server.admin(
      `create role ${role} login in role appliance password '${server.password.replaceAll("'", "''")}'`,
    );
  const database = open();
  await database.migrate();
  await database.queries.insertInto('accounts').values({ name: 'a', balance: 0 }).execute();
});
afterEach(async () => {
  await Promise.all(opened.map((each) => each.close()));
  opened = [];
});
afterAll(async () => {
  await server.remove();
  rmSync(folder, { recursive: true, force: true });
});

describe('a connection that breaks', () => {
  it('in a transaction is a retryable failure, leaves nothing, and the next transaction works', async () => {
    const database = open();
    const broken = database.transaction(async (transaction) => {
      await setBalance({ queries: transaction }, 99);
      const pid = await pidOf(transaction);
      await server.admin(`select pg_terminate_backend(${pid})`);
      // it breaks while nobody waits for an answer: that ends no process
      await until('its end', () => isGone(pid));
      await setBalance({ queries: transaction }, 100);
    });
    await expect(broken).rejects.toMatchObject({ code: 'database-down', retryable: true });
    expect(await balance(database)).toBe(0);
    expect(database.state()).toMatchObject({ status: 'up' });
  });

  it('while a statement runs is told to it', async () => {
    const database = open({}, { maxConnections: 1 });
    const pid = await pidOf(database.queries);
    const slow = sql`select pg_sleep(30)`.execute(database.queries).catch((error: unknown) => error);
    await until('it to run', async () => {
      const [row] = await server.admin<{ state: string }>(
        `select state from pg_stat_activity where pid = ${pid}`,
      );
      return row?.state === 'active';
    });
    await server.admin(`select pg_terminate_backend(${pid})`);
    expect(await slow).toMatchObject({ code: 'database-down', retryable: true });
  });

  it('while nobody uses it costs nobody anything', async () => {
    const database = open({}, { maxConnections: 1 });
    const pid = await pidOf(database.queries);
    await server.admin(`select pg_terminate_backend(${pid})`);
    await until('its end', () => isGone(pid));
    await until('another to serve', async () => (await pidOf(database.queries).catch(() => pid)) !== pid);
  });

  it('in the moment in which it was made is a retryable failure', async () => {
    const message = (type: string, content: string) => {
      const bytes = Buffer.from(`${type}\0\0\0\0${content}`, 'latin1');
      bytes.writeInt32BE(bytes.length - 1, 1);
      return bytes;
    };
    const signedIn = [message('R', '\0\0\0\0'), message('Z', 'I')];
    const ending = message('E', 'SFATAL\0C57P01\0Mit shuts down\0\0');
    const closing = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.write(Buffer.concat([...signedIn, ending])));
    });
    const port = await listen(closing);
    await expect(balance(open({ port }))).rejects.toMatchObject({ code: 'database-down', retryable: true });
    closing.close();
  });

  it('because the server stands still does not hold anybody for ever', async () => {
    const database = open({}, { maxConnections: 1, patience: { statementMs: 200 } });
    const pid = await pidOf(database.queries);
    process.kill(pid, 'SIGSTOP');
    try {
      await expect(balance(database)).rejects.toMatchObject({ code: 'database-down', retryable: true });
      expect(await balance(database)).toBe(0);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  });
});

describe('a server that goes away', () => {
  it('is told in words and served from again once it is back', async () => {
    const database = open();
    expect(database.state()).toMatchObject({ status: 'unknown' });
    expect(await database.probe()).toMatchObject({ status: 'up', failure: undefined });
    await server.stop('immediate');
    await until('it to be missed', async () => (await database.probe()).status === 'down');
    await expect(balance(database)).rejects.toMatchObject({ code: 'database-down', retryable: true });
    await until('words', () =>
      /: down since .*Z: .*ECONNREFUSED.*; tried again (in \d+ s|when)/.test(database.state().words),
    );
    await server.start();
    await until('it to be back', async () => (await database.probe()).status === 'up');
    expect(await balance(database)).toBe(0);
    await setBalance(database, 0);
  });

  it('is dialled less and less often', async () => {
    let dials = 0;
    const refusing = createServer((socket) => {
      dials++;
      socket.destroy();
    });
    const port = await listen(refusing);
    const database = open({ port });
    const since = performance.now();
    let asked = 0;
    while (performance.now() - since < 2_000) {
      const failures = await Promise.allSettled([balance(database), balance(database), balance(database)]);
      expect(failures.every(({ status }) => status === 'rejected')).toBe(true);
      asked += 3;
    }
    refusing.close();
    expect(asked).toBeGreaterThan(1_000);
    expect(dials).toBeGreaterThan(2);
    expect(dials).toBeLessThan(25);
  });

  it('accepts and says nothing: nobody waits longer than the time to connect', async () => {
    const silent = createServer(() => undefined);
    const port = await listen(silent);
    const since = performance.now();
    await expect(balance(open({ port, connectMs: 300 }))).rejects.toMatchObject({ code: 'database-down' });
    expect(performance.now() - since).toBeLessThan(3_000);
    silent.close();
  });
});

describe('a server that refuses', () => {
  const refused = async (database: Samples): Promise<Failure> => {
    const failure = await balance(database).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(Failure);
    expect(JSON.stringify([(failure as Failure).message, database.state().words])).not.toContain(
      server.password,
    );
    return failure as Failure;
  };

  it('to be written to over one connection is asked over another the next time', async () => {
    const database = open({}, { maxConnections: 1 });
    await server.admin('alter role appliance set default_transaction_read_only = on');
    await expect(setBalance(database, 0)).rejects.toMatchObject({ code: 'database-read-only' });
    await server.admin('alter role appliance reset default_transaction_read_only');
    await setBalance(database, 0);
    expect(database.state()).toMatchObject({ status: 'up', failure: undefined });
  });

  it('a wrong password, by name', async () => {
    for (const password of ['wrong', '', undefined]) {
      const database = open({ password });
      expect(await refused(database)).toMatchObject({ code: 'database-password', retryable: false });
      expect(database.state()).toMatchObject({ status: 'down' });
    }
  });

  it('a role or a database that is not there', async () => {
    expect(await refused(open({ user: 'nobody' }))).toMatchObject({ code: 'database-password' });
    expect(await refused(open({ database: 'nothing' }))).toMatchObject({
      code: 'database-missing',
      retryable: false,
    });
  });

  it('what the role may not do', async () => {
    const asking = sql`select * from pg_authid`.execute(open().queries);
    await expect(asking).rejects.toMatchObject({ code: 'database-rights' });
  });

  it('one connection too many', async () => {
    await server.admin('alter role appliance connection limit 0');
    const database = open();
    expect(await refused(database)).toMatchObject({ code: 'database-busy', retryable: true });
    expect(await database.probe()).toMatchObject({
      status: 'down',
      words: expect.stringContaining('too many connections') as string,
    });
    await server.admin('alter role appliance connection limit 1');
    const one = open();
    await one.transaction(async (transaction) => {
      await setBalance({ queries: transaction }, 0);
      expect(await refused(one)).toMatchObject({ code: 'database-busy' });
      expect(one.state()).toMatchObject({ status: 'up', failure: undefined });
    });
    await server.admin('alter role appliance connection limit -1');
    await until('it to let us in', async () => (await database.probe()).status === 'up');
  });

  it('to be written to, and then says so until it lets somebody write again', async () => {
    const database = open();
    await setBalance(database, 0);
    await server.admin('alter system set default_transaction_read_only = on');
    await server.admin('select pg_reload_conf()');
    await until('it to be read-only', () =>
      setBalance(database, 0).then(
        () => false,
        (error: unknown) => (error as Failure).code === 'database-read-only',
      ),
    );
    expect(await balance(database)).toBe(0);
    expect(database.state()).toMatchObject({
      status: 'up',
      words: expect.stringMatching(/up, but .*read-only/) as string,
      failure: { code: 'database-read-only' },
    });
    await server.admin('alter system reset default_transaction_read_only');
    await server.admin('select pg_reload_conf()');
    await until('it to be writable', () =>
      setBalance(database, 0).then(
        () => true,
        () => false,
      ),
    );
    expect(database.state()).toMatchObject({ status: 'up', failure: undefined });
  });

  it('to be found: its name is in no DNS', async () => {
    expect(await refused(open({ host: 'nowhere.invalid' }))).toMatchObject({
      code: 'database-down',
      retryable: true,
    });
  });
});

describe('the way to the server', () => {
  const encrypted = async (database: Samples): Promise<boolean> => {
    const query = sql<{ ssl: boolean }>`select ssl from pg_stat_ssl where pid = pg_backend_pid()`;
    return (await query.execute(database.queries)).rows[0]!.ssl;
  };

  it.each([
    ['disable', 'appliance', false],
    ['allow', 'appliance', false],
    ['allow', 'only_tls', true],
    ['prefer', 'appliance', true],
    ['prefer', 'never_tls', false],
    ['require', 'appliance', true],
  ] as const)('under %s is, for the role %s, encrypted: %s', async (sslMode, user, expected) => {
    const database = open({ sslMode, user });
    expect(await encrypted(database)).toBe(expected);
    expect(await encrypted(database)).toBe(expected);
  });

  it.each([
    ['disable', 'only_tls'],
    ['require', 'never_tls'],
  ] as const)('under %s is closed to the role %s', async (sslMode, user) => {
    await expect(encrypted(open({ sslMode, user }))).rejects.toMatchObject({ code: 'database-password' });
  });

  it('is verified by authority, and by name as well, as the mode says', async () => {
    const caFile = join(folder, 'listener-ca.pem');
    // the certificate is for 127.0.0.1 and localhost
    for (const host of ['127.0.0.1', '127.0.0.2'])
      expect(await encrypted(open({ sslMode: 'verify-ca', host, caFile }))).toBe(true);
    for (const host of ['127.0.0.1', 'localhost'])
      expect(await encrypted(open({ sslMode: 'verify-full', host, caFile }))).toBe(true);
    const wrong = { code: 'database-tls', retryable: false };
    await expect(
      encrypted(open({ sslMode: 'verify-full', host: '127.0.0.2', caFile })),
    ).rejects.toMatchObject(wrong);
    for (const sslMode of ['verify-ca', 'verify-full'] as const)
      await expect(encrypted(open({ sslMode }))).rejects.toMatchObject(wrong);
    const stranger = mkdtempSync(join(folder, 'stranger-'));
    const other = (await makeListenerCertificate(stranger)).caFile;
    for (const sslMode of ['require', 'verify-ca'] as const)
      await expect(encrypted(open({ sslMode, caFile: other }))).rejects.toMatchObject(wrong);
    expect(() => open({ sslMode: 'verify-ca', caFile: join(folder, 'absent') })).toThrow(/cannot read/);
  });

  it('may be a Unix socket, whatever the mode', async () => {
    for (const sslMode of ['disable', 'prefer', 'verify-full'] as const)
      expect(await encrypted(open({ host: server.socketFolder, sslMode }))).toBe(false);
    await expect(balance(open({ host: folder }))).rejects.toMatchObject({ code: 'database-down' });
  });

  it('has a name in the list of connections, and no more of them than allowed', async () => {
    const database = open({ applicationName: 'appliance worker' }, { maxConnections: 3 });
    await Promise.all(Array.from({ length: 12 }, () => sql`select pg_sleep(0.1)`.execute(database.queries)));
    const count = `select count(*)::int as n from pg_stat_activity where application_name = 'appliance worker'`;
    expect(await server.admin(count)).toEqual([{ n: 3 }]);
    await database.close();
    await until('all to go', async () => (await server.admin<{ n: number }>(count))[0]!.n === 0);
  });
});

describe('values of PostgreSQL alone', () => {
  it('that are moments come as milliseconds, whatever their zone and the server’s', async () => {
    await server.admin(`alter role appliance set timezone = 'Asia/Kolkata'`);
    await server.admin(`alter role appliance set datestyle = 'German'`);
    const found = await sql`
      select timestamptz '2026-11-22 12:00:00.123456+05:30' as zoned, timestamptz '1969-12-31 23:59:59.999999Z' as before,
        timestamptz 'infinity' as never, timestamp '2026-11-22 12:00:00.123456' as no_moment, date '2026-11-22' as day
    `.execute(open().queries);
    await server.admin('alter role appliance reset all');
    expect(found.rows).toEqual([
      {
        zoned: Date.parse('2026-11-22T06:30:00.123Z'),
        before: -1,
        never: Number.POSITIVE_INFINITY,
        no_moment: '2026-11-22 12:00:00.123456',
        day: '2026-11-22',
      },
    ]);
  });
});

async function listen(fake: Server): Promise<number> {
  fake.listen(0, '127.0.0.1');
  await once(fake, 'listening');
  return (fake.address() as AddressInfo).port;
}
