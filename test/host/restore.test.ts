import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stackImages } from './image-archive.ts';
import {
  bootPackagedHost,
  buildBinary,
  type PackagedBinary,
  type PackagedHost,
  seenDuring,
} from './packaged-host.ts';
import { pebbleInside, startPebbleInside } from './pebble-inside.ts';

const print = (line: string) => console.log(`  │ ${line}`);
const guide = readFileSync(join(import.meta.dirname, '../../docs/state.md'), 'utf8');

/** An example of the guide, by how it begins. */
function example(beginning: string): string {
  const found = [...guide.matchAll(/^```\w+\n(.*?)^```/gms)].find(([, text]) => text?.startsWith(beginning));
  return found![1]!;
}
/** As the guide calls it. */
const archiveThere = '/root/appliance-20261122T213600Z.tar.zst.age';
const passphrase = 'right horse "battery" staple';
const name = 'whoami.internal';
const ask = `curl -fso /dev/null http://127.0.0.1/whoami -H 'Host: ${name}'`;

interface HostState {
  readonly tables: Readonly<Record<string, readonly string[]>>;
  readonly files: readonly string[];
}

let binary: PackagedBinary;
let old: PackagedHost;
let fresh: PackagedHost;
/** Of the old host, when the archive was made. */
let before: HostState;
/** The fingerprint of its certificate. */
let served: string;
let archive: string;

async function dockerHost(): Promise<PackagedHost> {
  const host = await bootPackagedHost('docker', binary, print);
  await host.load(...stackImages);
  host.sh(`umask 077; printf '%s\n' '${passphrase}' >/root/passphrase`);
  return host;
}

/** All rows by table, sorted, from the SQL for those who leave: it is the same for every kind of database. */
function tablesOf({ sh }: PackagedHost): HostState['tables'] {
  const dump = sh('appliance backup export --pg-dump -');
  const tables = [...dump.matchAll(/^copy "(\w+)" (\([^)]*\)) from stdin;\n(.*?)^\\\.$/gms)].map(
    ([, table, columns, text]) => {
      const rows = text!
        .trimEnd()
        .split('\n')
        .filter((row) => !row.includes('\tbackup.restore\t'))
        .toSorted();
      // a restore gives everybody a new stamp, the last column, so that all sessions end
      const kept = table === 'users' ? rows.map((row) => row.replace(/\t[^\t]*$/, '')) : rows;
      return [table!, [columns!, ...kept]] as const;
    },
  );
  expect(tables.length).toBeGreaterThan(10);
  // when its tables were made, and who writes to them now, is each database's own
  const own = ['schema_migrations', 'visit_writers'];
  return Object.fromEntries(tables.filter(([table]) => !own.includes(table)));
}

/** Every folder and file below those, with whose it is, its mode and the sum of what is in it. */
function filesOf({ sh }: PackagedHost, ...folders: readonly string[]): readonly string[] {
  const found = sh(
    `find ${folders.join(' ')} -name .lock -prune -o -not -path '*/stand-in*' \\( -type d -printf '%p %u:%g %m\\n' ` +
      `-o -printf '%p %u:%g %m ' -exec sh -c 'sha256sum <"$1"' - {} \\; \\)`,
  );
  return found.trim().split('\n').toSorted();
}

const stateFolders = ['/etc/appliance/secrets', '/var/lib/appliance/certificates'];
const stateOf = (host: PackagedHost): HostState => ({
  tables: tablesOf(host),
  files: filesOf(host, ...stateFolders),
});

const untilStateIsUp = ({ sh }: PackagedHost): string =>
  sh(`for i in $(seq 300); do
  if [ "$(appliance status --json 2>/dev/null | grep -c '"ok": true')" = 2 ]; then exit; fi; sleep 0.2
done; appliance status; journalctl -u appliance -u appliance-stack | tail -n 40; exit 1`);

/** By the configuration that is there. */
function install(host: PackagedHost): void {
  host.sh('appliance install --yes');
  untilStateIsUp(host);
}

/** Its fingerprint, once somebody who trusts the authority alone is answered over HTTPS. */
function servedCertificate({ sh }: PackagedHost, rootFile: string): string {
  const get = `curl -s --cacert ${rootFile} --resolve ${name}:443:127.0.0.1 https://${name}/ip`;
  sh(`for i in $(seq 150); do if [ "$(${get})" = 127.0.0.1 ]; then exit; fi; sleep 0.2; done
appliance status; journalctl -u appliance | tail -n 40; exit 1`);
  return sh(
    `openssl s_client -connect 127.0.0.1:443 -servername ${name} </dev/null 2>/dev/null | openssl x509 -fingerprint -sha256 -noout`,
  );
}

