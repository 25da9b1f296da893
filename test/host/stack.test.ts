import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { postgresImage, redisImage } from './container-images.ts';
import { frontImage, stackImages } from './image-archive.ts';
import { bootPackagedHost, buildBinary, type PackagedHost, seenDuring } from './packaged-host.ts';
import type { Ended } from './throwaway-host.ts';

const print = (line: string) => console.log(`  │ ${line}`);
/** The next major version, and who speaks the same. */
const otherImages = [
  postgresImage('19.0-trixie', '19'),
  { ...redisImage('9'), name: 'valkey/valkey:9.1.2-trixie' },
];
let host: PackagedHost;
const sh = (script: string, input?: string): string => host.sh(script, input);

const secretsFolder = '/etc/appliance/secrets';

const valueOf = (file: string, key: string) => sh(`sed -n 's/^${key}=//p' ${secretsFolder}/${file}`).trim();
const passwords = () => [valueOf('postgres.env', 'POSTGRES_PASSWORD'), valueOf('redis.env', 'REDIS_PASS')];

/** Docker's own account of a container. */
interface Inspected {
  readonly Config: { readonly User: string; readonly Env: readonly string[]; readonly StopTimeout: number };
  readonly HostConfig: {
    readonly CapAdd: readonly string[] | null;
    readonly CapDrop: readonly string[];
    readonly SecurityOpt: readonly string[];
    readonly ReadonlyRootfs: boolean;
    readonly Privileged: boolean;
    readonly NetworkMode: string;
    readonly PortBindings: object;
    readonly RestartPolicy: { readonly Name: string };
    readonly LogConfig: { readonly Type: string; readonly Config: object };
  };
  readonly Mounts: readonly { readonly Destination: string; readonly RW: boolean }[];
}
const inspect = (service: string): Inspected =>
  (JSON.parse(sh(`docker inspect appliance-${service}-1`)) as Inspected[])[0]!;

/** What a process of that user gets when it knocks at a socket. */
const knock = (user: string, socket: string): Ended =>
  host.run(
    `setpriv ${user} perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Peer => shift) ? print("in") : print("$!")' ${socket}`,
  );
const sockets = ['/run/appliance-stack/postgres/.s.PGSQL.5432', '/run/appliance-stack/redis/redis.sock'];

beforeAll(async () => {
  const binary = buildBinary();
  host = await bootPackagedHost('docker', binary, print).finally(binary.remove);
  await host.load(...stackImages, frontImage, ...otherImages);
});
afterAll(() => host?.remove());

