import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { describe, expect, it } from 'vitest';

import { version } from '../../src/core/version.ts';
import { makeFolder } from '../support/secrets-folder.ts';

const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
const run = promisify(execFile);

/** The real program, in an environment of its own. */
function appliance(argv: readonly string[], environment: Record<string, string> = {}, cwd = '/') {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...argv], {
    env: { PATH: process.env['PATH'], APP_SECRETS_DIR: makeFolder(), ...environment },
    cwd,
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { status, stdout, stderr };
}

/** The same on a terminal of its own, by script(1); what it printed on either stream. */
function onTerminal(argv: readonly string[], environment: Record<string, string>): string {
  const line = [process.execPath, main, ...argv].map((word) => `'${word}'`).join(' ');
  const { stdout } = spawnSync('script', ['-qec', line, '/dev/null'], {
    env: { PATH: process.env['PATH'], TERM: 'xterm', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    timeout: 60_000,
  });
  return stdout;
}

describe('appliance config check', () => {
  it('says that the defaults are valid', () => {
    expect(appliance(['config', 'check'])).toEqual({
      status: 0,
      stdout: 'configuration is valid\n',
      stderr: '',
    });
  });

  it('tells every problem at once and ends with 2', () => {
    const folder = makeFolder({
      'app.env': 'APP_HTTP_PORT=0\nAPP_WROKERS=1\n',
      'redis.env': 'REDIS_PASS="hunter2',
    });
    const { status, stdout, stderr } = appliance(
      ['config', 'check', '--workers', 'x', '--secrets-dir', folder],
      {
        APP_LOG_LEVEL: 'loud',
      },
    );
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr.replaceAll(folder, 'secrets')).toBe(
      [
        'error: the configuration has 5 problems:',
        '  secrets/app.env:2: APP_WROKERS: there is no such key; did you mean APP_WORKERS?',
        '  secrets/redis.env:1: REDIS_PASS: the " at the start of the value is never closed',
        '  secrets/app.env:1: APP_HTTP_PORT: is not right, found "0"; allowed: a port from 1 to 65535',
        '  flag --workers: APP_WORKERS: is not right, found "x"; allowed: auto, or a whole number from 1 to 256',
        '  environment: APP_LOG_LEVEL: is not right, found "loud"; allowed: fatal, error, warn, info, debug, trace',
        'to do: correct what is named above; "appliance config check" says when it is right',
        '',
      ].join('\n'),
    );
  });

  it('warns of keys without effect and still finds the rest valid', () => {
    const { status, stdout, stderr } = appliance(['config', 'check', '--static-dir=/srv/www'], {
      APP_HTTP_PROT: '80',
    });
    expect([status, stdout]).toEqual([0, 'configuration is valid\n']);
    expect(stderr).toBe(
      'warning: environment: APP_HTTP_PROT: is not used; did you mean APP_HTTP_PORT?\n' +
        'warning: flag --static-dir: APP_STATIC_DIR: is accepted, but this release does nothing with it yet\n',
    );
  });

  it('tells a reader who is slow all of it, and waits for none who has gone', () => {
    const keys = Array.from({ length: 3000 }, (_, at) => `KEY_THAT_IS_NONE_${at}=1\n`).join('');
    const command = [
      process.execPath,
      main,
      'config',
      'check',
      '--secrets-dir',
      makeFolder({ 'app.env': keys }),
    ];
    const piped = (reader: string) =>
      spawnSync(
        'bash',
        ['-c', `"$@" 2>&1 >/dev/null | ${reader}; echo "status \${PIPESTATUS[0]}"`, 'bash', ...command],
        {
          encoding: 'utf8',
          timeout: 60_000,
        },
      ).stdout;
    const whole = piped('(sleep 1; cat)');
    expect(whole.match(/there is no such key/g)).toHaveLength(3000);
    expect(whole).toMatch(/\nto do: correct what is named above.*\nstatus 2\n$/);
    expect(piped('head -c 100 >/dev/null')).toBe('status 2\n');
    expect(piped('true')).toBe('status 2\n');
  });

  it('has the same for scripts', () => {
    const { status, stdout, stderr } = appliance(['config', 'check', '--json', '--http-port=x']);
    expect([status, stderr]).toEqual([2, '']);
    expect(JSON.parse(stdout)).toEqual({
      schema: 1,
      valid: false,
      problems: [
        {
          source: 'flag --http-port',
          key: 'APP_HTTP_PORT',
          message: 'is not right',
          found: 'x',
          allowed: 'a port from 1 to 65535',
        },
      ],
      warnings: [],
    });
  });
});

