import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { composeAssetNames, readAsset } from '../../src/core/assets.ts';
import {
  choicesFrom,
  composeRevision,
  haveWrongModes,
  keepChoices,
  readChoices,
  unpackComposeFiles,
} from '../../src/host/stack/compose-files.ts';
import { howToInstall } from '../../src/host/stack/docker.ts';
import { scramVerifier } from '../../src/host/stack/scram-verifier.ts';
import { stackLayout } from '../../src/host/stack/stack-layout.ts';
import { stackServices } from '../../src/host/stack/stack-services.ts';

const root = join(import.meta.dirname, '..', '..');
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'compose-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('what is unpacked', () => {
  it('is all that lies in compose/, readable for the users of the containers', async () => {
    const umask = process.umask(0o077);
    await unpackComposeFiles(folder);
    process.umask(umask);
    const inFolder = (place: string) =>
      readdirSync(place, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => relative(place, join(entry.parentPath, entry.name)))
        .toSorted();
    const unpacked = inFolder(folder).filter((name) => name !== '.written');
    expect(unpacked).toEqual(inFolder(join(root, 'compose')));
    expect(unpacked.map((name) => `compose/${name}`)).toEqual([...composeAssetNames].toSorted());
    for (const name of inFolder(folder)) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o644);
    expect(statSync(join(folder, 'redis')).mode & 0o777).toBe(0o755);
    expect(await haveWrongModes(folder)).toBe(false);
    chmodSync(join(folder, 'redis'), 0o700);
    expect(await haveWrongModes(folder)).toBe(true);
    await unpackComposeFiles(folder);
    expect(await haveWrongModes(folder)).toBe(false);
    expect(await composeRevision(folder)).toMatch(/^[0-9a-f]{16}$/);
  });

  it('keeps a choice of an image for the runs to come, and refuses what is none', async () => {
    expect(await readChoices(folder)).toEqual({});
    await keepChoices(folder, choicesFrom({ REDIS_IMAGE: 'valkey/valkey:9.1.2-trixie', HOME: '/x' }));
    await keepChoices(folder, choicesFrom({ POSTGRES_IMAGE: 'postgres:18.7-trixie' }));
    expect(await readChoices(folder)).toEqual({
      POSTGRES_IMAGE: 'postgres:18.7-trixie',
      REDIS_IMAGE: 'valkey/valkey:9.1.2-trixie',
    });
    expect(() => choicesFrom({ REDIS_IMAGE: 'redis $(id)' })).toThrow('REDIS_IMAGE in the environment');
  });
});

const hasCompose = spawnSync('docker', ['compose', 'version']).status === 0;

describe('the compose file', () => {
  const text = readAsset('compose/compose.yaml').toString('utf8');

  it('pins the images, and takes others', () => {
    for (const [key, image] of [
      ['POSTGRES_IMAGE', String.raw`postgres:18\.\d+-trixie`],
      ['REDIS_IMAGE', String.raw`redis:8\.\d+\.\d+-trixie`],
      ['NGINX_IMAGE', String.raw`nginx:1\.\d+\.\d+-trixie`],
    ]) {
      expect(text).toMatch(new RegExp(`image: \\$\\{${key}:-${image}\\}`));
    }
  });

  it('publishes no port and knows no password', () => {
    expect(text).not.toMatch(/^\s+ports:/m);
    expect(text).not.toMatch(/_PASSWORD:|--requirepass|privileged/);
  });

  // the throw-away host of test/host runs it; here it is asked where Compose happens to be
  it.runIf(hasCompose)('is one that Docker Compose takes', () => {
    const args = [
      'compose',
      '--profile',
      'front',
      '-f',
      join(root, 'compose', 'compose.yaml'),
      'config',
      '--format',
      'json',
    ];
    const { services } = JSON.parse(execFileSync('docker', args, { encoding: 'utf8' })) as {
      services: object;
    };
    expect(Object.keys(services).toSorted()).toEqual(['nginx', 'postgres', 'redis']);
  });
});

describe('the layout of the stack', () => {
  const layout = stackLayout({ installed: true, dataDir: '/var/lib/appliance' });
  const config = {
    postgresHost: layout.postgresHost,
    postgresPort: 5432,
    postgresUser: 'appliance',
    postgresDatabase: 'appliance',
    postgresPassword: 'p',
    redisConnectionType: 'unix',
    redisHosts: [layout.redisSocket],
    redisPassword: 'r',
  } as const;

  it('is refused where no socket would fit', () => {
    expect(() => stackLayout({ installed: false, dataDir: `/${'x'.repeat(100)}` })).toThrow('107 bytes');
  });

  it('tells our servers from those elsewhere', () => {
    expect(stackServices(config, layout)).toEqual({
      postgres: { role: 'appliance', database: 'appliance', password: 'p' },
      redis: { password: 'r' },
    });
    expect(
      stackServices({ ...config, postgresHost: '/run/postgresql', redisHosts: ['cache.example'] }, layout),
    ).toEqual({ postgres: undefined, redis: undefined });
  });

  it.each([
    [{ postgresUser: 'postgres' }, 'POSTGRES_USER cannot be postgres'],
    [{ postgresUser: 'pg_monitor' }, 'POSTGRES_USER cannot be pg_monitor'],
    [{ postgresDatabase: 'template1' }, 'POSTGRES_DB cannot be template1'],
    [{ postgresPort: 5433 }, 'POSTGRES_PORT has to be 5432'],
    [{ postgresPassword: undefined }, 'POSTGRES_PASSWORD is missing'],
    [{ redisPassword: undefined }, 'REDIS_PASS is missing'],
  ])('refuses %j', (change, message) => {
    expect(() => stackServices({ ...config, ...change }, layout)).toThrow(message);
  });
});

describe('how to get Docker with Compose', () => {
  it.each([
    ['ID=ubuntu\nVERSION_ID="24.04"\n', 'sudo apt-get install docker.io docker-compose-v2'],
    ['ID=debian\nVERSION_ID="13"\n', 'sudo apt-get install docker.io docker-cli docker-compose'],
    [
      'ID=debian\nVERSION_ID="12"\n',
      'Debian 12 has no package of it: install docker-ce and docker-compose-plugin',
    ],
    ['ID=arch\n', 'install Docker Engine with its Compose plugin'],
    ['', 'install Docker Engine with its Compose plugin'],
  ])('is said for %j', (release, command) => {
    expect(howToInstall(release)).toContain(command);
  });
});

describe('a verifier', () => {
  it('is the one of RFC 7677 §3 for its password and salt', () => {
    const verifier = scramVerifier('pencil', Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'));
    expect(verifier).toBe(
      'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
    );
  });
});
