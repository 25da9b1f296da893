import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { unitFiles } from '../../src/host/install/units.ts';
import { until } from '../support/until.ts';
import { stackImages } from './image-archive.ts';
import { bootPackagedHost, buildBinary, type PackagedHost } from './packaged-host.ts';
import { pebbleInside, startPebbleInside } from './pebble-inside.ts';

const print = (line: string) => console.log(`  │ ${line}`);
const release = '/usr/local/lib/appliance/0.0.0';
const secrets = '/etc/appliance/secrets';
let host: PackagedHost;
const sh = (script: string, input?: string): string => host.sh(script, input);

/** Properties of a unit, as systemd has them. */
function show<Name extends string>(unit: string, ...names: readonly Name[]): Record<Name, string> {
  const lines = sh(`systemctl show ${unit} ${names.map((name) => `-p ${name}`).join(' ')}`)
    .trim()
    .split('\n');
  const entries = lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]);
  return Object.fromEntries(entries) as Record<Name, string>;
}
const service = <Name extends string>(...names: readonly Name[]) => show('appliance', ...names);
interface ServiceStatus {
  readonly workers: readonly object[];
  readonly state: { readonly database: { readonly ok: boolean }; readonly cache: { readonly ok: boolean } };
}
const status = () => JSON.parse(sh('appliance status --json')) as ServiceStatus;
const stack = () => show('appliance-stack', 'ActiveState');
const answers = (address = '127.0.0.1') =>
  host.run(`curl -fsS -m 2 -H 'Host: ${host.name}' http://${address}/whoami`).status === 0;

/** Says something else in a unit than the release does, as an owner would. */
function dropIn(unit: string, lines: string): void {
  sh(
    `mkdir -p /etc/systemd/system/${unit}.d && cat >/etc/systemd/system/${unit}.d/test.conf && systemctl daemon-reload`,
    lines,
  );
}
function removeDropIn(unit: string): void {
  sh(`rm -r /etc/systemd/system/${unit}.d && systemctl daemon-reload`);
}

/** What an install does, by hand. */
async function install(): Promise<void> {
  sh(`mkdir -p ${release} && mv /usr/local/bin/appliance ${release}/ && ln -s ${release}/appliance /usr/local/bin/
appliance native-file ${release}
appliance secrets init`);
  for (const { path, text } of unitFiles({ containers: true, backupSchedule: '*-*-* 03:30' }))
    sh(`cat >${path}`, text);
  sh('cat >/etc/appliance/hook', '#!/bin/sh\nid -un >/var/lib/appliance/hook-ran\n');
  sh(`chmod 0755 /etc/appliance/hook
systemctl daemon-reload
systemctl enable --quiet appliance.service appliance-backup.timer`);
  await startPebbleInside(host);
  configure('app.env', ['APP_LISTEN_HOST=::', 'APP_HTTP_PORT=80', 'APP_HTTPS_PORT=443']);
  configure('acme.env', [
    `CERT_DOMAIN=${host.name}`,
    'CERT_EMAIL=owner@example.com',
    `CERT_DIRECTORY_URL=${pebbleInside.directoryUrl}`,
    `CERT_CA_FILE=${secrets}/ca.pem`,
    'CERT_HOOK=/etc/appliance/hook',
  ]);
  sh(`cp ${pebbleInside.caFile} ${secrets}/ca.pem && chmod 0644 ${secrets}/ca.pem`);
}
function configure(file: string, lines: readonly string[]): void {
  sh(
    `cat >${secrets}/${file} && chown root:appliance ${secrets}/${file} && chmod 0640 ${secrets}/${file}`,
    `${lines.join('\n')}\n`,
  );
}

beforeAll(async () => {
  const binary = buildBinary();
  host = await bootPackagedHost('docker', binary, print).finally(binary.remove);
  await host.load(...stackImages);
  await install();
});
afterAll(() => host?.remove());
beforeEach(({ onTestFailed }) =>
  onTestFailed(() => print(host.run('journalctl -b -u "appliance*" -n 60 -o short-precise').stdout)),
);

