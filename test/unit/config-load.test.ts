import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { rootCertificates } from 'node:tls';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { configOf, loadConfig, type LoadInput } from '../../src/config/load.ts';
import { ConfigError, formatProblem } from '../../src/config/problem.ts';
import { originText } from '../../src/config/value.ts';
import { makeFolder } from '../support/secrets-folder.ts';

const nowhere = '/nonexistent/appliance/secrets';

function load(input: Partial<LoadInput> & { files?: Record<string, string | Uint8Array> } = {}) {
  const { files, flags = {}, environment = {}, workingFolder = '/srv', installedFolder = nowhere } = input;
  const folder = files === undefined ? undefined : makeFolder(files);
  const loaded = loadConfig({
    flags: folder === undefined ? flags : { 'secrets-dir': folder, ...flags },
    environment,
    workingFolder,
    installedFolder,
  });
  const relative = (text: string): string =>
    folder === undefined ? text : text.replaceAll(`${folder}/`, '');
  return {
    ...loaded,
    problemTexts: loaded.problems.map((problem) => relative(formatProblem(problem))),
    warningTexts: loaded.warnings.map((problem) => relative(formatProblem(problem))),
    originOf(key: string) {
      const value = loaded.values.find(({ setting }) => setting.key === key);
      return value && relative(originText(value.origin));
    },
  };
}

describe('defaults', () => {
  it('are those of a server for this host alone', () => {
    const { config, problems, warnings } = load();
    expect(problems).toEqual([]);
    expect(warnings).toEqual([]);
    expect(config).toMatchObject({
      listenHost: '127.0.0.1',
      httpPort: 8080,
      httpsPort: 8443,
      workers: availableParallelism(),
      dataDir: '/srv/.appliance',
      runDir: '/srv/.appliance',
      publicNames: undefined,
      certificates: undefined,
      certStagingUrl: 'https://acme-staging-v02.api.letsencrypt.org/directory',
      trustedProxies: ['127.0.0.0/8', '::1/128'],
      clientAddressHeader: 'x-forwarded-for',
      logLevel: 'info',
      metricsListen: undefined,
      reverseDns: false,
      portTest: false,
      adminPath: '/admin',
      certRenewCheckMs: 3_600_000,
      secretsDir: undefined,
      installed: false,
    });
  });

  it('put folders where the XDG specification says, relative ones aside', () => {
    const environment = { XDG_STATE_HOME: '/home/a/state', XDG_RUNTIME_DIR: 'relative' };
    expect(load({ environment }).config).toMatchObject({
      dataDir: '/home/a/state/appliance',
      runDir: '/srv/.appliance',
    });
  });

  it('are never those of a checkout where the folder of an installed host is named and missing', () => {
    const installedFolder = join(makeFolder(), 'secrets');
    const { config, values, problemTexts } = load({
      installedFolder,
      environment: { APP_SECRETS_DIR: installedFolder },
    });
    expect(config).toBeUndefined();
    expect(problemTexts).toEqual([expect.stringContaining('the secrets folder cannot be read')]);
    expect(values.find(({ field }) => field === 'runDir')?.value).toBe('/run/appliance');
  });

  it('are never those of a checkout where the folder of an installed host leads nowhere, or may not be looked at', () => {
    const outer = makeFolder();
    symlinkSync('/nonexistent', join(outer, 'link'));
    expect(load({ installedFolder: join(outer, 'link') })).toMatchObject({
      config: undefined,
      problemTexts: [expect.stringContaining('the secrets folder cannot be read')],
    });
    const program = `
      import { loadConfig } from ${JSON.stringify(import.meta.resolve('../../src/config/load.ts'))};
      process.seteuid?.(${process.getuid?.() === 0 ? 65534 : (process.getuid?.() ?? 0)});
      const { problems } = loadConfig({ flags: {}, environment: {}, workingFolder: '/srv',
        installedFolder: ${JSON.stringify(join(outer, 'closed', 'secrets'))} });
      console.log(JSON.stringify(problems));`;
    mkdirSync(join(outer, 'closed', 'secrets'), { recursive: true });
    chmodSync(join(outer, 'closed'), 0);
    chmodSync(outer, 0o755);
    const told = execFileSync(process.execPath, ['--input-type=module', '--eval', program], {
      encoding: 'utf8',
    });
    chmodSync(join(outer, 'closed'), 0o700);
    expect(told).toContain('the secrets folder cannot be read');
  });

  it('put folders in their places on an installed host, whatever XDG says, and change nothing else', () => {
    const { config, warnings } = load({
      installedFolder: makeFolder(),
      environment: { XDG_STATE_HOME: '/home/a/state' },
    });
    expect(warnings).toEqual([]);
    expect(config).toMatchObject({
      dataDir: '/var/lib/appliance',
      runDir: '/run/appliance',
      installed: true,
      listenHost: '127.0.0.1',
      httpPort: 8080,
    });
  });

  it('cannot be changed by whoever holds the configuration', () => {
    const { config } = load({ flags: { 'metrics-listen': '127.0.0.1:9100' } });
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config?.trustedProxies)).toBe(true);
    expect(Object.isFrozen(config?.metricsListen)).toBe(true);
  });
});

