import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type {
  CertificateStatus,
  RenewOptions,
  RenewOutcome,
} from '../../src/certificates/certificate-service.ts';
import { runCommandLine } from '../../src/cli/run.ts';
import { renewCertsCommand, type RenewCertsParts } from '../../src/cli/renew-certs.ts';
import { statusCommand } from '../../src/cli/status.ts';
import { exitCodes, Failure } from '../../src/core/errors.ts';
import type { ServiceControl, ServiceStatus } from '../../src/supervisor/control-messages.ts';
import { type Control, startControl } from '../../src/supervisor/control.ts';
import { until } from '../support/until.ts';

const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
const minute = 60_000;
const day = 24 * 60 * minute;

let folder: string;
let control: Control | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'appliance-commands-'));
  mkdirSync(join(folder, 'secrets'));
});
afterEach(async () => {
  await control?.close();
  control = undefined;
  rmSync(folder, { recursive: true });
});

const quiet = { debug() {}, info() {}, warn() {}, error() {}, debugging: false };
const status: ServiceStatus<CertificateStatus> = {
  version: '1.2.3',
  pid: 42,
  startedAt: Date.now() - 3 * day - 1000,
  listenHost: '::',
  httpPort: 80,
  httpsPort: 443,
  workers: [
    { pid: 43, startedAt: Date.now() - 3 * day, restarts: 0 },
    { pid: 1_234_567, startedAt: Date.now() - 90 * minute - 500, restarts: 2 },
  ],
  certificates: [
    {
      names: ['whoami.example.com', 'www.example.com'],
      authority: 'https://acme-v02.api.letsencrypt.org/directory',
      state: 'valid',
      serial: '0A',
      notBefore: Date.UTC(2026, 10, 1),
      notAfter: Date.now() + 61 * day + minute,
      nextAttemptAt: Date.now() + 29 * day + minute,
      reason: 'when a third of its life is left',
    },
    {
      names: Array.from({ length: 9 }, (_, number) => `host-${number}.some-long-name.example`),
      authority: 'https://acme.example.net/directory',
      servedAuthority: 'https://other.example.net/directory',
      state: 'fallback',
      notAfter: Date.now() + 5 * 60 * minute + 12 * minute + 30_000,
      nextAttemptAt: Date.now() - minute,
      reason: 'again after 3 attempts that failed',
      lastError: {
        at: Date.now() - 2 * 60 * minute - 500,
        message:
          'the authority could not reach http://host-0.some-long-name.example/.well-known/acme-challenge/x: connection refused',
        remedy: 'open port 80 of this host to the world, in its firewall and at its provider',
        code: 'acme-connection',
        failures: 3,
      },
    },
    {
      names: ['new.example.com'],
      authority: 'https://acme.example.net/directory',
      state: 'stand-in',
      nextAttemptAt: Date.now(),
      reason: 'because there is no certificate yet',
    },
    {
      names: ['old.example.com'],
      authority: 'https://acme.example.net/directory',
      state: 'expired',
      notAfter: Date.now() - 2 * day - minute,
      nextAttemptAt: Date.now(),
      reason: 'because it has ended',
    },
  ],
};

async function service(handlers: Partial<ServiceControl>): Promise<void> {
  control = await startControl({
    folder: join(folder, 'run'),
    log: quiet,
    handlers: {
      status: () => Promise.reject(new Error('not asked for')),
      renewCerts: () => Promise.reject(new Error('not asked for')),
      importCertificate: () => Promise.reject(new Error('not asked for')),
      upgrade: () => Promise.reject(new Error('not asked for')),
      ...handlers,
    },
  });
}

const notHere: RenewCertsParts = {
  alone: () => {
    throw new Error('not alone');
  },
  readCertbotLineage: () => Promise.reject(new Error('nothing to read')),
};

interface Surroundings {
  readonly parts?: Partial<RenewCertsParts>;
  readonly installedRelease?: string;
  readonly domain?: string;
}

/** A command with the configuration of this test's folder. */
async function run(line: string, { parts = {}, domain = 'a.example', installedRelease }: Surroundings = {}) {
  const out: string[] = [];
  const err: string[] = [];
  const commands = [
    statusCommand({
      containers: async () => undefined,
      installedRelease: async () => installedRelease,
      whyNotRunning: async () => undefined,
    }),
    renewCertsCommand({ ...notHere, ...parts }),
  ];
  const exitCode = await runCommandLine(line.split(' '), commands, {
    stdout: { write: (text) => out.push(text) },
    stderr: { write: (text) => err.push(text) },
    environment: {
      APP_SECRETS_DIR: join(folder, 'secrets'),
      APP_RUN_DIR: join(folder, 'run'),
      ...(domain === '' ? {} : { CERT_DOMAIN: domain }),
    },
    workingFolder: folder,
  });
  return { exitCode, out: out.join(''), err: err.join('') };
}

