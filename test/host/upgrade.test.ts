import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { unitFiles } from '../../src/host/install/units.ts';
import { until } from '../support/until.ts';
import { bootPackagedHost, buildBinary, type PackagedBinary, type PackagedHost } from './packaged-host.ts';

const print = (line: string) => console.log(`  │ ${line}`);
const secrets = '/etc/appliance/secrets';
const releases = '/usr/local/lib/appliance';
const keys = mkdtempSync(join(tmpdir(), 'keys-'));
const key = join(keys, 'release.key');
const otherKey = join(keys, 'other.key');
const built: PackagedBinary[] = [];
let host: PackagedHost;
const sh = (script: string): string => host.sh(script);

interface Status {
  readonly service: { readonly version: string; readonly pid: number };
  readonly lastUpgrade?: { readonly outcome: string; readonly to: string; readonly reason?: string };
}
const status = () => JSON.parse(sh('appliance status --json')) as Status;
/** What must stay as it is: the unit was started once, and never again. */
const unit = () => sh('systemctl show appliance -p NRestarts -p ActiveEnterTimestampMonotonic');
const mainPid = () => Number(sh('systemctl show appliance -p MainPID --value'));
const linked = () => sh('readlink /usr/local/bin/appliance').trim();

function build(version: string, entry?: string): string {
  const options = { version, signingKey: key };
  const binary = buildBinary(entry === undefined ? options : { ...options, entry });
  built.push(binary);
  host.put(binary.file, `/root/${version}/appliance`);
  host.put(`${binary.file}.sig`, `/root/${version}/appliance.sig`);
  return binary.file;
}

beforeAll(async () => {
  for (const file of [key, otherKey])
    execFileSync('openssl', ['genpkey', '-algorithm', 'ed25519', '-out', file]);
  const first = buildBinary({ version: '1.0.0', signingKey: key });
  built.push(first);
  host = await bootPackagedHost('bare', first, print);
  sh(`mkdir -p ${releases}/1.0.0 && mv /usr/local/bin/appliance ${releases}/1.0.0/
ln -s ${releases}/1.0.0/appliance /usr/local/bin/appliance
appliance native-file ${releases}/1.0.0
useradd --system --user-group --no-create-home appliance
install -d -m 0750 -g appliance /etc/appliance ${secrets}
install -d -m 0750 -o appliance -g appliance /var/lib/appliance
sysctl -qw net.ipv4.tcp_migrate_req=1`);
  for (const { path, text } of unitFiles({ containers: false, backupSchedule: undefined }))
    host.sh(`cat >${path}`, text);
  const settings = ['APP_LISTEN_HOST=::', 'APP_HTTP_PORT=80', 'APP_HTTPS_PORT=443', 'APP_WORKERS=2'];
  host.sh(`cat >${secrets}/app.env`, `${settings.join('\n')}\n`);
  // nobody answers there: the stand-in serves
  const certificate = ['CERT_DOMAIN=appliance.test', 'CERT_EMAIL=a@appliance.test'];
  const authority = 'CERT_DIRECTORY_URL=https://127.0.0.1:9/';
  host.sh(`cat >${secrets}/acme.env`, `${[...certificate, authority].join('\n')}\n`);
  sh(`chown root:appliance ${secrets}/* && chmod 0640 ${secrets}/* && systemctl daemon-reload
systemctl start appliance`);
  build('1.1.0');
  build('1.2.0', 'test/support/faulty-main.ts');
});
afterAll(() => {
  host?.remove();
  for (const binary of built) binary.remove();
  rmSync(keys, { recursive: true });
});
beforeEach(({ onTestFailed }) =>
  onTestFailed(() => print(host.run('journalctl -b -u "appliance*" -n 80 -o short-precise').stdout)),
);

