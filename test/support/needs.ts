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
}

export const needs = {
  binutils: { probe: 'command -v objdump && command -v strip', packages: ['binutils'] },
  chromium: { probe: 'command -v chromium', packages: ['chromium'] },
  curl: { probe: 'command -v curl', packages: ['curl'] },
  debootstrap: {
    probe: 'command -v debootstrap && test -e /usr/share/keyrings/debian-archive-keyring.gpg',
    packages: ['debootstrap', 'debian-archive-keyring'],
  },
  dnsmasq: { probe: 'command -v dnsmasq', packages: ['dnsmasq-base'] },
  git: { probe: 'command -v git', packages: ['git'] },
  iproute2: { probe: 'command -v ip && command -v ss', packages: ['iproute2'] },
  iptables: { probe: 'command -v iptables', packages: ['iptables'] },
  mmdblookup: { probe: 'command -v mmdblookup', packages: ['mmdb-bin'] },
  nginx: { probe: 'command -v nginx', packages: ['nginx-light'], service: 'nginx' },
  'python3-maxminddb': { probe: "/usr/bin/python3 -c 'import maxminddb'", packages: ['python3-maxminddb'] },
  'util-linux': { probe: 'command -v unshare && command -v flock', packages: ['util-linux'] },
  wrk: { probe: 'command -v wrk', packages: ['wrk'] },
  'mount namespaces': { probe: 'unshare -m -p -f true', packages: [] },
} as const satisfies Record<string, Need>;

/** Each suite by its path from the root. */
export const suiteNeeds: Readonly<Record<string, readonly (keyof typeof needs)[]>> = {
  'test/integration/geoip-data.test.ts': ['mmdblookup', 'python3-maxminddb'],
  'test/integration/native-file.test.ts': ['util-linux', 'mount namespaces'],
  'test/integration/package.test.ts': ['binutils', 'util-linux', 'mount namespaces'],
  'test/integration/readme.test.ts': ['curl'],
  'test/integration/reverse-dns.test.ts': ['curl', 'dnsmasq', 'iproute2', 'util-linux', 'mount namespaces'],
  'test/host/fresh-root.test.ts': ['debootstrap', 'git', 'util-linux', 'mount namespaces'],
  'test/integration/page.test.ts': ['chromium'],
};
