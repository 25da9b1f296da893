import { once } from 'node:events';
import { chmodSync, chownSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { doctorChecks } from '../../src/host/checks/doctor.ts';
import { preflightChecks } from '../../src/host/checks/preflight.ts';
import { type Check, type FindingState, ok } from '../../src/host/checks/check.ts';
import type { BackupFacts } from '../../src/host/checks/doctor-context.ts';
import type { Host } from '../../src/host/checks/host.ts';
import { runChecks, selectChecks } from '../../src/host/checks/run-checks.ts';
import { stackLayout } from '../../src/host/stack/stack-layout.ts';
import type { ServiceView } from '../../src/ports/service-view.ts';
import type { UnitFacts } from '../../src/host/checks/unit-facts.ts';
import { Failure } from '../../src/core/errors.ts';
import type { NameResolver } from '../../src/ports/name-resolver.ts';
import { checkedHost, type CheckedHost } from '../support/checked-host.ts';
import { hostFaults } from '../support/doctor-faults.ts';

let host: CheckedHost | undefined;
afterEach(() => host?.remove());

const debian = 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nID=debian\nVERSION_ID="13"\n';
const ufw = (rules: string) => `Status: active\n\nTo                         Action      From\n${rules}`;
const passwd = (line: string) => `root:x:0:0:root:/root:/bin/bash\n${line}\n`;

/** A file or what a program prints, and what is said of it. */
interface Case {
  readonly is: string;
  readonly check: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly programs?: Readonly<Record<string, string>>;
  readonly containers?: boolean;
  readonly state: FindingState;
  readonly words: RegExp;
  readonly remedy?: RegExp;
}

const cases: readonly Case[] = [
  {
    is: 'a kernel that is too old',
    check: 'kernel',
    files: { '/proc/sys/kernel/osrelease': '5.10.0-28-amd64\n' },
    state: 'failed',
    words: /5\.10\.0-28-amd64 is too old/,
    remedy: /dist-upgrade/,
  },
  {
    is: 'a kernel that is new enough',
    check: 'kernel',
    files: { '/proc/sys/kernel/osrelease': '6.1.0-37-amd64\n' },
    state: 'ok',
    words: /6\.1\.0/,
  },
  {
    is: 'memory that is nearly gone',
    check: 'memory',
    files: { '/proc/meminfo': 'MemTotal:        2000000 kB\nMemAvailable:      40000 kB\n' },
    state: 'failed',
    words: /41 of 2048 MB/,
    remedy: /sort=-rss/,
  },
  {
    is: 'work that waits for memory',
    check: 'memory',
    files: {
      '/proc/meminfo': 'MemTotal:        2000000 kB\nMemAvailable:     400000 kB\n',
      '/proc/pressure/memory':
        'some avg10=60.00 avg60=50.00 avg300=9.00 total=1\nfull avg10=40.00 avg60=30.50 avg300=9.00 total=1\n',
    },
    state: 'failed',
    words: /work waits for memory 30\.5 % of the time/,
    remedy: /sort=-rss/,
  },
  {
    is: 'ufw without our ports',
    check: 'firewall',
    files: { '/etc/ufw/ufw.conf': 'ENABLED=yes\n' },
    programs: {
      ufw: ufw(
        '22/tcp                     ALLOW       Anywhere\n80/tcp                     ALLOW       Anywhere\n',
      ),
    },
    state: 'warning',
    words: /ufw is active and does not let in port 443/,
    remedy: /^sudo ufw allow 443\/tcp$/,
  },
  {
    is: 'ufw with our ports',
    check: 'firewall',
    files: { '/etc/ufw/ufw.conf': 'ENABLED=yes\n' },
    programs: { ufw: ufw('80,443/tcp                 ALLOW       Anywhere\n') },
    state: 'ok',
    words: /ufw lets/,
  },
  {
    is: 'firewalld without our ports',
    check: 'firewall',
    programs: {
      'firewall-cmd --state': 'running\n',
      'firewall-cmd --list-all':
        'public (active)\n  target: default\n  services: dhcpv6-client http ssh\n  ports: 8443/tcp\n',
    },
    state: 'warning',
    words: /firewalld is active and does not let in port 443/,
    remedy: /--permanent --add-port=443\/tcp && sudo firewall-cmd --reload/,
  },
  {
    is: 'a rule of nft that drops what comes to port 80',
    check: 'packet-filter',
    programs: {
      nft: 'table inet filter {\n\tchain input {\n\t\ttype filter hook input priority filter; policy accept;\n\t\ttcp dport { 22, 80 } drop\n\t}\n}\n',
    },
    state: 'failed',
    words: /a rule drops what comes to port 80: tcp dport \{ 22, 80 \} drop/,
    remedy: /nft delete rule/,
  },
  {
    is: 'a rule of nft for a range that lets in ours, and drops the rest',
    check: 'packet-filter',
    programs: {
      nft: 'table inet filter {\n\tchain input {\n\t\ttype filter hook input priority filter; policy drop;\n\t\ttcp dport 80-443 accept\n\t}\n}\n',
    },
    state: 'ok',
    words: /none keeps the ports closed/,
  },
  {
    is: 'rules that are for one caller alone',
    check: 'packet-filter',
    programs: { iptables: '-P INPUT ACCEPT\n-A INPUT -s 192.0.2.0/24 -p tcp -m tcp --dport 80 -j DROP\n' },
    state: 'ok',
    words: /none keeps the ports closed/,
  },
  {
    is: 'an unsupported distribution',
    check: 'distribution',
    files: { '/etc/os-release': 'PRETTY_NAME="Fedora Linux 43"\nID=fedora\nVERSION_ID=43\n' },
    state: 'warning',
    words: /Fedora Linux 43 is not among those/,
    remedy: /Ubuntu 24\.04 or later/,
  },
  {
    is: 'a release of Ubuntu that is too old',
    check: 'distribution',
    files: { '/etc/os-release': 'PRETTY_NAME="Ubuntu 22.04.5 LTS"\nID=ubuntu\nVERSION_ID="22.04"\n' },
    state: 'warning',
    words: /Ubuntu 22\.04\.5/,
    remedy: /Ubuntu 24\.04/,
  },
  { is: 'Debian 13', check: 'distribution', files: { '/etc/os-release': debian }, state: 'ok', words: /13/ },
  {
    is: 'a person of our name',
    check: 'service-user',
    files: { '/etc/passwd': passwd('appliance:x:1000:1000::/home/appliance:/bin/bash'), '/etc/group': '' },
    state: 'failed',
    words: /the user appliance is a person's/,
    remedy: /usermod --login/,
  },
  {
    is: 'a user of our name with the rights of root',
    check: 'service-user',
    files: { '/etc/passwd': passwd('appliance:x:0:0::/:/usr/sbin/nologin'), '/etc/group': '' },
    state: 'failed',
    words: /has the rights of root/,
    remedy: /usermod/,
  },
  {
    is: 'a group of our name without its user',
    check: 'service-user',
    files: { '/etc/passwd': passwd('other:x:1:1::/:/bin/sh'), '/etc/group': 'appliance:x:1000:\n' },
    state: 'failed',
    words: /a group appliance without the user/,
    remedy: /groupdel/,
  },
  {
    is: 'our own user',
    check: 'service-user',
    files: {
      '/etc/passwd': passwd('appliance:x:998:998::/nonexistent:/usr/sbin/nologin'),
      '/etc/group': 'appliance:x:998:\n',
    },
    state: 'ok',
    words: /appliance, number 998/,
  },
  {
    is: "a folder of our name with somebody else's files",
    check: 'own-folders',
    files: { '/etc/appliance/fridge.conf': 'door=closed' },
    state: 'failed',
    words: /\/etc\/appliance is not ours: it holds fridge\.conf/,
    remedy: /^.*sudo mv \/etc\/appliance \/etc\/appliance\.other$/,
  },
  {
    is: 'a disk of its own for our data',
    check: 'own-folders',
    files: { '/var/lib/appliance/lost+found/#11': '' },
    state: 'ok',
    words: /ours, or still to be made/,
  },
  {
    is: 'a file where our folder is to be',
    check: 'own-folders',
    files: { '/var/lib/appliance': 'a file' },
    state: 'failed',
    words: /\/var\/lib\/appliance is no folder/,
    remedy: /sudo mv/,
  },
  {
    is: "Docker's own engine without Compose",
    check: 'compose',
    files: { '/etc/os-release': debian },
    programs: {
      'docker compose version --short': 'unknown command',
      'dpkg-query': 'docker-ce-cli installed\n',
    },
    containers: true,
    state: 'failed',
    words: /docker has no "docker compose"/,
    remedy: /^sudo apt-get install docker-compose-plugin$/,
  },
  {
    is: 'no Docker at all',
    check: 'compose',
    files: { '/etc/os-release': debian },
    containers: true,
    state: 'failed',
    words: /docker has no "docker compose"/,
    remedy: /^sudo apt-get install docker\.io docker-cli docker-compose$/,
  },
  {
    is: 'a host without systemd',
    check: 'systemd',
    files: { '/proc/1/comm': 'sh\n' },
    state: 'failed',
    words: /not started by systemd/,
    remedy: /appliance serve/,
  },
  {
    is: 'a systemd that is too old',
    check: 'systemd',
    files: { '/proc/1/comm': 'systemd\n' },
    programs: { systemctl: 'systemd 249 (249.11-0ubuntu3)\n+PAM\n' },
    state: 'failed',
    words: /systemd 249 is too old/,
    remedy: /24\.04/,
  },
  {
    is: 'a clock that nothing sets',
    check: 'clock-sync',
    programs: { timedatectl: 'NTPSynchronized=no\nNTP=no\nCanNTP=yes\n' },
    state: 'warning',
    words: /not set from the network/,
    remedy: /^sudo timedatectl set-ntp true$/,
  },
  {
    is: 'a clock that is set outside of the container',
    check: 'clock-sync',
    programs: { 'systemd-detect-virt': 'lxc\n' },
    state: 'skipped',
    words: /outside/,
  },
  {
    is: 'a clock that is set',
    check: 'clock-sync',
    programs: { timedatectl: 'NTPSynchronized=yes\nNTP=yes\nCanNTP=yes\n' },
    state: 'ok',
    words: /set from the network/,
  },
];

const all = [...preflightChecks, ...doctorChecks];

describe('a check of the host', () => {
  it.each(cases.map((each) => [each.is, each] as const))('tells of %s', async (_is, each) => {
    host = checkedHost(each.programs);
    host.put(each.files ?? {});
    const found = await host.ask(all, each.check, { containers: each.containers ?? false });
    expect(found).toMatchObject({ state: each.state, words: expect.stringMatching(each.words) as string });
    if (each.remedy !== undefined) expect(found.remedy).toMatch(each.remedy);
  });

  it('has a name of its own, which is all that tells it apart', () => {
    for (const checks of [preflightChecks, doctorChecks]) {
      const names = checks.map(({ name }) => name);
      expect(new Set(names).size).toBe(names.length);
      expect(names.filter((name) => !/^[a-z]+(-[a-z]+)*$/.test(name))).toEqual([]);
    }
  });

  it('is one that a fault proves, for more than thirty', () => {
    const names = new Set(doctorChecks.map(({ name }) => name));
    const proven = [...hostFaults, ...cases].map(({ check }) => check).filter((name) => names.has(name));
    expect(new Set(proven).size).toBeGreaterThan(30);
  });
});

const serviceIs = (facts: Partial<UnitFacts>) => {
  const unit = {
    name: 'appliance.service',
    load: 'loaded',
    active: 'active',
    sub: 'running',
    enabled: 'enabled',
  };
  const rest = {
    result: 'success',
    restarts: 0,
    mainPid: 0,
    activeSinceMs: 0,
    stale: false,
    path: '',
    dropIns: [],
  };
  return { units: async () => new Map([[unit.name, { ...unit, ...rest, ...facts }]]) };
};
const configured = { secretsFolder: '/etc/appliance/secrets', problems: [], warnings: [], values: {} };

describe('a service that was just started', () => {
  it('may still open its database, which is no fault of that', async () => {
    host = checkedHost();
    const cache = { ok: true, words: 'the cache works' };
    const opening = { ok: false, opening: true, words: 'PostgreSQL at db:5432: opening' };
    const service = async () => ({ state: { database: opening, cache } }) as ServiceView;
    expect(await host.ask(all, 'database', { service })).toEqual({
      state: 'warning',
      words: 'PostgreSQL at db:5432: opening',
      remedy: 'ask again in a moment',
    });
  });
});

describe('a timer of backups', () => {
  it('that still makes them after BACKUP_SCHEDULE was set to off is told with what ends it', async () => {
    host = checkedHost();
    const timer = 'appliance-backup.timer';
    const unit = new Map([[timer, { active: 'active', enabled: 'enabled' } as UnitFacts]]);
    const off = { configuration: configured, units: async () => unit };
    expect(await host.ask(all, 'backup-timer', off)).toEqual({
      state: 'failed',
      words: `BACKUP_SCHEDULE is off, and ${timer} is not`,
      remedy: 'sudo appliance install --yes',
    });
    expect(await host.ask(all, 'backup-timer', { ...off, units: async () => new Map() })).toMatchObject({
      state: 'skipped',
    });
  });
});

describe('what is advised', () => {
  it('ends no service while the configuration would not let it come back', async () => {
    host = checkedHost();
    const down = serviceIs({ active: 'inactive', sub: 'dead' });
    expect(await host.ask(all, 'service', { ...down, configuration: configured })).toMatchObject({
      remedy: 'sudo systemctl start appliance',
    });
    const configuration = { ...configured, problems: ['app.env:1: APP_WORKERS: is not right'] };
    expect(await host.ask(all, 'service', { ...down, configuration })).toMatchObject({
      state: 'failed',
      remedy: expect.stringMatching(/^correct the configuration first/) as string,
    });
  });

  it('starts no service that ends as soon as it was started, whatever systemd is doing with it', async () => {
    host = checkedHost();
    for (const sub of ['auto-restart', 'auto-restart-queued', 'start']) {
      const inVain = serviceIs({ active: 'activating', sub, restarts: 1 });
      expect(await host.ask(all, 'service', { ...inVain, configuration: configured })).toMatchObject({
        words: 'the service ends again as soon as it was started',
        remedy: expect.stringMatching(/^see why: journalctl/) as string,
      });
    }
    const starting = serviceIs({ active: 'activating', sub: 'start' });
    expect(await host.ask(all, 'service', { ...starting, configuration: configured })).toMatchObject({
      words: 'the service does not run (activating)',
    });
  });

  it('unmasks a unit before it is started', async () => {
    host = checkedHost();
    const masked = serviceIs({ load: 'masked', active: 'inactive', enabled: 'masked' });
    for (const check of ['service', 'unit-reload', 'unit-enabled']) {
      const { remedy } = await host.ask(all, check, { ...masked, configuration: configured });
      expect(remedy).toBe('sudo systemctl unmask appliance.service && sudo appliance install --yes');
    }
  });
});

describe('a unit that starts with the host', () => {
  it('brings containers along where there are any', async () => {
    host = checkedHost();
    const on = serviceIs({ enabled: 'enabled' });
    const words = async (containers: boolean) =>
      (await host!.ask(all, 'unit-enabled', { ...on, containers })).words;
    expect(await words(true)).toBe('appliance.service, and with it the containers');
    expect(await words(false)).toBe('appliance.service');
  });
});

describe('the names of a host', () => {
  const resolver = (addresses: Readonly<Record<string, readonly string[]>>): NameResolver => ({
    addresses(name) {
      const found = addresses[name];
      if (found !== undefined) return Promise.resolve(found);
      return Promise.reject(new Failure(`DNS is silent on ${name}`, { code: 'dns', remedy: 'Look at it.' }));
    },
    caa: () => Promise.resolve([]),
  });
  const normal = /^behind NAT and in clouds another address is normal; else set the A and AAAA records/;

  it('need an address, and behind NAT another one is normal', async () => {
    host = checkedHost();
    const asked = { resolver: resolver({ 'none.test': [], 'other.test': ['192.0.2.1'] }) };
    expect(await host.ask(all, 'dns', { ...asked, names: ['none.test', '*.none.test'] })).toEqual({
      state: 'warning',
      words: 'none.test has no address in DNS: nobody can reach it and no public authority will sign it',
      remedy: 'add an A or AAAA record',
    });
    expect(await host.ask(all, 'dns', { ...asked, names: ['none.test'], dnsHook: true })).toMatchObject({
      words: 'none.test has no address in DNS: nobody can reach it',
    });
    expect(await host.ask(all, 'dns', { ...asked, names: ['other.test'] })).toMatchObject({
      state: 'warning',
      words: expect.stringMatching(/^other\.test leads to 192\.0\.2\.1, and this host has/) as string,
      remedy: expect.stringMatching(normal) as string,
    });
    expect(await host.ask(all, 'dns', { ...asked, names: ['silent.test'] })).toEqual({
      state: 'warning',
      words: 'DNS is silent on silent.test',
      remedy: 'Look at it.',
    });
  });

  it('are asked all at once, and told in their order', async () => {
    host = checkedHost();
    const waiting: (() => void)[] = [];
    const late: NameResolver = {
      async addresses(name) {
        // the first to be asked is the last to be answered
        await new Promise<void>((resolve) => {
          waiting.unshift(resolve);
          if (waiting.length === 3) for (const go of waiting) go();
        });
        throw new Failure(`DNS is silent on ${name}`, { code: 'dns', remedy: 'Look at it.' });
      },
      caa: () => Promise.resolve([]),
    };
    const names = ['a.test', 'b.test', 'c.test'];
    expect(await host.ask(doctorChecks, 'dns', { resolver: late, names })).toEqual({
      state: 'warning',
      words: 'DNS is silent on a.test; DNS is silent on b.test; DNS is silent on c.test',
      remedy: 'Look at it.',
    });
  });
});

describe('a service that listens on every address', () => {
  it('is asked where a host without IPv6 has it too', async () => {
    host = checkedHost();
    const server = createServer((_request, response) => response.end());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port: httpPort } = server.address() as AddressInfo;
    try {
      for (const listenHost of ['::', '0.0.0.0']) {
        const service = async () => ({ listenHost, httpPort }) as ServiceView;
        expect(await host.ask(all, 'http-answer', { service })).toEqual({
          state: 'ok',
          words: 'the service is ready',
        });
      }
    } finally {
      server.close();
    }
  });
});