describe('precedence', () => {
  const files = { 'app.env': '# ours\nAPP_HTTP_PORT=81\n' };

  it('is flag, environment, file, default', () => {
    const environment = { APP_HTTP_PORT: '82' };
    const flags = { 'http-port': '83' };
    const all = [load(), load({ files }), load({ files, environment })];
    const folder = makeFolder(files);
    all.push(load({ environment, flags: { ...flags, 'secrets-dir': folder } }));
    expect(all.map(({ config }) => config?.httpPort)).toEqual([8080, 81, 82, 83]);
    expect(all.map(({ originOf }) => originOf('APP_HTTP_PORT'))).toEqual([
      'default',
      'app.env:2',
      'environment',
      'flag --http-port',
    ]);
  });

  it('skips what is empty, but for a flag, where it is a problem', () => {
    const empty = {
      files: { 'app.env': 'APP_WORKERS=\nAPP_HTTP_PORT=81' },
      environment: { APP_HTTP_PORT: '' },
    };
    expect(load(empty).config?.httpPort).toBe(81);
    expect(load({ flags: { workers: '' } }).problemTexts).toEqual([
      'flag --workers: a value is missing: leave the flag out for the default',
    ]);
  });

  it('has the secrets folder from a flag, the environment, or where it is installed', () => {
    const [installedFolder, named, flagged] = [81, 82, 83].map((port) =>
      makeFolder({ 'app.env': `APP_HTTP_PORT=${port}` }),
    ) as [string, string, string];
    const environment = { APP_SECRETS_DIR: named };
    expect(load({ installedFolder }).config?.httpPort).toBe(81);
    expect(load({ installedFolder, environment }).config).toMatchObject({ httpPort: 82, installed: false });
    expect(load({ environment, flags: { 'secrets-dir': flagged } }).config?.httpPort).toBe(83);
  });

  it('starts relative paths of flags at the working folder and refuses them in files', () => {
    expect(load({ flags: { 'data-dir': 'data' } }).config?.dataDir).toBe('/srv/data');
    expect(load({ files: { 'app.env': 'APP_DATA_DIR=data' } }).problemTexts).toEqual([
      'app.env:1: APP_DATA_DIR: is not right, found "data"; allowed: an absolute path',
    ]);
  });
});