/** Carries a file from one host to another. */
const carry = (from: PackagedHost, path: string, to: PackagedHost, as: string): string =>
  to.sh(`umask 077; base64 -d >${as}`, from.sh(`base64 ${path}`));

/** What may be reached from outside. */
const openToAll = ({ sh }: PackagedHost): readonly string[] =>
  sh('ss -Hltun')
    .trim()
    .split('\n')
    .map((line) => line.split(/\s+/)[4]!)
    .filter((address) => !/^(127\.0\.0\.\d+|\[::1\]):/.test(address))
    .toSorted();

beforeAll(async () => {
  binary = buildBinary();
  old = await dockerHost();
  await startPebbleInside(old);
});
afterAll(() => {
  old?.remove();
  fresh?.remove();
  binary?.remove();
});

describe('a host with containers, people, visits and a certificate', () => {
  it('listens outside where the configuration says so, and nowhere else', () => {
    const { sh } = old;
    sh('appliance secrets init && appliance stack up');
    sh(`cd /etc/appliance/secrets && cp ${pebbleInside.caFile} authority.pem && cat >app.env <<'E'
APP_LISTEN_HOST=::
APP_HTTP_PORT=80
APP_HTTPS_PORT=443
APP_WORKERS=1
APP_KEEP_ADDRESSES=30
APP_METRICS_LISTEN=127.0.0.1:9100
BACKUP_SCHEDULE=off
E
cat >acme.env <<'E'
CERT_DOMAIN=${name}
CERT_EMAIL=admin@example.com
CERT_DIRECTORY_URL=${pebbleInside.directoryUrl}
CERT_CA_FILE=/etc/appliance/secrets/authority.pem
E
chown root:appliance *.env *.pem; chmod 0640 *.env *.pem`);
    install(old);
    served = servedCertificate(old, pebbleInside.rootFile);
    expect(openToAll(old)).toEqual(['*:443', '*:80']);
  });

  it('keeps what was written through the product', () => {
    const { sh } = old;
    sh(`for i in $(seq 20); do ${ask} -H "X-Forwarded-For: 8.8.8.$i"; done`);
    sh(
      `curl -so /dev/null http://127.0.0.1/no -H 'Host: ${name}' -H 'X-Forwarded-For: 2001:4860:4860::8888'`,
    );
    sh('appliance admin user add anna --password-stdin', 'a few words in a row\n');
    sh('appliance db shell', `INSERT INTO settings VALUES ('it''s "mine"', '{"a": [1, null]}', 1, 'anna');`);
    sh('systemctl stop appliance');
    before = stateOf(old);
    // a row for each hour
    const counted = before.tables['visits']!.map((row) =>
      Number(/\tUS\t15169\t2\t(\d+)$/.exec(row)?.[1] ?? 0),
    );
    expect(counted.reduce((sum, visits) => sum + visits, 0)).toBe(20);
    expect(before.tables['kept_addresses']!.length).toBeGreaterThan(20);
    for (const table of ['users', 'audit_log', 'settings', 'certificate_events', 'geoip_editions'])
      expect([table, before.tables[table]![1]]).toEqual([table, expect.stringMatching(/./)]);
    expect(before.files.join('\n')).toMatch(/key\.pem appliance:appliance 600 /);
  });

  it('is in one archive, and on a new empty host it is there again by one command; no secret shows on the way', async () => {
    const secrets = old.sh(
      String.raw`sed -n 's/^\(POSTGRES_PASSWORD\|REDIS_PASS\)=//p' /etc/appliance/secrets/*.env; cat /root/passphrase`,
    );
    const all = secrets.trim().split('\n');
    expect(all.length).toBe(3);
    const made = seenDuring(old, () => {
      old.sh('appliance backup create --passphrase-file /root/passphrase');
      old.sh('appliance backup verify --passphrase-file /root/passphrase');
    });
    archive = old.sh('ls /var/lib/appliance/backups/*.age').trim();
    expect(filesOf(old, archive)[0]).toMatch(/ appliance:appliance 600 /);

    fresh = await dockerHost();
    carry(old, archive, fresh, archiveThere);
    carry(old, pebbleInside.rootFile, fresh, '/root/root.pem');
    const restored = seenDuring(fresh, () => fresh.sh(example('# on a new host\n')));
    expect(made).toContain('--passphrase-file');
    expect(restored).toContain('--passphrase-file');
    for (const secret of all)
      expect([made.includes(secret), restored.includes(secret)]).toEqual([false, false]);
  });
});