describe('an install', () => {
  const whole = {
    '/usr/local/lib/appliance/1.0.0/appliance': '',
    '/usr/local/bin/appliance': '',
    '/etc/appliance/secrets/app.env': '',
  };
  const unit = { '/etc/systemd/system/appliance.service': '' };

  it('is not at its end while anything of it is missing, or the service has not taken it over', async () => {
    host = checkedHost();
    host.put(whole);
    expect(await host.ask(all, 'install')).toMatchObject({
      state: 'failed',
      words: expect.stringMatching(/there is no \/etc\/systemd\/system\/appliance\.service$/) as string,
      remedy: 'sudo appliance install --yes',
    });
    host.put(unit);
    expect(await host.ask(all, 'install')).toMatchObject({ state: 'ok' });
    host.put({ '/run/appliance-install.pending': 'restart\n' });
    expect(await host.ask(all, 'install')).toMatchObject({
      state: 'failed',
      words: expect.stringMatching(/^it was cut off, or is under way/) as string,
      remedy: 'sudo appliance install --yes',
    });
  });

  it('is not at its end where it stopped at a step that leaves nothing behind', async () => {
    host = checkedHost();
    host.put({ ...whole, ...unit, '/usr/local/lib/appliance/.unfinished': 'certificate\n' });
    expect(await host.ask(all, 'install')).toMatchObject({
      state: 'failed',
      words: expect.stringMatching(/^it stopped at the step "certificate"/) as string,
      remedy: 'sudo appliance install --yes',
    });
  });
});

