import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
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
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { applianceCommand } from '../support/appliance.ts';

let folder: string;
let secrets: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'init-'));
  secrets = join(folder, 'my "secrets"');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function run(...command: readonly string[]) {
  const [file, ...leading] = applianceCommand();
  const env = { PATH: process.env['PATH'], HOME: folder, APP_DATA_DIR: join(folder, 'data') };
  const args = [...leading, ...command, '--secrets-dir', secrets];
  const { status, stdout, stderr } = spawnSync(file, args, { cwd: folder, env, encoding: 'utf8' });
  return { status, stdout, stderr };
}
const modeOf = (path: string) => statSync(path).mode & 0o777;
const textOf = (name: string) => readFileSync(join(secrets, name), 'utf8');

describe('"secrets init"', () => {
  it('makes a folder that is fit to run with, for its owner and group alone, and shows no password', () => {
    const made = run('secrets', 'init');
    expect([made.status, made.stderr]).toEqual([0, '']);
    expect(readdirSync(secrets).toSorted()).toEqual(['postgres.env', 'redis.env', 'redis.password.conf']);
    expect(modeOf(secrets)).toBe(0o750);
    for (const name of readdirSync(secrets)) expect(modeOf(join(secrets, name))).toBe(0o640);
    const password = /^REDIS_PASS=(.+)$/m.exec(textOf('redis.env'))?.[1] ?? '';
    expect(password).toMatch(/^[\w-]{43}$/);
    expect(textOf('redis.password.conf')).toBe(`requirepass "${password}"\n`);
    expect(made.stdout).toContain('redis.env: REDIS_PASS = (secret), new');
    expect(made.stdout).not.toContain(password);
    expect(run('config', 'check')).toMatchObject({ status: 0 });
  });

  it('overwrites nothing, however often it runs', () => {
    run('secrets', 'init');
    const before = readdirSync(secrets).map(textOf);
    expect(run('secrets', 'init')).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('has all that'),
    });
    expect(readdirSync(secrets).map(textOf)).toEqual(before);
  });

  it('only says what it would make with --dry-run', () => {
    const said = run('secrets', 'init', '--dry-run');
    expect(said).toMatchObject({ status: 0, stdout: expect.stringContaining('Would be written to') });
    expect(existsSync(secrets)).toBe(false);
  });

  it('takes over an older stack, and lists what it took and what not', () => {
    const old = join(folder, 'old');
    mkdirSync(old);
    writeFileSync(join(old, 'django.env'), 'SECRET_KEY=hidden-one\nAPP_LOG_LEVEL=warn\n');
    writeFileSync(
      join(old, 'postgres.env'),
      `POSTGRES_HOST=postgres\nPOSTGRES_PASSWORD="hidden 'two' \\"x"\n`,
    );
    const { status, stdout } = run('secrets', 'init', '--from', 'old');
    expect(status).toBe(0);
    expect(stdout).toContain('app.env: APP_LOG_LEVEL = warn, from django.env');
    expect(stdout).toContain('postgres.env: POSTGRES_PASSWORD = (secret), from postgres.env');
    expect(stdout).toContain('Not taken\n  django.env: SECRET_KEY: nothing here has this key');
    expect(stdout).not.toContain('hidden');
    expect(textOf('postgres.env')).toContain(`POSTGRES_PASSWORD="hidden 'two' \\"x"`);
    expect(run('secrets', 'init', '--from', 'data')).toMatchObject({ status: 2 });
  });

  it('refuses a folder that others may change, and files that cannot be read as what they are', () => {
    run('secrets', 'init');
    chmodSync(secrets, 0o777);
    expect(run('secrets', 'init')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining(`chmod 0750 '${secrets}'`),
    });
    chmodSync(secrets, 0o750);
    writeFileSync(join(secrets, 'postgres.env'), 'POSTGRES_PASSWORD="never closed\n');
    expect(run('secrets', 'init')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('is never closed'),
    });
    expect(textOf('postgres.env')).toBe('POSTGRES_PASSWORD="never closed\n');
  });
});
