import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ReleasesPlace, releaseBinary, switchRelease } from '../../src/host/install/releases.ts';
import { type ServiceLook, type ServiceSeen, settle } from '../../src/host/upgrade/settle.ts';

let base: string;
let place: ReleasesPlace;
let steps: string[];
beforeEach(async () => {
  base = mkdtempSync(join(tmpdir(), 'settle-'));
  place = { folder: join(base, 'lib'), link: join(base, 'bin', 'appliance') };
  steps = [];
  for (const version of ['1.0.0', '1.1.0']) {
    mkdirSync(join(place.folder, version), { recursive: true });
    writeFileSync(releaseBinary(place, version), `#!/bin/sh\necho ${version} renewed its files\n`, {
      mode: 0o755,
    });
  }
  await switchRelease(place, '1.0.0');
  mkdirSync(join(place.folder, '.candidate'));
  symlinkSync('x', join(base, 'bin', '.appliance.0123456789ab.tmp'));
});
afterEach(() => rmSync(base, { recursive: true }));

const last = (outcome: string) => ({ from: '1.0.0', to: '1.1.0', outcome });
const old: ServiceSeen = { version: '1.0.0' };
/** The service as it is seen look by look; the last stays. */
const settleWith = (...looks: readonly ServiceLook[]) => {
  let at = 0;
  return settle({
    place,
    from: '1.0.0',
    look: async () => looks[Math.min(at++, looks.length - 1)],
    progress: (step) => steps.push(step),
    patience: { lookEveryMs: 1, handOverMs: 2000, lastWordsMs: 100 },
  });
};
const linked = () => readlinkSync(place.link);
const has = (version: string) => existsSync(releaseBinary(place, version));

describe('an upgrade that was killed', () => {
  it('is finished once the service has handed over', async () => {
    const found = await settleWith(
      { ...old, upgrading: true, lastUpgrade: last('under-way') },
      'silent',
      { version: '1.1.0', lastUpgrade: last('interrupted') },
      { version: '1.1.0', lastUpgrade: last('done') },
    );
    expect(found).toEqual({ from: '1.0.0', to: '1.1.0', running: true });
    expect(linked()).toBe(releaseBinary(place, '1.1.0'));
    expect(steps).toEqual([
      'waiting for the service, which goes back by itself, or has just handed over',
      'the link leads to 1.1.0, which serves',
      '1.1.0 renewed its files',
    ]);
    expect([has('1.0.0'), has('1.1.0')]).toEqual([true, true]);
  });

  it('leaves all as before where the service went back', async () => {
    const looks = [
      { ...old, upgrading: true },
      { ...old, lastUpgrade: last('went-back') },
    ];
    expect(await settleWith(...looks)).toBeUndefined();
    expect(linked()).toBe(releaseBinary(place, '1.0.0'));
    expect([has('1.0.0'), has('1.1.0')]).toEqual([true, false]);
    expect(steps).toContain('1.0.0 serves, and is installed');
  });

  it.each([
    ['that serves it', { version: '1.1.0' }, true],
    ['that does not run', undefined, false],
  ])('whose link leads to the new release is done, beside a service %s', async (_, seen, running) => {
    await switchRelease(place, '1.1.0');
    expect(await settleWith(seen)).toEqual({ from: '1.0.0', to: '1.1.0', running });
    expect(steps).toContain('1.1.0 renewed its files');
  });

  it('waits for an older service that does not tell that it hands over', async () => {
    const looks = [
      { ...old, lastUpgrade: last('under-way') },
      { version: '1.1.0', lastUpgrade: last('done') },
    ];
    expect(await settleWith(...looks)).toMatchObject({ to: '1.1.0' });
  });

  it('changes nothing where the service never answers', async () => {
    expect(await settleWith('silent')).toBeUndefined();
    expect(linked()).toBe(releaseBinary(place, '1.0.0'));
    expect([has('1.0.0'), has('1.1.0')]).toEqual([true, true]);
    expect(steps).toContain('the service does not answer; 1.0.0 is installed');
  });

  it.each([
    ['kept nothing of it', { version: '1.1.0' }],
    ['says for long that it was cut off', { version: '1.1.0', lastUpgrade: last('interrupted') }],
    ['took over from another', { version: '1.1.0', lastUpgrade: { ...last('done'), from: '0.9.0' } }],
  ])('leaves the link, and the release that serves, where that one %s', async (_, seen) => {
    expect(await settleWith(seen)).toBeUndefined();
    expect(linked()).toBe(releaseBinary(place, '1.0.0'));
    expect([has('1.0.0'), has('1.1.0')]).toEqual([true, true]);
    expect(steps).toContain('1.1.0 serves, and 1.0.0 is installed');
  });

  it.each([
    ['that serves', old],
    ['that does not run', undefined],
  ])('leaves nothing half written beside a service %s', async (_, seen) => {
    await settleWith(seen);
    expect(existsSync(join(place.folder, '.candidate'))).toBe(false);
    expect(() => readlinkSync(join(base, 'bin', '.appliance.0123456789ab.tmp'))).toThrow('ENOENT');
  });
});