describe('the newest backup', () => {
  it('is not all that there is to say where another is dated ahead of the clock', async () => {
    host = checkedHost();
    const archive = {
      name: 'appliance-20260101T000000Z.tar.zst',
      createdMs: Date.UTC(2026),
      encrypted: false,
    };
    const ahead = 'appliance-20990101T000000Z.tar.zst';
    const ask = (facts: BackupFacts) =>
      host!.ask(all, 'backup', {
        backups: () => Promise.resolve(facts),
        backupDueMs: () => archive.createdMs,
      });
    expect(await ask({ archives: [archive] })).toMatchObject({ state: 'ok' });
    expect(await ask({ archives: [archive], ahead })).toMatchObject({
      state: 'warning',
      words: `is of 2026-01-01 00:00 UTC; ${ahead} is dated ahead of the clock`,
    });
    const old = { ...archive, createdMs: archive.createdMs - 1 };
    expect(await ask({ archives: [old], ahead })).toMatchObject({ state: 'failed' });
    expect(await ask({ archives: [], ahead })).toMatchObject({ state: 'warning', words: /none but .*2099/ });
  });
});

describe('containers that were never made', () => {
  it('are neither healthy nor of the right image', async () => {
    host = checkedHost();
    const values = { postgresHost: stackLayout({ installed: true, dataDir: '' }).postgresHost };
    const change = { containers: true, configuration: { ...configured, values } };
    for (const check of ['containers', 'container-health', 'container-images']) {
      expect(await host.ask(all, check, change)).toEqual({
        state: 'failed',
        words: 'there is no container of postgres',
        remedy: 'sudo appliance stack up',
      });
    }
  });
});