const outcome = (detail: Partial<RenewOutcome>): RenewOutcome => ({
  names: ['a.example'],
  result: 'issued',
  detail: '',
  exitCode: 0,
  ...detail,
});
const moment = (at: number) => `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`;

describe('appliance status', () => {
  it('shows the service, its workers and each certificate, on 80 columns', async () => {
    await service({ status: async () => status });
    const { exitCode, out, err } = await run('status');
    expect([exitCode, err]).toEqual([0, '']);
    const timeless = out.replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d UTC/g, 'YYYY-MM-DD HH:MM UTC');
    expect(timeless).toMatchSnapshot();
    expect(out).toContain(moment(status.certificates[0]?.notAfter ?? 0));
    expect(out.split('\n').filter((text) => text.length > 80 && !text.includes('acme-challenge'))).toEqual(
      [],
    );
  });

  describe('of an upgrade', () => {
    const last = (outcome: 'done' | 'went-back' | 'under-way' | 'interrupted', endedMs?: number) =>
      service({
        status: async () => ({
          ...status,
          certificates: [],
          lastUpgrade: { from: '1.2.2', to: '1.2.3', startedMs: 0, endedMs, outcome },
        }),
      });

    it('that was cut off before the link was led to the new release names both, and both ways', async () => {
      await last('done');
      const { out } = await run('status', { installedRelease: '1.2.2' });
      const words = out.replaceAll(/\s+/g, ' ');
      expect(words).toContain('needs you yes: the last upgrade, which was cut off');
      expect(words).toContain(
        'last upgrade from 1.2.2 to 1.2.3 was cut off: 1.2.3 runs, and 1.2.2 is installed to do to finish, with the file of 1.2.3: sudo appliance upgrade FILE; or to go back to 1.2.2: sudo systemctl restart appliance',
      );
      const { lastUpgrade } = JSON.parse((await run('status --json', { installedRelease: '1.2.2' })).out) as {
        lastUpgrade: object;
      };
      expect(lastUpgrade).toMatchObject({ outcome: 'interrupted', reason: /1\.2\.2 is installed/ });
    });

    it.each([
      ['came to its end', undefined, '1.2.3'],
      ['may still lead the link to the new release', Date.now(), '1.2.2'],
    ])('that %s says nothing', async (_, endedMs, installedRelease) => {
      await last('done', endedMs);
      expect((await run('status', { installedRelease })).out).not.toContain('last upgrade');
    });

    it.each([
      ['under-way', 'is under way'],
      ['interrupted', 'was cut off'],
      ['went-back', 'went back'],
    ] as const)('that is %s has a space behind its name', async (outcome, words) => {
      await last(outcome);
      expect((await run('status')).out).toContain(`  last upgrade from 1.2.2 to 1.2.3 ${words}\n`);
    });
  });

  it('says that there are no certificates, and why', async () => {
    await service({ status: async () => ({ ...status, certificates: [] }) });
    expect((await run('status')).out).toContain('Certificates\n  none: CERT_DOMAIN is not set\n');
  });

  it('has the same for scripts, with times as ISO 8601', async () => {
    await service({ status: async () => status });
    const { exitCode, out, err } = await run('status --json');
    expect([exitCode, err]).toEqual([0, '']);
    const shown = JSON.parse(out) as { certificates: { notAfter?: string }[] };
    expect(shown).toMatchObject({
      schema: 1,
      running: true,
      needsYou: expect.arrayContaining([
        expect.stringContaining('certificate of host-0.some-long-name.example') as string,
      ]) as string[],
      service: {
        version: '1.2.3',
        pid: 42,
        startedAt: new Date(status.startedAt).toISOString(),
        listenHost: '::',
        httpPort: 80,
        httpsPort: 443,
      },
      workers: [{ pid: 43, restarts: 0 }, { restarts: 2 }],
    });
    expect(shown.certificates[0]).toEqual({
      ...status.certificates[0],
      notBefore: '2026-11-01T00:00:00.000Z',
      notAfter: new Date(status.certificates[0]?.notAfter ?? 0).toISOString(),
      nextAttemptAt: new Date(status.certificates[0]?.nextAttemptAt ?? 0).toISOString(),
    });
    expect(shown.certificates[1]).toMatchObject({
      lastError: { at: new Date(status.certificates[1]?.lastError?.at ?? 0).toISOString(), failures: 3 },
    });
    expect(shown.certificates[2]).not.toHaveProperty('notAfter');
  });

  it('ends with 6 where no service runs, and says so in JSON too', async () => {
    expect(await run('status')).toEqual({
      exitCode: 6,
      out: '',
      err:
        `error: the service is not running: nobody answers on ${folder}/run/control.sock\n` +
        'to do: start it with "systemctl start appliance", or in the foreground with "appliance serve"\n',
    });
    const { exitCode, out, err } = await run('status --json');
    expect([exitCode, err]).toEqual([6, '']);
    expect(JSON.parse(out)).toMatchObject({ schema: 1, running: false, error: { code: 'not-running' } });
  });

  it('shows a service that runs, whatever has become of the configuration since', async () => {
    await service({ status: async () => status });
    writeFileSync(join(folder, 'secrets', 'app.env'), 'APP_HTTP_PORT=nonsense\n');
    expect(await run('status')).toMatchObject({ exitCode: 0, err: '' });
  });

  it.runIf(process.getuid?.() === 0)('tells another user to use sudo', async () => {
    await service({ status: async () => status });
    chmodSync(folder, 0o755);
    chmodSync(join(folder, 'secrets'), 0o700);
    const child = spawn(process.execPath, [main, 'status'], {
      env: { APP_SECRETS_DIR: join(folder, 'secrets'), APP_RUN_DIR: join(folder, 'run') },
      uid: 65_534,
      gid: 65_534,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let err = '';
    child.stderr.on('data', (chunk) => (err += String(chunk)));
    const [exitCode] = (await once(child, 'close')) as [number];
    expect(exitCode).toBe(1);
    expect(err).toMatch(/^error: this user may not talk to the service on .*\nto do: use sudo/);
  });
});

describe('appliance renew-certs with a running service', () => {
  it('has the service do it, shows each step, and what became of it', async () => {
    const notAfter = Date.now() + 89 * day + minute;
    const seen: unknown[] = [];
    await service({
      async renewCerts(options, progress) {
        seen.push(options);
        for (const step of ['asking the authority', 'validating a.example', 'validating a.example', 'done']) {
          progress(step);
        }
        return [
          outcome({ notAfter }),
          outcome({ names: ['b.example'], result: 'not-due', detail: 'due in 20 days', notAfter }),
        ];
      },
    });
    expect(await run('renew-certs --force --domain A.example')).toEqual({
      exitCode: 0,
      out:
        `a.example: renewed, valid until ${moment(notAfter)} (in 89 days)\n` +
        `b.example: not due, valid until ${moment(notAfter)} (in 89 days)\n  due in 20 days\n`,
      err: 'asking the authority\nvalidating a.example\ndone\n',
    });
    expect(seen).toEqual([{ force: true, domain: 'a.example', dryRun: false }]);
  });

  it('ends with 4 when the authority refused, says what to do and what serves meanwhile', async () => {
    const notAfter = Date.now() + 20 * day + minute;
    const refused = outcome({
      result: 'failed',
      detail: 'the authority cannot be reached',
      remedy: 'try again later',
      exitCode: 4,
    });
    await service({ renewCerts: async () => [{ ...refused, notAfter }] });
    expect(await run('renew-certs')).toEqual({
      exitCode: 4,
      out: '',
      err:
        'error: a.example: the authority cannot be reached\nto do: try again later\n' +
        `meanwhile: the certificate from before still serves, until ${moment(notAfter)} (in 20 days)\n`,
    });
    expect((await run('renew-certs --dry-run')).err).toContain('meanwhile: nothing was changed\n');
  });

  it('says when nothing serves any more, or yet', async () => {
    const failed = outcome({ result: 'failed', detail: 'no', exitCode: 4 });
    await service({ renewCerts: async () => [failed, { ...failed, notAfter: Date.now() - 2 * day }] });
    const { err } = await run('renew-certs');
    expect(err).toContain('meanwhile: there is no certificate yet');
    expect(err).toMatch(/meanwhile: the certificate from before is expired, .* \(2 days ago\)\n/);
  });

  it.each([
    [[0, 4, 1], 4],
    [[1, 4], 4],
    [[0, 1, 2], 1],
    [[2, 0], 2],
    [[5], 5],
    [[99], 1],
    [[0, 0], 0],
  ])('whose certificates ended with %j ends with %j', async (codes, expected) => {
    const outcomes = codes.map((exitCode) =>
      outcome({ exitCode, result: exitCode === 0 ? 'issued' : 'failed' }),
    );
    await service({ renewCerts: async () => outcomes });
    expect((await run('renew-certs')).exitCode).toBe(expected);
    expect((await run('renew-certs --json')).exitCode).toBe(expected);
  });

  it('has outcomes for scripts, failures among them', async () => {
    const failed = outcome({ result: 'failed', detail: 'no', remedy: 'wait', exitCode: 4, notAfter: 0 });
    await service({ renewCerts: async () => [failed] });
    const { out, err } = await run('renew-certs --json');
    expect(err).toBe('');
    expect(JSON.parse(out)).toEqual({
      schema: 1,
      outcomes: [{ ...failed, notAfter: '1970-01-01T00:00:00.000Z' }],
    });
  });

  it('ends with 5 while another run holds the lock', async () => {
    const locked = new Failure('locked', { code: 'locked', exitCode: exitCodes.locked, remedy: 'wait' });
    await service({ renewCerts: () => Promise.reject(locked) });
    expect(await run('renew-certs')).toEqual({
      exitCode: 5,
      out: '',
      err: 'error: locked\nto do: wait\n',
    });
  });

  it('says that the service has not read a configuration that has a domain by now', async () => {
    await service({ renewCerts: async () => [] });
    const { exitCode, err } = await run('renew-certs');
    expect(exitCode).toBe(2);
    expect(err).toContain('systemctl reload appliance');
  });

  it('says that flags of the configuration did not reach the service', async () => {
    await service({ renewCerts: async () => [outcome({})] });
    const { exitCode, err } = await run('renew-certs --http-port 81');
    expect(exitCode).toBe(0);
    expect(err).toContain('warning: the running service did it, with its own configuration: --http-port');
  });

  it('may be left with Ctrl-C: the service goes on, and the command says so', async () => {
    const run = Promise.withResolvers<RenewOutcome[]>();
    let signalOfRun: AbortSignal | undefined;
    await service({
      renewCerts(_options, progress, signal) {
        signalOfRun = signal;
        progress('validating');
        return run.promise;
      },
    });
    const child = spawn(process.execPath, [main, 'renew-certs'], {
      env: { APP_SECRETS_DIR: join(folder, 'secrets'), APP_RUN_DIR: join(folder, 'run') },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let err = '';
    child.stderr.on('data', (chunk) => (err += String(chunk)));
    await until('the renewal is under way', () => err.includes('validating'));
    child.kill('SIGINT');
    const [exitCode] = (await once(child, 'close')) as [number];
    expect(exitCode).toBe(1);
    expect(err).toBe(
      'validating\nerror: interrupted, but the service goes on with the renewal\n' +
        'to do: "appliance status" shows how it ends\n',
    );
    expect(signalOfRun?.aborted).toBe(false);
    run.resolve([]);
  });
});

describe('appliance renew-certs without a service', () => {
  const aloneWith = (
    renewCerts: (options: RenewOptions, signal: AbortSignal) => Promise<RenewOutcome[]>,
  ) => ({
    parts: {
      alone: () => ({
        renewCerts: (options: RenewOptions, _progress: (step: string) => void, signal: AbortSignal) =>
          renewCerts(options, signal),
        importCertificate: () => Promise.reject(new Error('not asked for')),
        upgrade: () => Promise.reject(new Error('not asked for')),
      }),
    },
  });

  it('does the work itself', async () => {
    const { exitCode, out, err } = await run(
      'renew-certs --dry-run',
      aloneWith(async (options) => {
        expect(options).toEqual({ force: false, domain: undefined, dryRun: true });
        return [outcome({ result: 'tested' })];
      }),
    );
    expect([exitCode, out]).toEqual([0, 'a.example: the dry run went well; nothing was kept\n']);
    expect(err).toBe('no service is running, so this program does the work\n');
  });

  it.each([
    [
      'Wait; it is tried again by itself. To try',
      'Wait; start the service, or run this command again. To try',
    ],
    ['It is tried again by itself with a new order.', 'Start the service, or run this command again.'],
    ['Open port 80.', 'Open port 80.'],
  ])('promises nothing that only a service would do (%s)', async (remedy, words) => {
    const failing = aloneWith(async () => [outcome({ result: 'failed', remedy, exitCode: 4 })]);
    expect((await run('renew-certs', failing)).err).toContain(`to do: ${words}\n`);
  });

  it('says which key is missing and where it belongs', async () => {
    expect(await run('renew-certs', { domain: '' })).toEqual({
      exitCode: 2,
      out: '',
      err:
        'error: there is no certificate to renew: CERT_DOMAIN is not set\n' +
        `to do: set CERT_DOMAIN and CERT_EMAIL in ${folder}/secrets/acme.env\n`,
    });
  });

  it('needs a configuration that is right', async () => {
    const { exitCode, err } = await run('renew-certs --http-port nonsense');
    expect(exitCode).toBe(2);
    expect(err).toContain('flag --http-port: APP_HTTP_PORT: is not right');
  });

  it('stops at Ctrl-C, cleans up, and says so', async () => {
    let cleaned = false;
    const { exitCode, err } = await run(
      'renew-certs',
      aloneWith(async (_options, signal) => {
        process.emit('SIGINT');
        cleaned = signal.aborted;
        throw new Error('aborted somewhere inside');
      }),
    );
    expect([exitCode, cleaned]).toEqual([1, true]);
    expect(err).toContain('error: interrupted; what was under way changed no certificate\n');
    expect(process.listenerCount('SIGINT')).toBe(0);
  });

  it.each([
    ['--domain http://a.example', '--domain http://a.example is not right (write the name alone'],
    ['--import x --force', '--import goes with none of'],
    ['--import x --domain a.example', '--import goes with none of'],
    ['--forse', 'has no flag --forse'],
  ])('refuses %s', async (flags, message) => {
    const { exitCode, err } = await run(`renew-certs ${flags}`);
    expect(exitCode).toBe(2);
    expect(err).toContain(message);
  });
});

describe('appliance renew-certs --import', () => {
  const pair = { chain: 'CHAIN', key: 'KEY' };
  const reading = {
    readCertbotLineage: async (from: string) => {
      expect(from).toBe(join(folder, 'live', 'a.example'));
      return { ...pair, warnings: ['it ends soon'] };
    },
  };

  it('reads here and hands it to the service', async () => {
    const notAfter = Date.now() + 30 * day + minute;
    const seen: unknown[] = [];
    await service({ importCertificate: async (given) => (seen.push(given), outcome({ notAfter })) });
    expect(await run('renew-certs --import live/a.example', { parts: reading })).toEqual({
      exitCode: 0,
      out: `a.example: imported, valid until ${moment(notAfter)} (in 30 days)\n`,
      err: 'warning: it ends soon\n',
    });
    expect(seen).toEqual([pair]);
  });

  it('ends with 1 where it did not come to be served, and says what serves', async () => {
    const failed = {
      result: 'failed',
      detail: 'it is not served',
      remedy: 'get another',
      exitCode: 1,
    } as const;
    await service({ importCertificate: async () => outcome(failed) });
    const { exitCode, err } = await run('renew-certs --import live/a.example', { parts: reading });
    expect(exitCode).toBe(1);
    expect(err).toContain('a.example: it is not served\nto do: get another\n');
    expect(err).toContain('meanwhile: the new one is kept, and what was there before serves on\n');
  });

  it('keeps it alone where no service runs', async () => {
    const alone = () => ({
      renewCerts: () => Promise.reject(new Error('not asked for')),
      importCertificate: async (given: object) => {
        expect(given).toEqual(pair);
        return outcome({});
      },
    });
    const { exitCode, out } = await run('renew-certs --import live/a.example', {
      parts: { ...reading, alone },
    });
    expect([exitCode, out]).toEqual([0, 'a.example: imported\n']);
  });

  it('ends as the reading fails, and asks nobody', async () => {
    const unreadable = new Failure('privkey.pem cannot be read', { code: 'x', remedy: 'use sudo' });
    const parts = { readCertbotLineage: () => Promise.reject(unreadable) };
    expect(await run('renew-certs --import live/a.example', { parts })).toMatchObject({
      exitCode: 1,
      err: 'error: privkey.pem cannot be read\nto do: use sudo\n',
    });
  });
});

describe('the help', () => {
  it.each([['status'], ['renew-certs']])('of %s teaches by example', (name) => {
    const { status: exitCode, stdout } = spawnSync(process.execPath, [main, name, '--help'], {
      encoding: 'utf8',
    });
    expect(exitCode).toBe(0);
    expect(stdout).toMatchSnapshot();
  });
});
