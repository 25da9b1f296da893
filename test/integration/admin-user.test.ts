import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { applianceCommand } from '../support/appliance.ts';
import { freePort } from '../support/free-port.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { until } from '../support/until.ts';

const password = 'correct "horse" $battery ü';
const isRoot = process.geteuid?.() === 0;
let folder: string;
let data: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'admin-user-'));
  data = join(folder, 'data');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

type Environment = Readonly<Record<string, string>>;

function start(command: readonly string[], environment: Environment = {}): ChildProcessWithoutNullStreams {
  const [file, ...leading] = applianceCommand();
  const env = { PATH: process.env['PATH'], HOME: folder, APP_DATA_DIR: data, ...environment };
  return spawn(file, [...leading, 'admin', 'user', ...command], { cwd: folder, env });
}

async function run(command: readonly string[], input = '', environment: Environment = {}) {
  const child = start(command, environment);
  const printed = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => (printed.stdout += String(chunk)));
  child.stderr.on('data', (chunk) => (printed.stderr += String(chunk)));
  // it may have ended without reading it
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const [status] = (await once(child, 'close')) as [number | null];
  for (const text of Object.values(printed)) expect(text).not.toMatch(/horse|scrypt|\n +at /);
  return { status, ...printed };
}
const add = (name: string, ...flags: readonly string[]) =>
  run(['add', name, '--password-stdin', ...flags], `${password}\n`);
const refused = (why: string, status = 2) => ({
  status,
  stdout: '',
  stderr: expect.stringContaining(`error: ${why}`) as string,
});

function rows(table: string): Record<string, unknown>[] {
  const file = new DatabaseSync(join(data, 'state.sqlite'), { readOnly: true });
  try {
    return file.prepare(`select * from ${table} order by id`).all();
  } finally {
    file.close();
  }
}

function tableIsThere(table: string): boolean {
  try {
    return rows(table).length >= 0;
  } catch {
    return false;
  }
}