describe('the folder of the data', () => {
  it('may be a disk of its own, with what is for fsck and not of the service', async () => {
    host = checkedHost();
    const { uid, gid } = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
    const owner = uid === 0 ? 61234 : uid;
    host.put({
      '/etc/passwd': passwd(`appliance:x:${owner}:${gid}::/:/usr/sbin/nologin`),
      '/data/lost+found/#11': '',
    });
    const data = join(host.folder, 'data');
    chmodSync(data, 0o750);
    chownSync(data, owner, gid);
    expect(await host.ask(all, 'data-folder')).toMatchObject({ state: 'ok' });
  });
});

describe('the folder of the configuration', () => {
  const ask = (check: string, secretsFolder: string) =>
    host!.ask(all, check, {
      configuration: { ...configured, secretsFolder, problems: ['app.env: cannot be read'] },
    });

  it('has to be one that the service may enter from the top down', async () => {
    host = checkedHost();
    host.put({
      '/etc/passwd': passwd('appliance:x:61234:61234::/:/usr/sbin/nologin'),
      '/open/secrets/app.env': '',
    });
    const above = join(host.folder, 'open');
    for (const folder of [host.folder, above, join(above, 'secrets')]) chmodSync(folder, 0o755);
    chmodSync(join(above, 'secrets'), 0o750);
    chownSync(join(above, 'secrets'), process.getuid?.() ?? 0, process.getgid?.() ?? 0);
    expect((await ask('secrets-modes', join(above, 'secrets'))).words).toBe(
      `the service may not read ${join(above, 'secrets')}`,
    );
    chmodSync(above, 0o700);
    expect(await ask('secrets-modes', join(above, 'secrets'))).toMatchObject({
      words: `the service may not enter ${above}`,
      remedy: `sudo chmod 0755 ${above}`,
    });
  });

  it('is better without a link that leads nowhere', async () => {
    host = checkedHost();
    symlinkSync('/nonexistent', join(host.folder, 'app.env'));
    expect(await ask('configuration', host.folder)).toMatchObject({
      words: `${join(host.folder, 'app.env')} is a link that leads nowhere`,
      remedy: `sudo rm ${join(host.folder, 'app.env')}`,
    });
  });
});