describe('the new host', () => {
  it('has the same rows, certificates, keys, passwords, modes and owners', () => {
    expect(stateOf(fresh)).toEqual(before);
    const list = fresh.sh(
      `stat -c '%n %U:%G %a' /var/lib/appliance /var/lib/appliance/backups /etc/appliance/stack`,
    );
    expect(list.trim().split('\n')).toEqual([
      '/var/lib/appliance appliance:appliance 750',
      '/var/lib/appliance/backups appliance:appliance 700',
      '/etc/appliance/stack root:root 700',
    ]);
  });

  it('goes on with its database, its cache and its certificate', () => {
    install(fresh);
    const { state } = JSON.parse(fresh.sh('appliance status --json')) as { state: object };
    expect(state).toMatchObject({ database: { kind: 'postgres' }, cache: { kind: 'redis' } });
    expect(servedCertificate(fresh, '/root/root.pem')).toBe(served);
    expect(fresh.sh('appliance db shell -- -Atc "SELECT count(*) FROM users"')).toBe('1\n');
    expect(fresh.sh('appliance cache shell -- PING')).toBe('PONG\n');
    fresh.sh(ask);
    expect(openToAll(fresh)).toEqual(['*:443', '*:80']);
  });

  it('comes up after a reboot', () => {
    fresh.reboot();
    untilStateIsUp(fresh);
    expect(servedCertificate(fresh, '/root/root.pem')).toBe(served);
  });
});

describe('an archive goes from one kind of database to the other', () => {
  it('into the embedded one, on a host from which everything was deleted', () => {
    const { sh } = old;
    sh(`systemctl disable --now appliance; systemctl stop appliance-stack
docker ps -aq | xargs -r docker rm -f; docker volume ls -q | xargs -r docker volume rm
rm -rf /etc/appliance /var/lib/appliance /run/appliance-stack; userdel appliance`);
    carry(fresh, archiveThere, old, archiveThere);
    sh(example('# on a new host that is to do without containers'));
    expect(tablesOf(old)).toEqual(before.tables);
    const isServers = (line: string) => /\/(postgres|redis)\.(env|password\.conf) /.test(line);
    expect(filesOf(old, ...stateFolders)).toEqual(before.files.filter((line) => !isServers(line)));
    install(old);
    expect(servedCertificate(old, pebbleInside.rootFile)).toBe(served);
    expect(sh('docker ps -aq')).toBe('');
  });

  it('and back into PostgreSQL, under a running service, which then goes back by the copy from before', () => {
    old.sh('appliance admin user add ben --password-stdin', 'quite another password\n');
    old.sh(`for i in 1 2 3; do ${ask} -H 'X-Forwarded-For: 9.9.9.9'; done; systemctl stop appliance`);
    const later = stateOf(old);
    old.sh('appliance backup create --passphrase-file /root/passphrase');
    const newest = `$(appliance backup list --json | sed -n 's/^ *"file": "\\(.*\\)",*$/\\1/p' | head -n 1)`;
    carry(old, newest, fresh, '/root/later');
    const servers = filesOf(fresh, '/etc/appliance/secrets/postgres.env', '/etc/appliance/secrets/redis.env');
    const said = fresh.run('appliance backup restore /root/later --passphrase-file /root/passphrase --yes');
    const told = expect.stringContaining('the running service reads the files again') as string;
    expect([said.status, said.stderr]).toEqual([0, told]);
    untilStateIsUp(fresh);
    const now = stateOf(fresh);
    for (const table of ['users', 'audit_log', 'settings', 'certificate_events', 'visits', 'kept_addresses'])
      expect([table, now.tables[table]]).toEqual([table, later.tables[table]]);
    expect(now.files).toEqual(expect.arrayContaining([...later.files, ...servers]));
    expect(servedCertificate(fresh, '/root/root.pem')).toBe(served);

    const [, goBack] = /to go back: (.*)/.exec(said.stdout)!;
    fresh.sh(`${goBack} --yes`);
    expect(fresh.sh('appliance admin user list')).not.toContain('ben');
  });
});

describe('the guide', () => {
  it('has commands that work as they stand', () => {
    const { sh } = fresh;
    sh(example('sudo appliance secrets init'));
    untilStateIsUp(fresh);
    sh(`rm /root/passphrase; ${example('sudo sh -c')}`);
    expect(sh('appliance backup list')).toMatch(/\.tar\.zst\.age .* proven /);
    expect(fresh.run(example('sudo appliance backup restore')).stderr).toContain('add --yes');
    sh(`${example('sudo appliance backup restore').trim()} --yes`);
    const [, leave] = /`(sudo appliance backup export .*?)`/.exec(guide)!;
    expect(sh(`cd /root && ${leave} && stat -c '%U %a' state.sql`)).toBe('root 600\n');
    untilStateIsUp(fresh);
  });
});
