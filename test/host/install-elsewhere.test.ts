import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { difference, namesOf } from './host-files.ts';
import { imageArchive, stackImages } from './image-archive.ts';
import { bootInstallHost, type InstallHost, type Run } from './install-host.ts';

const print = (line: string) => console.log(`  │ ${line}`);
let host: InstallHost;

const mustSucceed = ({ status, stdout, stderr }: Run) =>
  expect(`${status}\n${status === 0 ? '' : stdout + stderr}`).toBe('0\n');

const stateKinds = () => {
  const { state } = JSON.parse(host.sh('appliance status --json')) as {
    state: Record<'database' | 'cache', { kind: string }>;
  };
  return [state.database.kind, state.cache.kind];
};

describe('a host without Docker', () => {
  beforeAll(async () => {
    host = await bootInstallHost('bare', print);
  });
  afterAll(() => host?.remove());

  it('does without containers, and without a domain gets a certificate for its address', async () => {
    const bare = namesOf(host);
    mustSucceed(await host.install(`${host.authority} --no-containers --yes`));
    expect(await host.whoami()).toBe(host.callers[0]);
    expect(stateKinds()).toEqual(['sqlite', 'embedded']);
    host.sh('appliance uninstall --purge --yes');
    expect(difference(bare, namesOf(host))).toEqual([]);
  });

  it("gets Docker from the distribution's packages, and the images out of a file", async () => {
    host.put(await imageArchive(stackImages, print), '/root/images.tar', '0644');
    const flags = `--domain ${host.name} --email admin@example.com --images /root/images.tar --yes`;
    const installed = await host.install(`${host.authority} ${flags}`);
    mustSucceed(installed);
    print(`install with Docker's packages took ${(installed.tookMs / 1000).toFixed(1)} s`);
    expect(await host.whoami(host.name)).toBe(host.callers[0]);
    expect(stateKinds()).toEqual(['postgres', 'redis']);
    expect(host.sh('appliance stack ps')).toMatch(/postgres +healthy/);
  });
});

describe('Debian 12, whose Docker has no Compose v2', () => {
  beforeAll(async () => {
    host = await bootInstallHost('debian-12', print);
  });
  afterAll(() => host?.remove());

  it('is told so, with the remedy, where containers are wanted, and nothing is changed', async () => {
    const bare = namesOf(host);
    const { status, stdout, stderr } = await host.install(`${host.authority} --domain ${host.name} --yes`);
    expect([status, stdout]).toEqual([3, expect.any(String)]);
    expect(stderr).toMatch(/compose/i);
    expect(stderr).toContain('--no-containers');
    expect(difference(bare, namesOf(host))).toEqual([]);
  });

  it('serves without them, and after the power failed', async () => {
    mustSucceed(await host.install(`${host.authority} --domain ${host.name} --no-containers --yes`));
    expect(await host.whoami(host.name)).toBe(host.callers[0]);
    await host.powerCut(host.name);
    expect(await host.whoami(host.name)).toBe(host.callers[0]);
  });
});