describe('problems', () => {
  it('are all found in one go, each with its place', () => {
    const { config, problemTexts } = load({
      files: {
        'app.env': 'APP_HTTP_PORT=eighty\nAPP_WROKERS=2\n\nwhat\nAPP_LOG_LEVEL=loud\nREDIS_PORT=1\n',
        'redis.env': 'REDIS_PORT="6379\nREDIS_DB=a\nREDIS_DB=b',
        'geoip.key': '1:abcdefgh\n2:abcdefgh',
      },
      environment: { APP_REVERSE_DNS: 'yes' },
      flags: { workers: 'few' },
    });
    expect(config).toBeUndefined();
    expect(problemTexts).toEqual([
      'app.env:2: APP_WROKERS: there is no such key; did you mean APP_WORKERS?',
      'app.env:4: this line is neither KEY=value, nor a comment, nor empty',
      'app.env:6: REDIS_PORT: belongs in redis.env',
      'redis.env:1: REDIS_PORT: the " at the start of the value is never closed',
      'redis.env:3: REDIS_DB: is set on line 2 already',
      'geoip.key:2: only one line is wanted here, and line 1 is one already',
      'app.env:1: APP_HTTP_PORT: is not right, found "eighty"; allowed: a port from 1 to 65535',
      'flag --workers: APP_WORKERS: is not right, found "few"; allowed: auto, or a whole number from 1 to 256',
      'app.env:5: APP_LOG_LEVEL: is not right, found "loud"; allowed: fatal, error, warn, info, debug, trace',
      'environment: APP_REVERSE_DNS: is not right, found "yes"; allowed: on, off',
      'redis.env:2: REDIS_DB: is not right, found "a"; allowed: a whole number from 0 to 1023',
    ]);
  });

  it('become one error that lists them, for scripts to know by its code', () => {
    const loaded = load({ flags: { 'http-port': 'x', workers: 'y' } });
    const attempt = () => configOf(loaded);
    expect(attempt).toThrow(ConfigError);
    expect(attempt).toThrow(/2 problems:\n {2}flag --http-port: .*\n {2}flag --workers: /);
    expect(attempt).toThrow(
      expect.objectContaining({ code: 'config-invalid', exitCode: 2, retryable: false }),
    );
  });

  it.each([
    ['APP_HTTP_PROT=1', 'APP_HTTP_PROT: there is no such key; did you mean APP_HTTP_PORT?'],
    ['app_http_port=1', 'app_http_port: there is no such key; did you mean APP_HTTP_PORT?'],
    ['REDIS_HOTS=a', 'REDIS_HOTS: there is no such key; did you mean REDIS_HOST in redis.env?'],
    [
      'APP_SECRETS_DIR=/x',
      'APP_SECRETS_DIR: names the folder that this file lies in: set it in the environment',
    ],
    ['SOMETHING_ELSE=1', 'SOMETHING_ELSE: there is no such key'],
    ['X1=1', 'X1: there is no such key'],
    ['foo=1', 'foo: there is no such key'],
    [`${'x'.repeat(200)}=1`, `${'x'.repeat(64)}…: there is no such key`],
  ])('name the key that was meant by %j', (line, message) => {
    expect(load({ files: { 'app.env': line } }).problemTexts).toEqual([`app.env:1: ${message}`]);
  });

  it('name every key that there is not, but for what may be a piece of a secret', () => {
    const { problemTexts } = load({
      files: {
        'app.env':
          'X1=1\nAPP_WORKERS=2\nfoo=bar\nAPP_ALERT_COMMAND="curl\nhunter=2"\nX2=1\nAPP_DATA_DIR=/x\nX3=1',
        'postgres.env': 'hunter2==',
        'acme.env': 'hunter2=x\nhunter=CERT_EAB_HMAC',
        'redis.env': 'REDIS_PASSWORD=abc\nhunter2=def',
      },
    });
    const subjects = problemTexts.map((text) => text.split(': ').slice(0, 2).join(' '));
    expect(subjects).toEqual([
      'app.env:1 X1',
      'app.env:3 foo',
      'app.env:4 APP_ALERT_COMMAND',
      'app.env:5 there is no such key',
      'app.env:6 there is no such key',
      'app.env:8 X3',
      'acme.env:1 there is no such key',
      'acme.env:2 there is no such key',
      'postgres.env:1 there is no such key',
      expect.stringContaining('redis.env:1 '),
      'redis.env:2 there is no such key',
    ]);
  });

  it('show control characters and long texts in a form that fits a line', () => {
    const [long, odd] = load({
      environment: { APP_LOG_LEVEL: 'x'.repeat(200), APP_PORT_TEST: '\u001b[31m\n\u202e' },
    }).problemTexts;
    expect(long).toContain(`found "${'x'.repeat(80)}…"`);
    expect(odd).toContain('found "\\u001b[31m\\n\\u202e"');
  });

  it('name a folder that is missing and files that cannot be read', () => {
    expect(load({ flags: { 'secrets-dir': '/nonexistent' } }).problemTexts).toEqual([
      expect.stringMatching(/^\/nonexistent: the secrets folder cannot be read: ENOENT/),
    ]);
    const folder = makeFolder({
      'acme.env': new Uint8Array([0x41, 0xff]),
      'redis.env': '#'.repeat(2_000_000),
    });
    mkdirSync(join(folder, 'app.env'));
    execFileSync('mkfifo', [join(folder, 'postgres.env')]);
    expect(load({ flags: { 'secrets-dir': folder } }).problemTexts).toEqual([
      `${folder}/app.env: this is not a file`,
      `${folder}/acme.env: this file is not UTF-8 text`,
      `${folder}/postgres.env: this is not a file`,
      `${folder}/redis.env: this file is larger than 1048576 bytes`,
    ]);
  });

  it('never show a secret', () => {
    const secret = 'hunter2hunter2';
    const { problemTexts, warningTexts } = load({
      files: {
        'app.env': `APP_ALERT_COMMAND=" ${secret}"\nGEOIP_URL=https://me:${secret}@mirror.example/`,
        'acme.env': `CERT_EAB_HMAC=${secret}\n${secret}==\nCERT_FALLBACK_EAB_HMAC=${secret}!\nCERT_EAB_HMAC=${secret}`,
        'postgres.env': `POSTGRES_PASSWORD="${secret}\nPOSTGRES_PASSWORDD=${secret}\nPOSTGRES_PASSWORD ${secret}`,
        'redis.env': `REDIS_PASS=${secret}1`,
        'redis.password.conf': `requirepass ${secret}2`,
        'geoip.key': secret,
      },
      environment: { APP_ALERT_COMAND: secret },
    });
    expect(problemTexts).toHaveLength(11);
    expect([...problemTexts, ...warningTexts].join('\n')).not.toContain('hunter2');
  });
});