describe('an upgrade that is kept as done', () => {
  const folder = 'usr/local/lib/appliance';
  /** A host with 0.1.0 and 0.1.1, of which one is installed and one runs. */
  async function ask(name: string, installed: string, version: string) {
    host = checkedHost();
    const releases = { [`${folder}/0.1.0/appliance`]: 'old', [`${folder}/0.1.1/appliance`]: 'new' };
    host.put({ ...releases, '/proc/7/comm': 'appliance', '/usr/local/bin/other': '' });
    const binary = (release: string) => join(host!.folder, folder, release, 'appliance');
    symlinkSync(binary(installed), join(host.folder, 'usr/local/bin/appliance'));
    symlinkSync(binary(version), join(host.folder, 'proc/7/exe'));
    return host.ask(doctorChecks, name, {
      configuration: { secretsFolder: '/etc/appliance/secrets', problems: [], warnings: [], values: {} },
      lastUpgrade: async () => ({ from: '0.1.0', to: '0.1.1', outcome: 'done' }),
      service: async () => ({ version }) as ServiceView,
      units: async () => new Map([['appliance.service', { mainPid: 7 } as UnitFacts]]),
    });
  }
  const bothWays =
    'to finish, with the file of 0.1.1: sudo appliance upgrade FILE; or to go back to 0.1.0: sudo systemctl restart appliance';

  it.each(['upgrade', 'running-binary'])(
    'was cut off where the link leads to the one before, and both ways out are named (%s)',
    async (name) => {
      const { state, words, remedy } = await ask(name, '0.1.0', '0.1.1');
      expect({ state, remedy }).toEqual({ state: 'failed', remedy: bothWays });
      expect(words).toMatch(/0\.1\.1.*0\.1\.0.* is installed/);
    },
  );

  it('is well where all of it is the new one', async () => {
    expect(await ask('upgrade', '0.1.1', '0.1.1')).toEqual({ state: 'ok', words: 'from 0.1.0 to 0.1.1' });
  });

  it('is not called the one that runs where it was gone back from by a restart', async () => {
    expect(await ask('upgrade', '0.1.0', '0.1.0')).toEqual({
      state: 'ok',
      words: 'from 0.1.0 to 0.1.1; 0.1.0 runs now',
    });
  });

  it('is no reason to go back where only the service was not restarted', async () => {
    const { state, remedy } = await ask('running-binary', '0.1.1', '0.1.0');
    expect({ state, remedy }).toEqual({ state: 'failed', remedy: 'sudo systemctl restart appliance' });
  });
});