describe('the stack', () => {
  it('needs secrets first, and says how to make them', () => {
    const { status, stderr } = host.run('appliance stack up');
    expect([status, stderr]).toEqual([2, expect.stringContaining('"appliance secrets init"')]);
    expect(host.run('appliance stack ps').stdout).toBe('there are no containers\n');
    expect(host.run('appliance db shell').status).toBe(2);
  });

  it('comes up, and no password shows in arguments, environments and docker inspect on the way', () => {
    const all: string[] = [];
    const seen = seenDuring(host, () => {
      sh('appliance secrets init');
      sh('appliance stack up');
      all.push(...passwords());
      sh('appliance stack up && appliance stack ps --json && appliance stack logs');
      sh(
        `appliance db shell -- -c 'SELECT 1'; appliance cache shell -- PING; echo 'GET a' | appliance cache shell`,
      );
      sh('appliance secrets rotate');
      sh('appliance stack down && appliance stack up');
      all.push(...passwords());
    });
    expect(seen).toContain('POSTGRES_PASSWORD=SCRAM-SHA-256$4096:');
    expect(seen).toContain('--askpass');
    expect(new Set(all).size).toBe(4);
    for (const password of all) {
      expect(password).toMatch(/^[\w-]{43}$/);
      expect(seen.includes(password)).toBe(false);
    }
  });

  it('keeps each secret for the one who needs it', () => {
    const list = sh(
      `stat -c '%n %U:%G %a' ${secretsFolder} ${secretsFolder}/*; stat -c '%n %u %a' /etc/appliance/stack /etc/appliance/stack/* /etc/appliance/stack/*/*`,
    );
    expect(list.trim().split('\n')).toEqual([
      `${secretsFolder} root:appliance 750`,
      `${secretsFolder}/postgres.env root:appliance 640`,
      `${secretsFolder}/redis.env root:appliance 640`,
      `${secretsFolder}/redis.password.conf root:appliance 640`,
      '/etc/appliance/stack 0 700',
      '/etc/appliance/stack/postgres 999 500',
      '/etc/appliance/stack/redis 999 500',
      '/etc/appliance/stack/postgres/superuser.verifier 999 400',
      '/etc/appliance/stack/redis/redis.password.conf 999 400',
    ]);
  });

  it('is met over its sockets by the service, and by no other user, not even one with the number of its own', () => {
    for (const socket of sockets) {
      expect(knock('--reuid appliance --regid appliance --init-groups', socket).stdout).toBe('in');
      expect(knock('--reuid nobody --regid nogroup --clear-groups', socket).stdout).toBe('Permission denied');
      expect(knock('--reuid 999 --regid 999 --clear-groups', socket).stdout).toBe('Permission denied');
    }
  });

  it('is hardened, as docker inspect tells', () => {
    for (const service of ['postgres', 'redis']) {
      const { Config, HostConfig, Mounts } = inspect(service);
      expect(Config.User).toBe('999:999');
      expect(HostConfig).toMatchObject({
        CapAdd: null,
        CapDrop: ['ALL'],
        SecurityOpt: ['no-new-privileges:true'],
        ReadonlyRootfs: true,
        Privileged: false,
        NetworkMode: 'none',
        PortBindings: {},
        RestartPolicy: { Name: 'unless-stopped' },
        LogConfig: { Type: 'json-file', Config: { 'max-file': '4', 'max-size': '256m' } },
      });
      expect(Mounts.find(({ Destination }) => Destination === '/run/secrets')?.RW).toBe(false);
      const status = sh(`docker exec appliance-${service}-1 cat /proc/1/status`);
      expect(status).toMatch(/^CapBnd:\t0+$/m);
      expect(status).toMatch(/^NoNewPrivs:\t1$/m);
      expect(host.run(`docker exec appliance-${service}-1 touch /usr/x /x`).status).not.toBe(0);
    }
    expect(inspect('postgres').Config.StopTimeout).toBe(60);
    // Docker itself has something to say on loopback
    const listening = sh('ss -Hltun').trim().split('\n');
    expect(listening.filter((line) => line !== '' && !/ 127\.0\.0\.1:\d+ /.test(line))).toEqual([]);
  });

  it('lets the service be no more than the owner of its database', () => {
    const select = `SELECT rolsuper, rolcreaterole, rolcreatedb, rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_roles JOIN pg_authid USING (rolname) WHERE rolname = 'appliance'`;
    const psql = 'docker exec -i appliance-postgres-1 psql -At -U postgres';
    const authid = select.replace('pg_roles JOIN pg_authid USING (rolname)', 'pg_authid');
    expect(sh(`${psql} <<'E'\n${authid};\nE`).trim()).toBe('f|f|f|t');
    expect(sh('appliance db shell -- -Atc "SELECT current_user, current_database()"').trim()).toBe(
      'appliance|appliance',
    );
    const asRole = 'docker exec appliance-postgres-1 psql -w -U appliance -c "SELECT 1"';
    expect(host.run(asRole).stderr).toContain('no password supplied');
  });

  it('has a cache that writes nothing down and drops nothing', () => {
    const config = sh('appliance cache shell -- CONFIG GET save appendonly maxmemory maxmemory-policy port');
    const words = config.trim().split('\n');
    const settings = Object.fromEntries(
      words.flatMap((word, at) => (at % 2 === 0 ? [[word, words[at + 1] ?? '']] : [])),
    );
    expect(settings).toEqual({
      save: '',
      appendonly: 'no',
      maxmemory: '268435456',
      'maxmemory-policy': 'noeviction',
      port: '0',
    });
  });

  it('gives scripts the exit codes of the clients in it', () => {
    expect(host.run('appliance db shell -- -c "SELECT nonsense"').status).toBe(1);
    expect(
      sh('appliance db shell', 'CREATE TABLE kept (i int); INSERT INTO kept VALUES (1), (2);\n'),
    ).toContain('INSERT 0 2');
    expect(sh('appliance cache shell', `SET a "b 'c"\nGET a\n`)).toBe(`OK\nb 'c\n`);
  });

  it('takes the new passwords after a restart of the containers', () => {
    sh(
      'appliance secrets rotate && docker restart appliance-redis-1 appliance-postgres-1 && appliance stack up',
    );
    expect(sh('appliance cache shell -- PING')).toBe('PONG\n');
    sh('appliance secrets rotate');
  });

  it('puts right what was changed by hand', () => {
    sh(`sed -i 's/^REDIS_PASS=.*/REDIS_PASS=by-hand/' ${secretsFolder}/redis.env`);
    sh(`echo 'requirepass by-hand' >${secretsFolder}/redis.password.conf`);
    sh(
      `sed -i "s/^POSTGRES_PASSWORD=.*/POSTGRES_PASSWORD='it is \\"mine\\" \\$now'/" ${secretsFolder}/postgres.env`,
    );
    expect(sh('appliance stack up 2>&1')).toContain('restarting redis, whose password is another now');
    expect(sh('appliance cache shell -- PING')).toBe('PONG\n');
    sh('appliance secrets rotate');
  });

  it('does nothing where nothing is to do', () => {
    const ids = () => sh('docker ps -q --no-trunc');
    const before = ids();
    sh('appliance stack up');
    expect(ids()).toBe(before);
    expect(sh('appliance secrets init')).toContain('has all that the containers need');
  });

  it('refuses secrets that others may read', () => {
    sh(`chmod 0644 ${secretsFolder}/redis.env`);
    for (const command of ['stack up', 'secrets init', 'secrets rotate']) {
      const { status, stderr } = host.run(`appliance ${command}`);
      expect([command, status]).toEqual([command, 2]);
      expect(stderr).toContain(`chmod 0640 ${secretsFolder}/redis.env`);
    }
    sh(`chmod 0640 ${secretsFolder}/redis.env`);
  });

  it('does not start another major version over the data of this one', () => {
    const { status, stderr } = host.run('POSTGRES_IMAGE=postgres:19.0-trixie appliance stack up');
    expect(status).toBe(2);
    expect(stderr).toContain('the image postgres:19.0-trixie has PostgreSQL 19');
    expect(stderr).toContain('stack upgrade-postgres --image postgres:19.0-trixie');
    expect(sh('appliance stack up')).toContain('postgres:18.6-trixie');
  });

  it('says which image is missing, and how it comes here', () => {
    const { status, stderr } = host.run('REDIS_IMAGE=redis:8.8.2-trixie appliance stack up');
    expect(status).toBe(3);
    expect(stderr).toContain('docker save redis:8.8.2-trixie');
  });

  it('remembers another image that was chosen once', () => {
    expect(sh('REDIS_IMAGE=valkey/valkey:9.1.2-trixie appliance stack up')).toContain(
      'valkey/valkey:9.1.2-trixie',
    );
    expect(sh('appliance stack up')).toContain('valkey/valkey:9.1.2-trixie');
  });

  it('has a front that hands requests on, when it is asked for', () => {
    expect(sh('appliance stack up --front')).toMatch(/nginx +healthy/);
    expect(sh('curl -s -o /dev/null -w "%{http_code}" http://127.0.0.1/')).toBe('502');
    const { Config, HostConfig } = inspect('nginx');
    expect(HostConfig).toMatchObject({ CapDrop: ['ALL'], ReadonlyRootfs: true, NetworkMode: 'host' });
    expect(Config.Env.some((each) => /pass/i.test(each))).toBe(false);
    sh(
      'appliance serve & until curl -fso /dev/null http://127.0.0.1:8080/health/live; do sleep 0.2; done; test "$(curl -s http://127.0.0.1/ip)" = 127.0.0.1; kill $!; wait',
    );
    sh('appliance stack down');
    expect(sh('appliance stack ps')).toBe('there are no containers\n');
    sh('appliance stack up');
  });

  it('moves to the next major version by a copy into a volume of its own, and keeps the old one', () => {
    const run = (sql: string) => sh('appliance db shell', sql);
    run(
      `CREATE TABLE "odd ""name" (v jsonb, at timestamptz); INSERT INTO "odd ""name" SELECT '{"a": 1}', now() FROM generate_series(1, 5000);`,
    );
    sh(
      `docker exec -i appliance-postgres-1 psql -q -U postgres <<'E'\nCREATE ROLE reader LOGIN PASSWORD 'x';\nCREATE DATABASE "other's = one" OWNER reader;\nE`,
    );
    const upgrade = 'appliance stack upgrade-postgres --image';
    expect(host.run(`${upgrade} postgres:18.6-trixie`).stderr).toContain('no newer major version than 18');
    const out = sh(`${upgrade} postgres:19.0-trixie 2>&1`);
    expect(out).toContain('counting rows on both sides');
    expect(out).toContain('the old data is still in appliance-postgres-18');
    expect(sh('appliance stack ps')).toMatch(/postgres +healthy +postgres:19.0-trixie/);
    expect(sh('docker volume ls -q').trim().split('\n')).toEqual([
      'appliance-postgres-18',
      'appliance-postgres-19',
    ]);
    expect(sh(`appliance db shell -- -Atc 'SELECT count(*) FROM "odd ""name"'`).trim()).toBe('5000');
    expect(
      sh(
        'docker exec appliance-postgres-1 psql -U postgres -Atc "SELECT datname, pg_get_userbyid(datdba) FROM pg_database ORDER BY 1"',
      ),
    ).toContain("other's = one|reader");
    expect(sh('docker ps -aq').trim().split('\n')).toHaveLength(2);
    sh('appliance secrets rotate postgres && appliance stack down && appliance stack up');
    expect(sh('appliance db shell -- -Atc "SELECT count(*) FROM kept"').trim()).toBe('2');
  });

  it('starts the move over where it was killed', () => {
    const back = `printf 'POSTGRES_VOLUME=appliance-postgres-18\\n' >/etc/appliance/compose/.env; docker volume rm appliance-postgres-19`;
    for (const seconds of [1, 2.5, 4, 5]) {
      sh(`appliance stack down; ${back}; appliance stack up`);
      host.run(`timeout -s KILL ${seconds} appliance stack upgrade-postgres --image postgres:19.0-trixie`);
      sh('appliance stack up && appliance stack upgrade-postgres --image postgres:19.0-trixie');
      expect(sh('appliance db shell -- -Atc "SELECT count(*) FROM kept"').trim()).toBe('2');
    }
  });

  it('is there again after a reboot, with its data', () => {
    host.reboot();
    sh('appliance stack up');
    expect(sh('appliance db shell -- -Atc "SELECT count(*) FROM kept"').trim()).toBe('2');
    sh('appliance secrets rotate');
  });

  it('lives below the data folder where it is not installed, whatever that is called', () => {
    sh('appliance stack down && mv /etc/appliance /etc/appliance.kept');
    const data = `/srv/it's "my" $data`;
    const run = (command: string) =>
      sh(
        'cd /srv && APP_DATA_DIR="$1" COMPOSE_PROJECT_NAME=other appliance '.replace(
          '"$1"',
          `'${data.replaceAll("'", String.raw`'\''`)}'`,
        ) + command,
      );
    sh(`mkdir -p '${data.replaceAll("'", String.raw`'\''`)}'`);
    run('secrets init --secrets-dir ./secrets');
    run('stack up --secrets-dir ./secrets');
    expect(run('cache shell --secrets-dir ./secrets -- PING')).toBe('PONG\n');
    run('secrets rotate --secrets-dir ./secrets');
    run('stack down --secrets-dir ./secrets');
    sh('mv /etc/appliance.kept /etc/appliance');
  });
});

