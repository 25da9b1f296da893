import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostFaults } from '../support/doctor-faults.ts';
import { until } from '../support/until.ts';
import { stackImages } from './image-archive.ts';
import { bootInstallHost, type InstallHost } from './install-host.ts';

const print = (line: string) => console.log(`  │ ${line}`);

interface Told {
  readonly name: string;
  readonly state: string;
  readonly words: string;
  readonly remedy?: string;
}

let host: InstallHost;

/** Of the shortest command, on a quiet machine of two cores. */
const usualVersionMs = 110;

/** A copy of the program that no fault touches. */
const program = '/root/doctor-program';

function doctor(flags = ''): { readonly status: number | null; readonly checks: readonly Told[] } {
  const { status, stdout, stderr } = host.run(`${program} doctor --json ${flags}`);
  expect([stderr, stdout.slice(0, 1)]).toEqual(['', '{']);
  return { status, checks: (JSON.parse(stdout) as { checks: readonly Told[] }).checks };
}

const failing = () => doctor().checks.filter(({ state }) => state === 'failed');

beforeAll(async () => {
  host = await bootInstallHost('docker', print);
  await host.load(...stackImages);
  const flags = `--domain ${host.name} --email admin@example.com ${host.authority} --yes`;
  const { status, stderr } = await host.install(flags);
  expect(`${status}: ${status === 0 ? '' : stderr}`).toBe('0: ');
  host.sh(`cp ${(await host.start('readlink -f /usr/local/bin/appliance')).stdout.trim()} ${program}`);
});
afterAll(() => host?.remove());

describe('doctor, on a host that was just installed', () => {
  it('finds nothing that fails', () => {
    expect(failing()).toEqual([]);
    expect(doctor().status).toBe(0);
  });

  it.each(hostFaults.map((fault) => [fault.is, fault] as const))('finds that %s', (_is, fault) => {
    const { check, make, words, remedy, state = 'failed', flags = '', heal } = fault;
    host.sh(make);
    const { status, checks } = doctor(`--only ${check} ${flags}`);
    // the next fault finds a host that is well, whatever becomes of this one
    host.sh(heal === 'remedy' ? (checks[0]?.remedy ?? 'false') : heal);
    expect(checks).toEqual([
      expect.objectContaining({
        name: check,
        state,
        words: expect.stringMatching(words) as string,
        remedy: expect.stringMatching(remedy) as string,
      }),
    ]);
    expect(status).toBe(state === 'failed' ? 3 : 0);
  });

  it('finds a container that is unhealthy', () => {
    host.sh(`docker exec appliance-redis-1 rm /run/redis/redis.sock
until docker inspect -f '{{.State.Health.Status}}' appliance-redis-1 | grep -q unhealthy; do sleep 0.2; done`);
    expect(doctor('--only container-health').checks).toMatchObject([
      {
        state: 'failed',
        words: 'redis is unhealthy',
        remedy: expect.stringContaining('stack logs') as string,
      },
    ]);
    host.sh(`docker restart appliance-redis-1
until docker inspect -f '{{.State.Health.Status}}' appliance-redis-1 | grep -q '^healthy'; do sleep 0.2; done`);
  });

  it('works while the service is stopped and Docker is broken, and lets no secret slip', () => {
    const secrets = host
      .sh(`sed -n 's/^[A-Z_]*PASS[A-Z]*=//p' /etc/appliance/secrets/*.env`)
      .trim()
      .split('\n');
    expect(secrets.length).toBeGreaterThan(1);
    host.sh('systemctl stop appliance docker.socket docker');
    const { status, checks } = doctor();
    expect(status).toBe(3);
    expect(checks.filter(({ state }) => state === 'failed').map(({ name }) => name)).toEqual(
      expect.arrayContaining(['service', 'docker', 'database']),
    );
    for (const secret of secrets) expect(JSON.stringify(checks)).not.toContain(secret);
    expect(checks.filter(({ state, remedy }) => state === 'failed' && !remedy)).toEqual([]);
    // a backup that cannot reach its database is noted as one that failed
    expect(host.run('appliance backup create').status).not.toBe(0);
    expect(doctor('--only backup-failure').checks).toMatchObject([{ state: 'failed' }]);
    host.sh('systemctl start docker && appliance stack up && systemctl start appliance && sleep 1');
    host.sh('appliance backup create');
  });

  it('says to use sudo to whoever may not see it all', () => {
    const asNobody = 'setpriv --reuid 65534 --regid 65534 --clear-groups';
    const { status, stdout } = host.run(`${asNobody} appliance doctor`);
    expect(stdout).toMatch(/^use sudo to have the rest looked at as well$/m);
    expect([status, stdout]).toEqual([0, expect.not.stringMatching(/FAIL|CERT_DOMAIN is not set/)]);
    expect(host.run(`${asNobody} appliance status`)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/may not talk to the service on .*\nto do: use sudo/) as string,
    });
  });

  it('is all well again at the end, and fits 80 columns', () => {
    expect(failing()).toEqual([]);
    const { stdout } = host.run('appliance doctor');
    expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([]);
  });

  it('and status tells it on one screen, within 300 ms', async () => {
    const took = (command: string): number =>
      1000 * Number(host.sh(`TIMEFORMAT=%R; { time appliance ${command} >/dev/null; } 2>&1`).trim());
    // in turn, since how busy the machine is changes
    const times = Array.from({ length: 10 }, () => ({ version: took('version'), status: took('status') }));
    // where other suites run beside this one, the start of any program takes longer
    const busy = Math.max(1, Math.min(...times.map(({ version }) => version)) / usualVersionMs);
    const ms = Math.min(...times.map(({ status }) => status));
    print(`status takes ${ms} ms, on a machine that is ${busy.toFixed(1)} times as slow as a quiet one`);
    expect(ms).toBeLessThan(300 * busy);
    let screen = '';
    await until('docker has told within the second that status gives it', () => {
      screen = host.sh('appliance status');
      return !screen.includes('docker has said nothing');
    });
    expect(screen).toMatch(/^ {2}needs you +no$/m);
    expect(screen).toMatch(/^ {2}containers +postgres healthy, redis healthy$/m);
    expect(screen.split('\n').length).toBeLessThan(25);
    expect(screen.split('\n').filter((line) => line.length > 80)).toEqual([]);
  });
});
