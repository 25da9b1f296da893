/**
 * What suites need from the system besides Node: `npm test` looks for it, installs what is missing where it may,
 * and names the suite that it has to leave out. A suite that needs nothing has no line.
 */
export interface Need {
  /** A shell command that succeeds where the need is met. */
  readonly probe: string;
  /** Debian's and Ubuntu's packages that meet it; none where only root has it. */
  readonly packages: readonly string[];
  /** The service that a package would start now and at boot, which no test wants. */
  readonly service?: string;
  /** A shell command that succeeds where the distribution has no such package: the suite is left out by name, in CI too. */
  readonly absent?: string;
  /** What to do where no package and no right of root's would help. */
  readonly remedy?: string;
}

export const needs = {
  age: { probe: 'command -v age', packages: ['age'] },
  binutils: { probe: 'command -v objdump && command -v strip', packages: ['binutils'] },
  chromium: { probe: 'command -v chromium', packages: ['chromium'] },
  curl: { probe: 'command -v curl', packages: ['curl'] },
  debootstrap: {
    probe: 'command -v debootstrap && test -e /usr/share/keyrings/debian-archive-keyring.gpg',
    packages: ['debootstrap', 'debian-archive-keyring'],
  },
  dnsmasq: { probe: 'command -v dnsmasq', packages: ['dnsmasq-base'] },
  faketime: { probe: 'command -v faketime', packages: ['faketime'] },
  fish: { probe: 'command -v fish', packages: ['fish'] },
  git: { probe: 'command -v git', packages: ['git'] },
  groff: { probe: 'command -v groff && test -e /usr/share/groff/current/tmac/an.tmac', packages: ['groff'] },
  iproute2: { probe: 'command -v ip && command -v ss', packages: ['iproute2'] },
  iptables: { probe: 'command -v iptables', packages: ['iptables'] },
  mmdblookup: { probe: 'command -v mmdblookup', packages: ['mmdb-bin'] },
  nginx: { probe: 'command -v nginx', packages: ['nginx-light'], service: 'nginx' },
  openssl: { probe: 'command -v openssl', packages: ['openssl'] },
  'python3-maxminddb': { probe: "/usr/bin/python3 -c 'import maxminddb'", packages: ['python3-maxminddb'] },
  'redis-server': {
    probe: 'command -v redis-server && command -v redis-cli',
    packages: ['redis-server', 'redis-tools'],
    service: 'redis-server',
  },
  script: { probe: 'command -v script', packages: ['bsdutils'] },
  // it may be there and not be allowed to look into processes
  strace: { probe: 'strace -f -qq -e trace=none true', packages: ['strace'] },
  systemd: { probe: 'command -v systemd-analyze', packages: ['systemd'] },
  'testssl.sh': { probe: 'command -v testssl', packages: ['testssl.sh'] },
  'util-linux': { probe: 'command -v unshare && command -v flock', packages: ['util-linux'] },
  // Debian 12 has 15, Debian 13 has 17: the package of either
  "Debian's PostgreSQL": {
    probe: 'ls /usr/lib/postgresql/*/bin/postgres',
    packages: ['postgresql'],
    service: 'postgresql',
  },
  'valkey-server, of Debian 13 and Ubuntu 24.04': {
    probe: 'command -v valkey-server && command -v redis-cli',
    packages: ['valkey-server', 'redis-tools'],
    absent: 'grep -q VERSION_CODENAME=bookworm /etc/os-release',
    service: 'valkey-server',
  },
  pebble: {
    probe: 'test -x /usr/bin/pebble || node test/support/pebble-program.ts',
    packages: ['pebble'],
  },
  'Pebble 2.10.1, which needs Go': {
    probe: 'node test/support/pebble-program.ts',
    packages: [],
    remedy: 'install Go 1.24 or later, with access to its modules',
  },
  zsh: { probe: 'command -v zsh', packages: ['zsh'] },
  zstd: { probe: 'command -v zstd', packages: ['zstd'] },
  wrk: { probe: 'command -v wrk', packages: ['wrk'] },
  'the rights of root': { probe: 'test "$(id -u)" = 0', packages: [] },
  // within a chroot, whoever enters a mount namespace is outside of it
  'mount namespaces that can be entered': {
    probe: 'nsenter -t $$ -m -- test -e "$PWD/package.json"',
    packages: [],
    remedy: 'run it outside of a chroot',
  },
  'mount namespaces': { probe: 'unshare -m -p -f true', packages: [] },
} as const satisfies Record<string, Need>;

const throwawayHost = [
  'debootstrap',
  'dnsmasq',
  'iproute2',
  'util-linux',
  'mount namespaces',
  'the rights of root',
] as const;