describe('where Docker is not as it should be, the stack says what to do', () => {
  it.each([
    [
      'is missing',
      'mv /usr/bin/docker /root/',
      'mv /root/docker /usr/bin/',
      'docker is not installed',
      'docker.io docker-cli docker-compose',
    ],
    [
      'has no Compose',
      'mv /usr/libexec/docker/cli-plugins /root/',
      'mv /root/cli-plugins /usr/libexec/docker/',
      'docker has no "docker compose"',
      'docker-compose',
    ],
  ])('when it %s', (_, before, after, message, packages) => {
    sh(before);
    const { status, stderr } = host.run('appliance stack up');
    sh(after);
    expect(status).toBe(3);
    expect(stderr).toContain(message);
    expect(stderr).toContain(`apt-get install ${packages}`);
  });

  it('when the engine is stopped', () => {
    sh('systemctl stop docker.socket docker.service');
    const { status, stderr } = host.run('appliance stack ps');
    sh('systemctl start docker.service');
    expect([status, stderr]).toEqual([3, expect.stringContaining('systemctl start docker')]);
  });

  it('when the user may not use it', () => {
    const nobody = 'setpriv --reuid nobody --regid nogroup --clear-groups';
    const { status, stderr } = host.run(
      `mkdir -m 0755 /srv/empty; HOME=/srv/empty ${nobody} appliance stack ps --secrets-dir /srv/empty --data-dir /tmp/x`,
    );
    expect([status, stderr]).toEqual([3, expect.stringContaining('this user may not use docker')]);
    expect(stderr).toContain('to do: use sudo');
  });
});