describe('values that do not go together', () => {
  const caFile = join(mkdtempSync(join(tmpdir(), 'appliance-config-')), 'ca.pem');
  beforeAll(() => writeFileSync(caFile, rootCertificates[0] ?? ''));
  afterAll(() => rmSync(dirname(caFile), { recursive: true }));

  it.each([
    [
      'two public ports that are one',
      { APP_HTTP_PORT: '8443' },
      ['APP_HTTP_PORT: must differ from APP_HTTPS_PORT'],
    ],
    [
      'two public ports that are one',
      { APP_HTTPS_PORT: '8080' },
      ['APP_HTTPS_PORT: must differ from APP_HTTP_PORT'],
    ],
    [
      'metrics on a public port',
      { APP_METRICS_LISTEN: '[::1]:8443' },
      ['APP_METRICS_LISTEN: must have another port than APP_HTTPS_PORT'],
    ],
    ['half an account', { CERT_EAB_KID: 'a' }, ['CERT_EAB_KID: is set without CERT_EAB_HMAC']],
    ['half an account', { CERT_EAB_HMAC: 'a'.repeat(20) }, ['CERT_EAB_HMAC: is set without CERT_EAB_KID']],
    [
      'a second authority without its directory',
      {
        CERT_FALLBACK_CA_FILE: caFile,
        CERT_FALLBACK_EAB_KID: 'a',
        CERT_FALLBACK_EAB_HMAC: 'a'.repeat(20),
      },
      [
        'CERT_FALLBACK_CA_FILE: is set without CERT_FALLBACK_DIRECTORY_URL',
        'CERT_FALLBACK_EAB_KID: is set without CERT_FALLBACK_DIRECTORY_URL',
      ],
    ],
    [
      'a wildcard without DNS',
      { CERT_DOMAIN: '*.example.com' },
      ['CERT_DOMAIN: names *.example.com, which needs'],
    ],
    [
      'a socket that is a name',
      { REDIS_CONNECTION_TYPE: 'unix', REDIS_HOST: 'a' },
      ['REDIS_HOST: must be the path'],
    ],
    ['a name that is a socket', { REDIS_HOST: '/run/redis.sock' }, ['REDIS_HOST: cannot be a path']],
    [
      'a trust anchor that nobody looks at, of PostgreSQL',
      { POSTGRES_CA_FILE: caFile },
      ['POSTGRES_CA_FILE: is not looked at where POSTGRES_SSLMODE is prefer: set that to verify-full'],
    ],
    [
      'a trust anchor that nobody looks at, of Redis',
      { REDIS_CA_FILE: caFile },
      ['REDIS_CA_FILE: is not looked at where REDIS_CONNECTION_TYPE is redis: set that to rediss'],
    ],
    [
      'folders that are files, or below one',
      { APP_DATA_DIR: '/etc/passwd', APP_RUN_DIR: '/etc/passwd/a b/run' },
      [
        'APP_DATA_DIR: /etc/passwd is no folder: name another',
        "APP_RUN_DIR: /etc/passwd is no folder, and '/etc/passwd/a b/run' would lie below it: name another",
      ],
    ],
    ['several servers for one', { REDIS_HOST: 'a,b' }, ['REDIS_HOST: must be one server']],
    [
      'a numbered database in a cluster',
      { REDIS_CONNECTION_TYPE: 'cluster', REDIS_HOST: 'a,b', REDIS_DB: '1' },
      ['REDIS_DB: must be 0'],
    ],
  ])('%s: %j', (_, environment, expected) => {
    const { problemTexts } = load({ environment: environment });
    expect(problemTexts).toHaveLength(expected.length);
    expected.forEach((text, index) => expect(problemTexts[index]).toContain(`environment: ${text}`));
  });

  it('counts the password of the cache and that of its server', () => {
    const conf = { 'redis.password.conf': 'requirepass "same"' };
    expect(load({ files: { ...conf, 'redis.env': 'REDIS_PASS=same' } }).problemTexts).toEqual([]);
    expect(load({ files: { 'redis.env': 'REDIS_PASS=same' } }).problemTexts).toEqual([]);
    expect(load({ files: { ...conf, 'redis.env': 'REDIS_PASS=other' } }).problemTexts).toEqual([
      'redis.env:1: REDIS_PASS: is another password than the requirepass line of redis.password.conf',
    ]);
    expect(load({ files: conf }).problemTexts).toEqual([
      'redis.password.conf:1: requirepass: sets a password, but REDIS_PASS in redis.env is not set',
    ]);
  });
});