describe('several checks', () => {
  const context = (uid: number) => ({ host: { uid } as Host });
  const check = (name: string, run: Check<ReturnType<typeof context>>['run']) => ({ name, title: name, run });

  it('run side by side, and one that throws or hangs has failed by itself', async () => {
    const checks = [
      check('slow', () => new Promise(() => {})),
      check('broken', () => {
        throw new Error('x is not a function');
      }),
      check('well', () => ok('well')),
    ];
    expect(await runChecks(checks, context(0), 50)).toMatchObject([
      { name: 'slow', state: 'failed', words: 'no answer within 0.05 s' },
      { name: 'broken', state: 'failed', words: 'could not be checked: x is not a function' },
      { name: 'well', state: 'ok' },
    ]);
  });

  it('leave out what only root may look at, and only for others', async () => {
    const denied = check('secret', () =>
      Promise.reject(Object.assign(new Error('EACCES'), { code: 'EACCES', errno: -13 })),
    );
    expect(await runChecks([denied], context(1000))).toMatchObject([
      { state: 'skipped', remedy: 'use sudo' },
    ]);
    expect(await runChecks([denied], context(0))).toMatchObject([{ state: 'failed' }]);
  });

  it('are chosen by name, and a name that no check has is refused with the nearest', () => {
    const names = (only: string[], ignore: string[]) =>
      selectChecks(doctorChecks, { only, ignore }).map(({ name }) => name);
    expect(names(['journal', 'dns'], [])).toEqual(['journal', 'dns']);
    expect(names([], ['dns'])).not.toContain('dns');
    expect(names([], []).length).toBe(doctorChecks.length);
    expect(() => names(['jurnal'], [])).toThrow(
      expect.objectContaining({ message: 'there is no check "jurnal"', remedy: 'did you mean journal?' }),
    );
    expect(() => names([], ['dsn'])).toThrow(/"dsn"/);
    expect(() => names(['dns'], ['dns'])).toThrow('"dns" is asked for and left out');
  });
});