/** Each suite by its path from the root. */
export const suiteNeeds: Readonly<Record<string, readonly (keyof typeof needs)[]>> = {
  'test/integration/certificate-swap.test.ts': [
    'iproute2',
    'mount namespaces',
    'pebble',
    'util-linux',
    'wrk',
  ],
  'test/integration/certificates.test.ts': ['curl', 'pebble'],
  'test/integration/certificates-by-hand.test.ts': ['openssl', 'pebble'],
  'test/integration/certificates-kinds.test.ts': ['curl', 'pebble'],
  'test/integration/certificates-several.test.ts': ['pebble'],
  'test/integration/certificates-public.test.ts': ['pebble'],
  'test/integration/certificates-reload.test.ts': ['pebble'],
  'test/integration/certificates-renewal.test.ts': ['pebble'],
  'test/host/renewal-under-load.test.ts': [
    'Pebble 2.10.1, which needs Go',
    'iproute2',
    'mount namespaces',
    'util-linux',
    'wrk',
  ],
  'test/integration/certificates-alone.test.ts': ['curl', 'the rights of root'],
  'test/integration/certificate-store.test.ts': ['util-linux', 'mount namespaces'],
  'test/integration/certificate-faults.test.ts': ['pebble'],
  'test/integration/certificate-host-faults.test.ts': [
    'faketime',
    'pebble',
    'util-linux',
    'mount namespaces',
  ],
  'test/integration/certificate-kill.test.ts': ['Pebble 2.10.1, which needs Go', 'strace'],
  'test/host/certificate-kill.test.ts': ['Pebble 2.10.1, which needs Go', 'strace'],
  'test/integration/acme-faults.test.ts': ['pebble'],
  'test/integration/acme-issue.test.ts': ['curl', 'pebble'],
  'test/integration/acme-profiles.test.ts': ['Pebble 2.10.1, which needs Go'],
  'test/integration/acme-resume.test.ts': ['pebble'],
  'test/integration/database-file.test.ts': ['util-linux', 'the rights of root', 'mount namespaces'],
  'test/integration/database-postgres.test.ts': ["Debian's PostgreSQL"],
  'test/integration/admin-user.test.ts': ['script'],
  'test/integration/backup-create.test.ts': [
    "Debian's PostgreSQL",
    'age',
    'the rights of root',
    'mount namespaces',
    'util-linux',
    'zstd',
  ],
  'test/integration/calendar-times.test.ts': ['systemd'],
  'test/integration/completion.test.ts': ['fish', 'script', 'zsh'],
  'test/integration/cache-cluster.test.ts': ['redis-server', 'util-linux'],
  'test/integration/cache-redis.test.ts': ['openssl', 'redis-server', 'util-linux'],
  'test/integration/cache-redis-trouble.test.ts': ['openssl', 'redis-server', 'util-linux'],
  'test/integration/cache-sentinel.test.ts': ['redis-server', 'util-linux'],
  'test/integration/cache-valkey.test.ts': ['valkey-server, of Debian 13 and Ubuntu 24.04', 'util-linux'],
  'test/integration/geoip-data.test.ts': ['mmdblookup', 'python3-maxminddb'],
  'test/integration/kills.test.ts': [
    'iproute2',
    'mount namespaces',
    'redis-server',
    'the rights of root',
    'util-linux',
  ],
  'test/host/kills.test.ts': [
    'iproute2',
    'mount namespaces',
    'redis-server',
    'the rights of root',
    'util-linux',
  ],
  'test/integration/native-file.test.ts': ['util-linux', 'mount namespaces'],
  'test/integration/nginx.test.ts': ['nginx'],
  'test/integration/notify.test.ts': ['systemd'],
  'test/integration/package.test.ts': ['binutils', 'util-linux', 'mount namespaces'],
  'test/integration/people.test.ts': ['redis-server', 'util-linux'],
  'test/integration/pre-checks.test.ts': ['dnsmasq'],
  'test/integration/readme.test.ts': ['curl'],
  'test/integration/state-away-embedded.test.ts': [
    'mount namespaces that can be entered',
    'util-linux',
    'the rights of root',
    'mount namespaces',
  ],
  'test/integration/state-away-postgres.test.ts': ['util-linux', 'the rights of root', 'mount namespaces'],
  'test/integration/state-away-redis.test.ts': ['redis-server', 'util-linux'],
  'test/integration/state-external.test.ts': ['redis-server', 'util-linux'],
  'test/integration/supervisor.test.ts': ['systemd', 'util-linux'],
  'test/integration/tls-grade.test.ts': ['openssl', 'pebble', 'testssl.sh'],
  'test/integration/upgrade-takeover.test.ts': ['iproute2', 'mount namespaces', 'util-linux', 'wrk'],
  'test/integration/reverse-dns.test.ts': ['curl', 'dnsmasq', 'iproute2', 'util-linux', 'mount namespaces'],
  'test/integration/secrets-rotate.test.ts': ['redis-server', 'strace'],
  'test/host/stack.test.ts': throwawayHost,
  'test/host/restore.test.ts': [...throwawayHost, 'pebble'],
  'test/host/uninstall.test.ts': throwawayHost,
  'test/host/install.test.ts': [...throwawayHost, 'pebble'],
  'test/host/install-elsewhere.test.ts': [...throwawayHost, 'pebble'],
  'test/host/install-interrupted.test.ts': [...throwawayHost, 'pebble'],
  'test/host/doctor.test.ts': [...throwawayHost, 'pebble'],
  'test/host/units.test.ts': [...throwawayHost, 'pebble', 'wrk'],
  'test/host/upgrade.test.ts': [
    'debootstrap',
    'iproute2',
    'openssl',
    'util-linux',
    'mount namespaces',
    'the rights of root',
    'wrk',
  ],
  'test/host/fresh-root.test.ts': ['debootstrap', 'git', 'util-linux', 'mount namespaces'],
  'test/integration/page.test.ts': ['chromium'],
  'test/unit/man-page.test.ts': ['groff'],
  'test/unit/stand-in.test.ts': ['openssl'],
};