describe('warnings', () => {
  it('name variables that are nearly one of ours, and no others', () => {
    const environment = {
      APP_HTTP_PROT: '1',
      APP_SECRET_DIR: '/x',
      APP_NAME: 'theirs',
      CERT_DOMIAN: 'a.example',
      CERT_PATH: 'theirs',
      REDIS_HOTS: 'a',
    };
    expect(load({ environment }).warningTexts).toEqual([
      'environment: APP_HTTP_PROT: is not used; did you mean APP_HTTP_PORT?',
      'environment: APP_SECRET_DIR: is not used; did you mean APP_SECRETS_DIR?',
      'environment: CERT_DOMIAN: is not used; did you mean CERT_DOMAIN?',
    ]);
  });

  it('name files that nothing reads', () => {
    expect(load({ files: { 'apps.env': '', 'geoip.kye': '', 'README.md': '' } }).warningTexts.sort()).toEqual(
      [
        'apps.env: no file of this name is read; did you mean app.env?',
        'geoip.kye: no file of this name is read; did you mean geoip.key?',
      ],
    );
  });

  it('name keys that this release does nothing with', () => {
    const { config, warningTexts } = load({ files: { 'app.env': 'APP_ADMIN_PATH=/a\nAPP_HTTP_PORT=80' } });
    expect(config?.adminPath).toBe('/a');
    expect(warningTexts).toEqual([
      'app.env:1: APP_ADMIN_PATH: is accepted, but this release does nothing with it yet',
    ]);
  });

  it('tell of secrets that everybody can read and files that everybody can change', () => {
    const folder = makeFolder({ 'redis.env': 'REDIS_PASS=a', 'app.env': 'APP_WORKERS=1', 'acme.env': '' });
    chmodSync(join(folder, 'redis.env'), 0o644);
    chmodSync(join(folder, 'app.env'), 0o644);
    chmodSync(join(folder, 'acme.env'), 0o666);
    const { warningTexts } = load({ flags: { 'secrets-dir': folder } });
    expect(warningTexts.filter((text) => text.includes('mode'))).toEqual([
      `${folder}/acme.env: everybody on this host can change it (mode 0666); chmod 0640 it`,
      `${folder}/redis.env: everybody on this host can read it (mode 0644); chmod 0640 it`,
    ]);
  });
});
