import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { applyUninstall, planUninstall, type UninstallOptions } from '../../src/host/install/uninstall.ts';
import { runProgram } from '../../src/host/run-program.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'uninstall-'));
  put('/etc/passwd', 'root:x:0:0:root:/root:/bin/bash\n');
  put('/etc/group', 'root:x:0:\n');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function put(path: string, text = ''): void {
  mkdirSync(dirname(root + path), { recursive: true });
  writeFileSync(root + path, text);
}
const record = (path: string, text: string) =>
  put('/usr/local/lib/appliance/.written', `${createHash('sha256').update(text).digest('hex')}  ${path}\n`);
/** Neither systemd nor Docker is there; files are removed by the real rm(1). */
const options = (purge: boolean): UninstallOptions => ({
  purge,
  dataFolder: '/var/lib/appliance',
  root,
  run: (file, ...rest) =>
    file === 'rm' ? runProgram(file, ...rest) : Promise.resolve({ exitCode: 127, stdout: '', stderr: '' }),
});
const sysctl = '/etc/sysctl.d/60-appliance.conf';

describe('an uninstall', () => {
  it('takes the setting of the kernel away where it is as it was written', async () => {
    put(sysctl, 'ours\n');
    record(sysctl, 'ours\n');
    const plan = await planUninstall(options(false));
    expect(plan.steps.map(({ name }) => name)).toContain('restore-kernel-setting');
    await applyUninstall(plan, () => {});
    expect(existsSync(root + sysctl)).toBe(false);
  });

  it.each([true, false])('leaves one that its owner wrote, and names it (purge: %j)', async (purge) => {
    put(sysctl, 'vm.swappiness=1\n');
    record(sysctl, 'ours\n');
    const plan = await planUninstall(options(purge));
    expect(plan.stays).toContainEqual(expect.stringContaining(sysctl));
    expect((await applyUninstall(plan, () => {})).failed).toEqual([]);
    expect(existsSync(root + sysctl)).toBe(true);
  });

  it('leaves what others put beside the compose files, and names it', async () => {
    put('/etc/appliance/compose/compose.yaml');
    put('/etc/appliance/compose/redis/redis.conf');
    put('/etc/appliance/compose/mine.yaml');
    const plan = await planUninstall(options(false));
    expect(plan.stays).toContainEqual(expect.stringContaining('/etc/appliance/compose/mine.yaml'));
    await applyUninstall(plan, () => {});
    expect(
      ['compose.yaml', 'redis', 'mine.yaml'].map((name) =>
        existsSync(`${root}/etc/appliance/compose/${name}`),
      ),
    ).toEqual([false, false, true]);
  });

  it('takes what a killed upgrade left half written, and no other data', async () => {
    const data = '/var/lib/appliance';
    const cutOff = `${data}/.last-upgrade.json.0123456789ab.tmp`;
    const kept = [`${data}/last-upgrade.json`, `${data}/state.sqlite`, `${data}/.mine`];
    for (const path of [cutOff, '/usr/local/lib/appliance/.candidate/appliance', ...kept]) put(path);
    await applyUninstall(await planUninstall(options(false)), () => {});
    expect(existsSync(root + cutOff)).toBe(false);
    expect(existsSync(`${root}/usr/local/lib/appliance`)).toBe(false);
    expect(kept.filter((path) => !existsSync(root + path))).toEqual([]);
  });

  it('names what others keep in its folders before a purge deletes it', async () => {
    for (const path of [
      '/etc/appliance/notes.txt',
      '/etc/appliance/compose/compose.yaml',
      '/etc/appliance/compose/mine.yaml',
      '/etc/appliance/secrets/app.env',
      '/etc/appliance/secrets/.lock',
      '/etc/appliance/secrets/shop.key',
      '/var/lib/appliance/state.sqlite',
      '/var/lib/appliance/state.sqlite-wal',
      '/var/lib/appliance/last-upgrade.json',
      '/var/lib/appliance/photos/one',
    ])
      put(path);
    const { steps } = await planUninstall(options(true));
    const foreign = (name: string) =>
      steps.find((step) => step.name === name)?.does.split('did not make: ')[1];
    expect(foreign('remove-configuration')).toBe('/etc/appliance/notes.txt, /etc/appliance/secrets/shop.key');
    expect(foreign('remove-data')).toBe('/var/lib/appliance/photos');
    expect(foreign('remove-compose-files')).toBe('/etc/appliance/compose/mine.yaml');
  });

  it.each([
    [
      1,
      'unknown',
      /appliance-postgres-18.*with the file of the release: sudo \.\/appliance uninstall --purge$/,
    ],
    [127, 'stays', /appliance-postgres-18.*Docker is gone$/],
  ] as const)(
    'tells of a volume that a purge could not delete, each time (%j)',
    async (exitCode, where, words) => {
      const ask = async () => {
        const plan = await planUninstall({
          ...options(true),
          run: () => Promise.resolve({ exitCode, stdout: '', stderr: '' }),
        });
        return [plan.steps, plan[where]];
      };
      put('/var/lib/docker/volumes/shop/_data');
      expect(await ask()).toEqual([[], []]);
      put('/var/lib/docker/volumes/appliance-postgres-18/_data');
      expect(await ask()).toEqual([[], [expect.stringMatching(words)]]);
    },
  );
});
