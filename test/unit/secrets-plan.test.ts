import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readOldStack } from '../../src/config/old-stack.ts';
import { readSecretsFolder } from '../../src/config/secrets-folder.ts';
import { planSecrets, type SecretsPlan } from '../../src/config/secrets-plan.ts';

const addresses = { postgresHost: '/run/stack/postgres', redisSocket: '/run/stack/redis/redis.sock' };
type Files = Readonly<Record<string, string>>;

function inFolder<Result>(files: Files, act: (folder: string) => Result): Result {
  const folder = mkdtempSync(join(tmpdir(), 'plan-'));
  try {
    for (const [name, text] of Object.entries(files))
      writeFileSync(join(folder, name), text, { mode: 0o640 });
    return act(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const oldStack = (files: Files) => inFolder(files, readOldStack);

function plan(files: Files, old?: Files): SecretsPlan {
  const found = inFolder(files, readSecretsFolder);
  return planSecrets(found, addresses, old === undefined ? undefined : oldStack(old));
}

const written = ({ values }: SecretsPlan) =>
  Object.fromEntries(values.map(({ file, key, value }) => [`${file} ${key}`, value]));

describe('the plan of secrets', () => {
  it('makes everything for both containers where there is nothing, with passwords of their own', () => {
    const made = written(plan({}));
    const password = expect.stringMatching(/^[\w-]{43}$/);
    expect(made).toEqual({
      'postgres.env POSTGRES_HOST': addresses.postgresHost,
      'postgres.env POSTGRES_PASSWORD': password,
      'redis.env REDIS_HOST': addresses.redisSocket,
      'redis.env REDIS_CONNECTION_TYPE': 'unix',
      'redis.env REDIS_PASS': password,
      'redis.password.conf requirepass': made['redis.env REDIS_PASS'],
    });
    expect(made['redis.env REDIS_PASS']).not.toBe(made['postgres.env POSTGRES_PASSWORD']);
    expect(written(plan({}))['postgres.env POSTGRES_PASSWORD']).not.toBe(
      made['postgres.env POSTGRES_PASSWORD'],
    );
  });

  it('keeps what is there, and makes what is missing', () => {
    const { values, kept } = plan({
      'postgres.env': `POSTGRES_HOST=${addresses.postgresHost}\nPOSTGRES_PASSWORD=mine\n`,
      'redis.env': `REDIS_CONNECTION_TYPE=unix\nREDIS_HOST=${addresses.redisSocket}\nREDIS_PASS=\n`,
      'redis.password.conf': 'requirepass "of the file"\n',
    });
    expect(values.map(({ key, value }) => [key, value])).toEqual([['REDIS_PASS', 'of the file']]);
    expect(kept.map(({ key }) => key)).toContain('POSTGRES_PASSWORD');
  });

  it('leaves the passwords of servers elsewhere alone', () => {
    const elsewhere = plan({
      'postgres.env': 'POSTGRES_HOST=db.example.com\n',
      'redis.env': 'REDIS_HOST=cache.example.com\n',
    });
    expect(elsewhere.values).toEqual([]);
    expect(elsewhere.notes.join('\n')).toMatch(/POSTGRES_HOST names a server elsewhere[^]*REDIS_HOST names/);
  });

  it('takes over an older stack, whose servers were containers, and says what it did not take', () => {
    const old = {
      'django.env': 'SECRET_KEY=abc\nAPP_LOG_LEVEL=debug\nAPP_HTTP_PORT=none\n',
      'postgres.env':
        'POSTGRES_HOST=postgres\nPOSTGRES_PORT=5432\nPOSTGRES_DB=site\nPOSTGRES_USER=site\nPOSTGRES_PASSWORD="p \'w"\n',
      'redis.env': 'REDIS_CONNECTION_TYPE=redis\nREDIS_HOST=redis\nREDIS_PORT=6379\nREDIS_TTL=60\n',
      'redis.secrets.conf': 'requirepass "r \\"w"\n',
      'nginx.env': 'CERT_DOMAIN=whoami.example.com\nNGINX_HOST=x\nnonsense\n',
      'geoip.key': '123456:abcdefgh01234567\n',
    };
    const made = plan({}, old);
    expect(written(made)).toEqual({
      'postgres.env POSTGRES_HOST': addresses.postgresHost,
      'postgres.env POSTGRES_USER': 'site',
      'postgres.env POSTGRES_DB': 'site',
      'postgres.env POSTGRES_PASSWORD': "p 'w",
      'redis.env REDIS_HOST': addresses.redisSocket,
      'redis.env REDIS_CONNECTION_TYPE': 'unix',
      'redis.env REDIS_PASS': 'r "w',
      'redis.env REDIS_TTL': '60',
      'redis.password.conf requirepass': 'r "w',
      'app.env APP_LOG_LEVEL': 'debug',
      'acme.env CERT_DOMAIN': 'whoami.example.com',
      'geoip.key geoip.key': '123456:abcdefgh01234567',
    });
    expect(made.notes).toContain(
      'POSTGRES_HOST was the container "postgres"; it is the one of this host now',
    );
    expect(oldStack(old)?.left.map(({ from, what }) => `${from} ${what}`)).toEqual([
      'django.env SECRET_KEY',
      'django.env APP_HTTP_PORT',
      'nginx.env line 3',
      'nginx.env NGINX_HOST',
    ]);
  });

  it('gives the service a role of its own where the older stack used the superuser', () => {
    const old = { 'postgres.env': 'POSTGRES_USER=postgres\nPOSTGRES_DB=postgres\nPOSTGRES_PASSWORD=old\n' };
    const made = plan({}, old);
    expect(written(made)).not.toHaveProperty('postgres.env POSTGRES_USER');
    expect(written(made)).not.toHaveProperty('postgres.env POSTGRES_DB');
    expect(made.notes.join('\n')).toContain('POSTGRES_USER was postgres');
  });

  it('overwrites nothing with what an older stack had', () => {
    const made = plan(
      { 'app.env': 'APP_LOG_LEVEL=warn\n' },
      { 'app.env': 'APP_LOG_LEVEL=debug\nAPP_WORKERS=2\n', 'django.env': 'APP_WORKERS=3\n' },
    );
    expect(
      made.values.filter(({ file }) => file === 'app.env').map(({ key, value }) => [key, value]),
    ).toEqual([['APP_WORKERS', '2']]);
  });

  it('knows a folder that is no older stack', () => {
    expect(oldStack({ 'other.txt': 'x' })).toBeUndefined();
  });
});