describe('"admin user"', () => {
  it('adds, lists, gives another password and removes, and writes down who did what', async () => {
    expect(await run(['list'])).toMatchObject({ status: 0, stdout: expect.stringMatching(/^nobody may /) });
    const added = await add('Anna');
    expect(added).toEqual({ status: 0, stdout: 'anna may sign in now, as owner\n', stderr: '' });
    expect(await add('ben')).toMatchObject({ status: 0, stdout: 'ben may sign in now, as viewer\n' });
    expect(await add('zoé', '--role', 'owner')).toMatchObject({ status: 0 });
    const listed = await run(['list', '--json']);
    expect(JSON.parse(listed.stdout)).toEqual({
      schema: 1,
      users: ['anna', 'ben', 'zoé'].map((name) => ({
        name,
        role: name === 'ben' ? 'viewer' : 'owner',
        disabled: false,
        created: expect.stringMatching(/^20\d\d-\d\d-\d\dT[\d:.]+Z$/) as string,
      })),
    });
    expect((await run(['list'])).stdout).toBe(
      'anna  owner   never signed in\nben   viewer  never signed in\nzoé   owner   never signed in\n',
    );
    const [before] = rows('users');
    const changed = await run(['password', 'ANNA', '--password-stdin'], 'another horse battery\r\n');
    expect(changed).toEqual({ status: 0, stdout: 'anna has a new password\n', stderr: '' });
    const [after] = rows('users');
    expect(after?.['password_hash']).not.toBe(before?.['password_hash']);
    expect(await run(['remove', 'ben'])).toMatchObject({ status: 0, stdout: 'ben may no longer sign in\n' });
    const log = rows('audit_log').map(({ actor, action, subject }) => [actor, action, subject]);
    const me = userInfo().username;
    expect(log).toEqual([
      [me, 'user.add', 'anna'],
      [me, 'user.add', 'ben'],
      [me, 'user.add', 'zoé'],
      [me, 'user.password', 'anna'],
      [me, 'user.remove', 'ben'],
    ]);
    expect(statSync(join(data, 'state.sqlite')).mode & 0o777).toBe(0o600);
    for (const name of readdirSync(data))
      expect(readFileSync(join(data, name), 'latin1')).not.toContain('battery');
  });

  it('keeps the last owner', async () => {
    await add('anna');
    await add('ben');
    expect(await run(['remove', 'anna'])).toMatchObject(
      refused('"anna" is the last owner and cannot be removed'),
    );
    expect(await run(['remove', 'ben'])).toMatchObject({ status: 0 });
    expect(await run(['remove', 'ben'])).toMatchObject(refused('there is no user "ben"'));
  });

  it('adds one of several of the same name who are added at once, to a database that is not there yet', async () => {
    const done = await Promise.all(['anna', 'ANNA', 'anna'].map((name) => add(name)));
    expect(done.filter(({ status }) => status === 0)).toHaveLength(1);
    for (const each of done) {
      if (each.status !== 0) expect(each).toEqual(refused('there is a user "anna" already'));
    }
    expect(rows('users')).toHaveLength(1);
    expect(rows('audit_log')).toHaveLength(1);
  });

  it.each([
    ['a newline', 'a\nb'],
    ['SQL', `"'; drop table users; --`],
    ['what turns text around', 'ann\u202ea'],
    ['nothing', ''],
    ['a text without end', 'x'.repeat(100_000)],
  ])('refuses a name with %s, repeats nothing of it, and changes nothing', async (_, name) => {
    const { stderr, ...rest } = await add(name);
    expect(rest).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^error: this cannot be the name of a user\nto do: [ -~]+\n$/);
    expect(await run(['remove', '--', name])).toMatchObject(refused('this cannot be the name of a user'));
    expect(rows('users')).toEqual([]);
  });

  it.each([
    ['', 'there is no password on standard input'],
    ['\n', 'there is no password on standard input'],
    ['short\n', 'this cannot be the password: it has fewer than 10 characters'],
    ['Password123', 'this cannot be the password: it is one of those that are guessed first'],
    ['one long line\nand another', 'standard input holds more than one line'],
    ['x'.repeat(1_000_000), 'standard input holds more than one line'],
    [`${'x'.repeat(1_000)}yz`, 'this cannot be the password: it has more than 512 characters'],
  ])('refuses what is no password, and adds nobody: %#', async (input, why) => {
    expect(await run(['add', 'anna', '--password-stdin'], input)).toMatchObject(refused(why));
    expect(rows('users')).toEqual([]);
  });

  it('refuses wrong usage in words, and repeats no password', async () => {
    const asArgument = await run(['add', 'anna', 'horse-horse-horse']);
    expect(asArgument).toMatchObject(refused('there is one argument too many; a password is never one'));
    const asFlag = await run(['add', 'anna', '--password=horse-horse-horse']);
    expect(asFlag).toMatchObject(refused('"admin user add" has no flag --password'));
    expect(await run(['add', 'anna'])).toMatchObject(
      refused('there is no terminal to ask for the password on'),
    );
    expect(await run(['add'])).toMatchObject(refused('the name is missing'));
    expect(await run(['add', 'anna', '--role', 'root'])).toMatchObject(refused('there is no such role'));
    expect(await run(['password', 'anna', '--password-stdin'])).toMatchObject(
      refused('there is no user "anna"'),
    );
    expect(await run(['ad', 'anna'])).toMatchObject(refused('there is no command "admin user ad"'));
    expect(await run([])).toMatchObject(refused('"admin user" needs another word'));
  });

  it('has the password in no argument and no environment while it works', async () => {
    const child = start(['add', 'anna', '--password-stdin']);
    child.stdin.write(password);
    await until('it asks for the password', () => tableIsThere('users'));
    const seen = (file: string) => readFileSync(`/proc/${child.pid}/${file}`, 'latin1');
    expect(seen('cmdline') + seen('environ')).not.toContain('horse');
    for (const thread of readdirSync(`/proc/${child.pid}/task`)) {
      let name = '';
      try {
        name = seen(`task/${thread}/comm`);
      } catch {
        // it has ended
      }
      expect(name).not.toContain('horse');
    }
    child.stdin.end();
    expect(await once(child, 'close')).toEqual([0, null]);
  });

  it('says clearly that the database cannot be used', async () => {
    const port = String(await freePort());
    const away = { POSTGRES_HOST: '127.0.0.1', POSTGRES_PORT: port, POSTGRES_PASSWORD: 'hunter2-horse' };
    expect(await run(['list'], '', away)).toMatchObject(refused(`PostgreSQL at 127.0.0.1:${port}`, 1));
    expect(await run(['add', 'anna', '--password-stdin'], password, away)).toMatchObject(
      refused(`PostgreSQL at 127.0.0.1:${port}`, 1),
    );
    mkdirSync(data);
    writeFileSync(join(data, 'state.sqlite'), 'not what it should be'.repeat(1000));
    expect(await run(['list'])).toMatchObject(refused(`SQLite in ${join(data, 'state.sqlite')}`, 1));
    rmSync(data, { recursive: true });
    writeFileSync(data, 'a file');
    expect(await run(['list'])).toMatchObject(
      refused(`the configuration has a problem:\n  environment: APP_DATA_DIR: ${data} is no folder`),
    );
  });

  it.runIf(isRoot)(
    'as root works below the data folder as its owner, and tells for whom root worked',
    async () => {
      mkdirSync(data, { mode: 0o700 });
      chownSync(data, 65_534, 65_534);
      chmodSync(folder, 0o755);
      const done = await run(['add', 'anna', '--password-stdin'], password, { SUDO_USER: 'kim\n' });
      expect(done).toMatchObject({ status: 0, stderr: '' });
      for (const name of readdirSync(data)) expect(statSync(join(data, name)).uid).toBe(65_534);
      expect(rows('audit_log')).toMatchObject([{ actor: 'root (via sudo from kim )', action: 'user.add' }]);
    },
  );
});