describe('appliance config show', () => {
  const secrets = {
    'app.env': 'APP_PUBLIC_NAMES="A.example, b.example"\nAPP_ALERT_COMMAND=hunter2\n',
    'redis.env': 'REDIS_PASS=hunter2',
    'redis.password.conf': 'requirepass hunter2',
    'geoip.key': '1:hunter2hunter2',
  };

  it('prints every value with where it comes from, and no secret', () => {
    const folder = makeFolder(secrets);
    const { status, stdout } = appliance(['config', 'show', '--secrets-dir', folder, '--http-port', '80']);
    expect(status).toBe(0);
    const shown = stdout.replaceAll(folder, 'secrets').replaceAll(/ {2,}/g, '   ').split('\n');
    expect(shown).toContain('APP_HTTP_PORT = 80   (flag --http-port)');
    expect(shown).toContain('APP_PUBLIC_NAMES = a.example,b.example   (secrets/app.env:1)');
    expect(shown).toContain('APP_ALERT_COMMAND = (set)   (secrets/app.env:2)');
    expect(shown).toContain('APP_REVERSE_DNS = off   (default)');
    expect(shown).toContain('CERT_EMAIL = (unset)   (default)');
    expect(shown).toContain('REDIS_PASS = (set)   (secrets/redis.env:1)');
    expect(shown).toContain('POSTGRES_PASSWORD = (unset)   (default)');
    expect(shown).toContain('geoip.key = (set)   (secrets/geoip.key:1)');
    expect(stdout).not.toContain('hunter2');
  });

  it('prints the same for scripts', () => {
    const folder = makeFolder(secrets);
    const { stdout } = appliance(['config', 'show', '--json'], { APP_SECRETS_DIR: folder });
    const shown = JSON.parse(stdout) as { values: { key: string }[] };
    expect(shown).toMatchObject({ schema: 1, secretsDir: folder });
    expect(shown.values.find(({ key }) => key === 'APP_PUBLIC_NAMES')).toEqual({
      key: 'APP_PUBLIC_NAMES',
      set: true,
      value: 'a.example,b.example',
      secret: false,
      effective: true,
      origin: `${folder}/app.env:1`,
    });
    expect(shown.values.find(({ key }) => key === 'REDIS_PASS')).not.toHaveProperty('value');
    expect(stdout).not.toContain('hunter2');
  });

  it('has folders below the working folder where there is nothing better', () => {
    const folder = makeFolder();
    expect(appliance(['config', 'show'], {}, folder).stdout).toContain(`APP_DATA_DIR = ${folder}/.appliance`);
  });

  it('ends well when its reader is gone', () => {
    const line = `"$0" "$1" config show | true; echo "status \${PIPESTATUS[0]}"`;
    const { stdout, stderr } = spawnSync('bash', ['-c', line, process.execPath, main], { encoding: 'utf8' });
    expect(stdout).toBe('status 0\n');
    expect(stderr).toBe('');
  });

  it('shows nothing of a configuration that is not valid', () => {
    const { status, stdout, stderr } = appliance(['config', 'show', '--http-port', 'x']);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toContain('error: the configuration has a problem:');
  });
});

describe('appliance', () => {
  it.each([['--help'], ['help config check'], ['config show --help']])('%s', (argv) => {
    const { status, stdout, stderr } = appliance(argv.split(' '));
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatchSnapshot();
  });

  it('has help that fits a terminal, whatever is asked about', async () => {
    const { stdout } = appliance(['--help']);
    const commands = [.../^Commands$(.*?)^$/ms.exec(stdout)![1]!.matchAll(/^ {2}(\S+(?: \S+)*) {2}/gm)].map(
      ([, name = '']) => name,
    );
    expect(commands.length).toBeGreaterThan(25);
    const texts = [stdout];
    const waiting = [...commands, 'configuration', 'backup', 'admin'];
    const ask = async (): Promise<void> => {
      for (let words = waiting.shift(); words !== undefined; words = waiting.shift())
        texts.push((await run(process.execPath, [main, 'help', ...words.split(' ')])).stdout);
    };
    await Promise.all([ask(), ask()]);
    expect(texts.flatMap((text) => text.split('\n')).filter((line) => line.length > 80)).toEqual([]);
  });

  it('fills the terminal that it has', () => {
    const line = `stty cols 60; '${process.execPath}' '${main}' --help`;
    const { stdout } = spawnSync('script', ['-qec', line, '/dev/null'], {
      env: { PATH: process.env['PATH'], TERM: 'xterm', NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
      encoding: 'utf8',
      timeout: 60_000,
    });
    const longest = Math.max(...stdout.split('\r\n').map((each) => each.length));
    expect(longest).toBeGreaterThan(50);
    expect(longest).toBeLessThanOrEqual(62);
  });

  it.each([['version'], ['--version']])('%s names the release', (argv) => {
    const { status, stdout } = appliance([argv]);
    expect(status).toBe(0);
    expect(stdout).toBe(`appliance ${version} (Node ${process.versions.node}, linux x64)\n`);
  });

  it('uses colours on a terminal, and none where NO_COLOR is set or there is no terminal', () => {
    expect(onTerminal(['zzz'], {})).toContain('\u001b[31merror:\u001b[39m');
    expect(onTerminal(['zzz'], { NO_COLOR: '1' })).toMatch(/^error: there is no command/);
    expect(appliance(['zzz']).stderr).toMatch(/^error: there is no command/);
  });
});
