import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPostgresPassword } from '../../src/adapters/server-password-postgres.ts';
import { createRedisPassword } from '../../src/adapters/server-password-redis.ts';
import { parseEnvFile } from '../../src/config/env-file.ts';
import { parseRedisPasswordFile } from '../../src/config/special-files.ts';
import { scramVerifier } from '../../src/host/stack/scram-verifier.ts';
import { startControl } from '../../src/supervisor/control.ts';
import { applianceCommand } from '../support/appliance.ts';
import { startStackPostgres, startStackRedis, type StackServer } from '../support/stack-servers.ts';

/** Names and passwords that every layer has to quote. */
const role = 'app.us=er@home';
const database = 'app:data/base';
const hardPassword = `a 'b" $c \\d \`e #f=ü`;

let folder: string;
let secrets: string;
let postgres: StackServer | undefined;
let redis: StackServer | undefined;
const sockets = () => join(folder, 'data', 'stack', 'sockets');
const redisSocket = () => join(sockets(), 'redis', 'redis.sock');

interface Ended {
  readonly status: number | NodeJS.Signals;
  readonly out: string;
  readonly err: string;
}

async function run(command: readonly string[], prefix: readonly string[] = []): Promise<Ended> {
  const words = [...prefix, ...applianceCommand(), ...command, '--secrets-dir', secrets];
  const child = spawn(words[0]!, words.slice(1), {
    cwd: folder,
    env: {
      PATH: process.env['PATH'],
      HOME: folder,
      // strace counts the calls of each thread by itself
      UV_THREADPOOL_SIZE: '1',
      APP_DATA_DIR: join(folder, 'data'),
      APP_RUN_DIR: join(folder, 'run'),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk) => (out += String(chunk)));
  child.stderr.on('data', (chunk) => (err += String(chunk)));
  const [status, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { status: signal ?? status ?? -1, out, err };
}

const rotate = (...args: readonly string[]) => run(['secrets', 'rotate', ...args]);

function valueIn(file: string, key: string): string {
  const text = readFileSync(join(secrets, file), 'utf8');
  const { assignments } = file.endsWith('.env') ? parseEnvFile(text) : parseRedisPasswordFile(text);
  return assignments.find((each) => each.key === key)?.value ?? '';
}

const passwordOf = {
  postgres: () => valueIn('postgres.env', 'POSTGRES_PASSWORD'),
  redis: () => valueIn('redis.env', 'REDIS_PASS'),
};

const login = {
  postgres: (host: string) => createPostgresPassword({ host, role, database, verifierOf: scramVerifier }),
  redis: () => createRedisPassword(redisSocket()),
};
const accepts = (server: 'postgres' | 'redis', password: string) =>
  (server === 'postgres' ? login.postgres(join(sockets(), 'postgres')) : login.redis()).accepts(password);

/** What has to hold whenever no rotation is on its way. */
async function expectSettled(): Promise<void> {
  expect(await accepts('postgres', passwordOf.postgres())).toBe(true);
  expect(await accepts('redis', passwordOf.redis())).toBe(true);
  expect(valueIn('redis.password.conf', 'requirepass')).toBe(passwordOf.redis());
  expect(readdirSync(secrets).filter((name) => name.startsWith('.rotation'))).toEqual([]);
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rotate-'));
  chmodSync(folder, 0o755);
  secrets = join(folder, 'secrets');
  mkdirSync(secrets, { mode: 0o750 });
  mkdirSync(join(folder, 'data'), { mode: 0o755 });
  const double = hardPassword.replace(/["\\$`]/g, String.raw`\$&`);
  const put = (name: string, text: string) => writeFileSync(join(secrets, name), text, { mode: 0o640 });
  put(
    'postgres.env',
    `# mine\nPOSTGRES_HOST=${join(sockets(), 'postgres')}\nPOSTGRES_USER=${role}\n` +
      `POSTGRES_DB=${database}\nexport POSTGRES_PASSWORD="${double}"\n# the end`,
  );
  put('redis.env', `REDIS_CONNECTION_TYPE=unix\nREDIS_HOST=${redisSocket()}\nREDIS_PASS="${double}"\n`);
  put('redis.password.conf', `requirepass "${hardPassword.replace(/["\\]/g, String.raw`\$&`)}"\n`);
  redis = await startStackRedis(redisSocket(), hardPassword);
  postgres = await startStackPostgres(folder, join(sockets(), 'postgres'), {
    name: role,
    password: hardPassword,
    database,
  });
});
afterAll(async () => {
  await postgres?.stop();
  await redis?.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('"secrets rotate"', () => {
  it('gives both servers and all files new passwords, and leaves the rest of the files alone', async () => {
    await expectSettled();
    const { status, out, err } = await rotate();
    expect([status, err, out]).toEqual([0, '', 'postgres: has a new password\nredis: has a new password\n']);
    await expectSettled();
    expect(await accepts('postgres', hardPassword)).toBe(false);
    expect(await accepts('redis', hardPassword)).toBe(false);
    expect(passwordOf.postgres()).toMatch(/^[\w-]{43}$/);
    expect(passwordOf.redis()).not.toBe(passwordOf.postgres());
    const text = readFileSync(join(secrets, 'postgres.env'), 'utf8');
    expect(text).toMatch(
      /^# mine\nPOSTGRES_HOST=.*\nPOSTGRES_USER=.*\nPOSTGRES_DB=.*\nPOSTGRES_PASSWORD=.*\n# the end$/,
    );
    expect(statSync(join(secrets, 'postgres.env')).mode & 0o777).toBe(0o640);
  });

  it('changes the one that is named', async () => {
    const before = { postgres: passwordOf.postgres(), redis: passwordOf.redis() };
    expect(await rotate('redis')).toMatchObject({ status: 0, out: 'redis: has a new password\n' });
    expect(passwordOf.postgres()).toBe(before.postgres);
    expect(passwordOf.redis()).not.toBe(before.redis);
    await expectSettled();
    expect(await rotate('nginx')).toMatchObject({
      status: 2,
      err: expect.stringContaining('postgres and redis'),
    });
  });

  it('refuses where others may read a secret, and says what to type', async () => {
    const file = join(secrets, 'redis.env');
    chmodSync(file, 0o644);
    const { status, err } = await rotate();
    expect(status).toBe(2);
    expect(err).toContain(`${file} has mode 0644: others may read it`);
    expect(err).toContain(`chmod 0640 ${file}`);
    chmodSync(file, 0o640);
    chmodSync(secrets, 0o770);
    expect((await rotate()).err).toContain(`${secrets} has mode 0770: others may change it`);
    chmodSync(secrets, 0o750);
  });

  it('changes nothing where the server is away', async () => {
    await redis?.stop();
    const before = passwordOf.redis();
    const { status, err } = await rotate('redis');
    expect(status).toBe(6);
    expect(err).toContain('cannot be asked');
    expect(passwordOf.redis()).toBe(before);
    redis = await startStackRedis(redisSocket(), before);
    await expectSettled();
  });

  it('has the running service read what it changed also where it cannot go on', async () => {
    const service = spawn('sleep', ['infinity']);
    const hungUp = once(service, 'exit');
    const control = await startControl({
      folder: join(folder, 'run'),
      log: { debug() {}, info() {}, warn() {}, error() {}, debugging: false },
      handlers: {
        status: () =>
          Promise.resolve({
            version: '1.2.3',
            pid: service.pid!,
            startedAt: 0,
            listenHost: '::',
            httpPort: 80,
            workers: [],
            certificates: [],
          }),
        renewCerts: () => Promise.resolve([]),
        importCertificate: () => Promise.resolve({}),
        upgrade: () => Promise.reject(new Error('not asked for')),
      },
    });
    const before = passwordOf.redis();
    await redis?.stop();
    try {
      const { status, out, err } = await rotate();
      expect([status, out]).toEqual([6, 'postgres: has a new password\n']);
      expect(err).toContain('the running service reads the files again');
      expect(await hungUp).toEqual([null, 'SIGHUP']);
    } finally {
      service.kill();
      await control.close();
      redis = await startStackRedis(redisSocket(), before);
    }
    await expectSettled();
  });

  it('changes nothing where the server takes another password', async () => {
    const before = passwordOf.postgres();
    const server = login.postgres(join(sockets(), 'postgres'));
    await server.change(before, 'changed by hand');
    const { status, err } = await rotate('postgres');
    expect([status, passwordOf.postgres()]).toEqual([3, before]);
    expect(err).toContain('postgres takes another password');
    expect(err).not.toContain(before);
    await server.change('changed by hand', before);
    await expectSettled();
  });
});

describe('"secrets rotate" that is killed', () => {
  /** Kills it before the nth call of that kind to the system. */
  const killedBefore = (call: string, nth: number) =>
    run(
      ['secrets', 'rotate'],
      [
        'strace',
        '-f',
        '-qq',
        '-o',
        '/dev/null',
        '-e',
        `trace=${call}`,
        '-e',
        `inject=${call}:signal=SIGKILL:when=${nth}`,
      ],
    );

  it.each([
    { call: 'rename', every: 1, atLeast: 7 },
    { call: 'unlink', every: 1, atLeast: 4 },
    { call: 'connect', every: 3, atLeast: 3 },
  ])(
    'before a call of $call can be run again, and then the servers take the passwords of the files',
    async ({ call, every, atLeast }) => {
      let kills = 0;
      for (let nth = 1; nth < 40; nth += every) {
        const { status } = await killedBefore(call, nth);
        if (status === 0) break;
        expect(status).toBe('SIGKILL');
        kills += 1;
        const again = await rotate('redis');
        expect([again.status, again.err]).toEqual([0, '']);
        await expectSettled();
      }
      console.log(`killed before ${kills} calls of ${call}`);
      expect(kills).toBeGreaterThanOrEqual(atLeast);
    },
    300_000,
  );
});