/** 64 connections that stay open, and connection after connection beside them, while `work` goes on. */
async function underLoad(
  work: () => Promise<void>,
): Promise<{ requests: number; failed: readonly unknown[] }> {
  const script = join(import.meta.dirname, '../support/keep-alive.lua');
  const url = `http://${host.address}/ip`;
  const wrk = spawn(
    'wrk',
    ['-t1', '-c64', '-d600s', '--timeout', '30s', '-s', script, '-H', 'Host: appliance.test', url],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const printed = text(wrk.stdout);
  const failed: unknown[] = [];
  const open = new Set<Promise<void>>();
  let made = 0;
  const timer = setInterval(() => {
    const one = visit(url)
      .then(
        () => void made++,
        (error: unknown) => void failed.push(String(error)),
      )
      .finally(() => open.delete(one));
    open.add(one);
  }, 5);
  const closed = once(wrk, 'close');
  try {
    await work();
  } finally {
    clearInterval(timer);
    await Promise.all(open);
    wrk.kill('SIGINT');
    await closed;
  }
  const { requests, ...errors } = JSON.parse(/^\{.*\}$/m.exec(await printed)![0]) as { requests: number };
  if (Object.values(errors).some((count) => count !== 0)) failed.push(errors);
  return { requests: requests + made, failed };
}

async function visit(url: string): Promise<void> {
  const request = get(url, {
    agent: false,
    timeout: 30_000,
    headers: { host: 'appliance.test', accept: 'text/plain' },
  });
  request.once('timeout', () => request.destroy(new Error('no answer in time')));
  const [response] = (await once(request, 'response')) as [NodeJS.ReadableStream & { statusCode: number }];
  const body = await text(response);
  if (response.statusCode !== 200) throw new Error(`${response.statusCode}: ${body}`);
}

describe('a file that is not taken', () => {
  it.each([
    ['is no release', 'cp /bin/ls /root/ls', '/root/ls', /is no release of the appliance/, 2],
    [
      'has no signature',
      'mkdir -p /root/a && ln -f /root/1.1.0/appliance /root/a/',
      '/root/a/appliance',
      /is not signed/,
      3,
    ],
    [
      'has a wrong one',
      'mkdir -p /root/b && ln -f /root/1.1.0/appliance /root/b/ && cp /root/1.2.0/appliance.sig /root/b/',
      '/root/b/appliance',
      /is not the signature of this file/,
      3,
    ],
    [
      'is damaged',
      'mkdir -p /root/c && cp /root/1.1.0/* /root/c/ && printf "%064d  appliance\\n" 0 >/root/c/SHA256SUMS',
      '/root/c/appliance',
      /is damaged/,
      3,
    ],
    ['is in use', 'true', `${releases}/1.0.0/appliance --allow-unsigned`, /1\.0\.0 is in use already/, 2],
  ])('%s', (_, prepare, file, words, exitCode) => {
    sh(prepare);
    const before = [unit(), mainPid(), sh(`ls -A ${releases}`)];
    const { status: code, stderr } = host.run(`appliance upgrade ${file}`);
    expect(stderr).toMatch(words);
    expect(code).toBe(exitCode);
    expect([unit(), mainPid(), sh(`ls -A ${releases}`)]).toEqual(before);
  });

  it('and a rollback without a release before says so', () => {
    const { status: code, stderr } = host.run('appliance rollback');
    expect(stderr).toContain('there is no release to go back to');
    expect(code).toBe(2);
  });
});

const said = '/run/appliance-upgrade.err';
const untilWatched = () =>
  until('it is watched', () => host.run(`grep -q watching ${said}`).status === 0, 600_000);

describe('upgrade and rollback', () => {
  // what the one before said
  beforeEach(() => void sh(`rm -f ${said}`));

  it('ten times in a row cost no request, and systemd has nothing to do', async () => {
    const before = unit();
    for (let round = 1; round <= 5; round++) {
      for (const [command, version] of [
        ['upgrade /root/1.1.0/appliance', '1.1.0'],
        ['rollback', '1.0.0'],
      ] as const) {
        const { requests, failed } = await underLoad(async () => {
          const ended = await host.start(`appliance ${command}`);
          expect(`${ended.stderr}${ended.status}`).toMatch(/0$/);
        });
        print(`${round}: ${version}, ${requests} requests, ${failed.length} failed`);
        expect(failed).toEqual([]);
        expect(requests).toBeGreaterThan(1000);
        expect(status()).toMatchObject({
          service: { version, pid: mainPid() },
          lastUpgrade: { outcome: 'done' },
        });
        expect(linked()).toBe(`${releases}/${version}/appliance`);
        expect(unit()).toBe(before);
      }
    }
  });

  it('goes on when the terminal is closed half-way', async () => {
    const before = unit();
    sh(
      `(setsid script -qec 'appliance upgrade /root/1.1.0/appliance' /root/typescript >/dev/null 2>&1 & echo $! >/root/terminal)`,
    );
    await untilWatched();
    sh('pkill -HUP -s $(cat /root/terminal); pkill -KILL -x script; true');
    await until(
      'it is done',
      () => host.run('systemctl is-active appliance-upgrade').stdout.trim() === 'inactive',
      600_000,
    );
    expect(linked()).toBe(`${releases}/1.1.0/appliance`);
    expect(status().service.version).toBe('1.1.0');
    expect(unit()).toBe(before);
    sh('appliance rollback');
  });

  it.each([
    ['is killed', 'kill --kill-whom=main --signal=KILL', 'KILL'],
    ['is stopped', 'stop', 'TERM'],
  ])('goes back by itself, and says so, when what does it %s', async (_, verb, signal) => {
    const before = [unit(), mainPid(), linked(), sh(`ls -A ${releases}`)];
    const ended = host.start('appliance upgrade /root/1.1.0/appliance');
    await untilWatched();
    sh(`systemctl ${verb} appliance-upgrade`);
    const { status: code, stderr } = await ended;
    expect(stderr).toContain(`was ended in the middle (${signal})`);
    expect(stderr).toMatch(/error: the upgrade was cut off: .*1\.0\.0 serves[^]*to do: .*appliance status/);
    expect(code).toBe(1);
    expect(status()).toMatchObject({
      service: { version: '1.0.0' },
      lastUpgrade: { outcome: 'went-back', reason: /whoever asked for it was ended/ },
    });
    expect([unit(), mainPid(), linked(), sh(`ls -A ${releases}`)]).toEqual(before);
  });

  it('that was cut off between the service and the link is named, and finished by the same again', async () => {
    sh('appliance upgrade /root/1.1.0/appliance');
    sh(`ln -sfn ${releases}/1.0.0/appliance /usr/local/bin/appliance; mkdir ${releases}/.candidate`);
    const both = /1\.1\.0 runs, and 1\.0\.0 is installed.*upgrade FILE.*systemctl restart appliance/;
    // the link may follow for some seconds
    await until('it is named', () => both.test(sh('appliance status').replaceAll(/\s+/g, ' ')), 600_000);
    expect(host.run('appliance doctor --only upgrade').stdout.replaceAll(/\s+/g, ' ')).toMatch(both);
    expect(sh('appliance upgrade /root/1.1.0/appliance')).toContain('1.1.0 serves');
    expect(linked()).toBe(`${releases}/1.1.0/appliance`);
    expect(sh(`ls -A ${releases}`)).not.toContain('.candidate');
    sh('appliance rollback');
  });
});

describe('a release that', () => {
  it.each([
    ['exits at once', 'exit', /ended with status 7/],
    ['hangs', 'hang', /did not begin within 20 s/],
    [
      'is unhealthy after ten seconds',
      'unwell 10000',
      // on a busy host they may be ended for it, or keep the supervisor from its turn, before they are told of twice
      /is not well: (?:[12] of 2 workers do not answer|workers died|it has said nothing)/,
    ],
  ])('%s ends on the one before', (_, fault, reason) => {
    const before = [unit(), mainPid(), linked()];
    sh(`echo ${fault} >/run/appliance-fault; chmod 0644 /run/appliance-fault`);
    const { status: code, stderr } = host.run('appliance upgrade /root/1.2.0/appliance');
    sh('rm /run/appliance-fault');
    expect(stderr).toMatch(reason);
    expect(code).toBe(1);
    expect(status()).toMatchObject({
      service: { version: '1.0.0', pid: mainPid() },
      lastUpgrade: {
        outcome: 'went-back',
        to: '1.2.0',
        reason,
      },
    });
    expect([unit(), mainPid(), linked()]).toEqual(before);
    expect(sh('curl -fsS -m 5 -H "Host: appliance.test" http://127.0.0.1/ip')).toBe('127.0.0.1\n');
    expect(sh('appliance status').replaceAll(/\s+/g, ' ')).toMatch(reason);
  });
});

it('a service that does not run starts with the new release', () => {
  sh('systemctl stop appliance');
  expect(sh('appliance upgrade /root/1.1.0/appliance 2>&1')).toContain('The service is not running');
  expect(linked()).toBe(`${releases}/1.1.0/appliance`);
  sh('systemctl start appliance');
  expect(status().service.version).toBe('1.1.0');
});