describe('appliance.service', () => {
  it('has units that systemd finds nothing wrong with', () => {
    const { stdout, stderr } = host.run('systemd-analyze verify --man=no /etc/systemd/system/appliance*');
    expect(stdout + stderr).toBe('');
    sh('systemctl start appliance-backup.timer');
    expect(sh('systemctl list-timers --no-legend appliance-backup.timer')).toContain(' 03:30:00 ');
  });

  it('is started when it answers, and not before', async () => {
    for (let times = 0; times < 3; times++) {
      sh(`systemctl restart appliance && curl -fsS -H 'Host: ${host.name}' http://127.0.0.1/whoami`);
      await until('all workers answer', () =>
        /^(\d+) of \1 workers answer on ports 80 and 443$/.test(service('StatusText').StatusText),
      );
    }
  });

  it('scores 1.6 at most, while all that it does works under load', async () => {
    await until('the containers are there', () => stack().ActiveState === 'active', 300_000);
    // its own backups, so that they are made within the walls of the service
    dropIn('appliance.service', '[Service]\nEnvironment=APPLIANCE_BACKUP_TIMER=no\n');
    configure('app.env', [
      'APP_LISTEN_HOST=::',
      'APP_HTTP_PORT=80',
      'APP_HTTPS_PORT=443',
      'APP_REVERSE_DNS=on',
      'BACKUP_SCHEDULE=*:*:0/5',
      'BACKUP_COPY_COMMAND=cp "$BACKUP_FILE" /var/lib/appliance/copied && id -un >/var/lib/appliance/copied-by',
    ]);
    sh('systemctl restart appliance');
    const https = `curl -fsS --cacert ${pebbleInside.rootFile} --resolve ${host.name}:443:127.0.0.1 https://${host.name}`;
    await until('HTTPS is served', () => host.run(`${https}/whoami`).status === 0);
    const load = spawn(
      'wrk',
      [
        '-t1',
        '-c32',
        '-d6s',
        '--timeout',
        '30s',
        '-H',
        `Host: ${host.name}`,
        `https://${host.address}/whoami`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const summary = text(load.stdout);
    const loaded = once(load, 'close');

    expect(sh(`${https}/json?ip=8.8.8.8`)).toContain('"country":"United States"');
    await until(
      'the hook has run',
      () => host.run('cat /var/lib/appliance/hook-ran').stdout === 'appliance\n',
    );
    await until('database and cache are used', () => {
      const { cache, database } = status().state;
      return database.ok && cache.ok && JSON.stringify(database).includes('/run/appliance-stack/postgres');
    });
    expect(status().workers).toHaveLength(Number(sh('nproc')));
    await until(
      'it has copied a backup',
      () => host.run('test -s /var/lib/appliance/copied-by').status === 0,
    );
    expect(sh('cat /var/lib/appliance/copied-by')).toBe('appliance\n');

    const score = sh('systemd-analyze security appliance.service --no-pager | tail -1');
    print(score.trim());
    expect(Number(/([\d.]+) OK/.exec(score)?.[1])).toBeLessThanOrEqual(1.6);
    const worker = sh('pgrep -x appliance-work | head -1').trim();
    const rights = sh(`cat /proc/${worker}/status`);
    expect(rights).toMatch(/^NoNewPrivs:\t1$/m);
    expect(rights).toMatch(/^Seccomp:\t2$/m);
    // CAP_NET_BIND_SERVICE
    expect(rights).toMatch(/^CapEff:\t0000000000000400$/m);
    expect(rights).toMatch(/^CapBnd:\t0000000000000400$/m);
    expect(new Set(sh(`grep -o '/[^ ]*[.]node$' /proc/${worker}/maps`).trim().split('\n'))).toEqual(
      new Set([expect.stringMatching(new RegExp(`^${release}/uws-`))]),
    );
    await loaded;
    print((await summary).match(/Requests\/sec.*/)?.[0] ?? '');
    expect(await summary).not.toMatch(/Non-2xx|Socket errors/);
    expect(sh('journalctl -u appliance -o cat')).not.toMatch(/EPERM|EACCES|EROFS|not permitted|unheard/);
    expect(service('NRestarts').NRestarts).toBe('0');
    removeDropIn('appliance.service');
  });

  it('reads its secrets again at a reload, and tells how that went', async () => {
    configure('app.env', ['APP_LISTEN_HOST=::', 'APP_HTTP_PORT=80', 'APP_HTTPS_PORT=443']);
    sh('systemctl restart appliance');
    const asked = () => host.run('curl -fsS -H "Host: other.test" http://127.0.0.1/whoami').status === 0;
    expect(asked()).toBe(false);
    sh(`echo APP_PUBLIC_NAMES=other.test >>${secrets}/app.env && systemctl reload appliance`);
    await until('the new name is served', asked);
    await until('it is done', () => service('SubState').SubState === 'running');
    sh(`echo APP_WORKERS=many >>${secrets}/app.env && systemctl reload appliance`);
    await until('it is refused', () => service('StatusText').StatusText.includes('the reload was refused'));
    expect([service('SubState').SubState, asked()]).toEqual(['running', true]);
    sh(`sed -i '/APP_WORKERS/d' ${secrets}/app.env`);
  });

  it('lets what is open finish when it is stopped, and comes back when somebody ends it by hand', async () => {
    // a connection that is open, and asks once more when the service has been told to stop
    const script = `exec 3<>/dev/tcp/127.0.0.1/80
ask() { printf 'GET /ip HTTP/1.1\\r\\nHost: ${host.name}\\r\\n\\r\\n' >&3; }
ask; read -r first <&3
systemctl stop --no-block appliance
until ! curl -s -o /dev/null http://127.0.0.1/ip -H 'Host: ${host.name}'; do :; done
ask; cat <&3 | grep -c '^HTTP/1.1 200'`;
    // the rest of the first answer, then the second one
    expect(Number(sh(script))).toBe(1);
    await until('it has stopped', () => service('ActiveState').ActiveState === 'inactive');
    expect(service('Result').Result).toBe('success');
    sh('systemctl start appliance');
    const before = service('MainPID').MainPID;
    sh(`kill ${before}`);
    await until('another answers', () => service('MainPID').MainPID !== before && answers());
    expect(service('StartLimitIntervalUSec').StartLimitIntervalUSec).toBe('0');
  });

  it('is killed and started anew when it is stuck as a whole', async () => {
    dropIn('appliance.service', '[Service]\nWatchdogSec=6\n');
    sh('systemctl restart appliance');
    const before = service('MainPID', 'NRestarts');
    await until('the watchdog is fed', () => service('WatchdogTimestamp').WatchdogTimestamp !== '');
    sh(`kill -STOP ${before.MainPID}`);
    await until('another answers', () => service('MainPID').MainPID !== before.MainPID && answers());
    expect(Number(service('NRestarts').NRestarts)).toBeGreaterThan(Number(before.NRestarts));
    expect(sh('journalctl -u appliance -o cat')).toContain('Watchdog timeout');
    removeDropIn('appliance.service');
  });
});

describe('a boot', () => {
  /** Milliseconds from the start of systemd to the first answers; checks that callers from outside get them. */
  const bootedMs = (): number => {
    host.reboot();
    const { ActiveEnterTimestampMonotonic } = service('ActiveEnterTimestampMonotonic');
    const { UserspaceTimestampMonotonic } = show('', 'UserspaceTimestampMonotonic');
    expect(answers(host.address)).toBe(true);
    const ms = (Number(ActiveEnterTimestampMonotonic) - Number(UserspaceTimestampMonotonic)) / 1000;
    print(`answered ${Math.round(ms)} ms after systemd had started`);
    return ms;
  };
  /** About a second on a quiet machine. */
  const soonMs = 30_000;
  const fakeDocker = (program: string) =>
    sh(
      'mkdir -p /root/fake && cat >/root/fake/docker && chmod 0755 /root/fake/docker',
      `#!/bin/sh\n${program}\n`,
    );

  it('brings back the service, and the containers after it', async () => {
    expect(bootedMs()).toBeLessThan(soonMs);
    await until('the containers are there', () => stack().ActiveState === 'active', 300_000);
    await until(
      'the database is used',
      () => host.run('appliance status --json | grep -q run/appliance-stack/postgres').status === 0,
      120_000,
    );
  });

  it('without Docker brings back the service, and the containers once that is repaired', async () => {
    dropIn('appliance-stack.service', '[Service]\nRestartSec=1\n');
    sh('systemctl mask --quiet docker.service docker.socket');
    expect(bootedMs()).toBeLessThan(soonMs);
    expect(stack().ActiveState).not.toBe('active');
    expect(sh('journalctl --sync; journalctl -b -u appliance-stack -o cat')).toContain('error: ');
    sh('systemctl unmask --quiet docker.service docker.socket && systemctl start docker');
    await until('the containers are there', () => stack().ActiveState === 'active', 300_000);
  });

  it.each([
    ['hangs', 'exec sleep infinity'],
    ['fails', 'echo broken >&2; exit 1'],
  ])('with a Docker that %s brings back the service', async (what, program) => {
    fakeDocker(program);
    // given up sooner than usual, so that the boot comes to its end here
    dropIn(
      'appliance-stack.service',
      '[Service]\nTimeoutStartSec=10\nRestart=no\nEnvironment=PATH=/root/fake:/usr/sbin:/usr/bin:/sbin:/bin\n',
    );
    expect(bootedMs()).toBeLessThan(soonMs);
    await until('it is given up', () => stack().ActiveState === 'failed');
    const { ActiveEnterTimestampMonotonic: answeredAt } = service('ActiveEnterTimestampMonotonic');
    const { InactiveEnterTimestampMonotonic: gaveUpAt } = show(
      'appliance-stack',
      'InactiveEnterTimestampMonotonic',
    );
    if (what === 'hangs') expect(Number(answeredAt)).toBeLessThan(Number(gaveUpAt));
  });
});