describe('"admin user" on a terminal', () => {
  /** The program on a terminal of its own; `typed` are the answers, each when the next question is there. */
  async function onTerminal(command: readonly string[], typed: readonly string[]) {
    const [file, ...leading] = applianceCommand();
    const words = [file, ...leading, 'admin', 'user', ...command].map((word) => `'${word}'`).join(' ');
    const env = { PATH: process.env['PATH'], HOME: folder, APP_DATA_DIR: data, TERM: 'xterm' };
    const child = spawn('script', ['-qec', words, '/dev/null'], { cwd: folder, env });
    let screen = '';
    child.stdout.on('data', (chunk) => (screen += String(chunk)));
    const closed = once(child, 'close');
    for (const [index, keys] of typed.entries()) {
      await until(
        `question ${index} in ${JSON.stringify(screen)}`,
        () => screen.split(': ').length > index + 1,
      );
      child.stdin.write(keys);
    }
    const [status] = (await closed) as [number];
    return { status, screen: screen.replaceAll('\r\n', '\n') };
  }

  it('asks twice, takes corrections, and shows nothing of what is typed', async () => {
    const { status, screen } = await onTerminal(
      ['add', 'anna'],
      ['wrong\u0015corect\u007f\u007f\u007frect ü\u001b[D horse\r', 'correct ü horse\n'],
    );
    expect(screen).toBe('Password for anna: \nThe same again: \nanna may sign in now, as owner\n');
    expect(status).toBe(0);
  });

  it('changes nothing when it is not the same twice, and nothing on Ctrl-C', async () => {
    const differs = await onTerminal(['add', 'anna'], ['correct horse battery\r', 'correct horse\r']);
    expect(differs.status).toBe(2);
    expect(differs.screen).toContain('the two passwords are not the same; nothing was changed');
    expect(differs.screen).not.toContain('horse');
    const interrupted = await onTerminal(['add', 'anna'], ['correct horse\u0003']);
    expect(interrupted.status).toBe(1);
    expect(interrupted.screen).toContain('interrupted; nothing was changed');
    expect(rows('users')).toEqual([]);
  });
});

describe('"admin user" with PostgreSQL', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres('embedded');
  });
  afterAll(() => server.remove());

  it('does the same there, from the files of the secrets folder', async () => {
    const secrets = join(folder, 'secrets');
    mkdirSync(secrets, { mode: 0o750 });
    const lines = {
      POSTGRES_HOST: '127.0.0.1',
      POSTGRES_PORT: server.port,
      POSTGRES_DB: server.database,
      POSTGRES_USER: server.user,
      POSTGRES_PASSWORD: JSON.stringify(server.password),
      POSTGRES_SSLMODE: 'disable',
    };
    const text = Object.entries(lines).map(([key, value]) => `${key}=${value}\n`);
    writeFileSync(join(secrets, 'postgres.env'), text.join(''), { mode: 0o640 });
    const own = { APP_SECRETS_DIR: secrets };
    expect(await run(['add', 'anna', '--password-stdin'], password, own)).toMatchObject({
      status: 0,
      stderr: '',
    });
    expect((await run(['list'], '', own)).stdout).toBe('anna  owner   never signed in\n');
    const found = await server.admin('select name, role from users', server.database);
    expect(found).toEqual([{ name: 'anna', role: 'owner' }]);
    expect(await run(['remove', 'anna'], '', own)).toMatchObject({ status: 2 });
  });
});
