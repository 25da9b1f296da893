import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  placeRelease,
  pruneReleases,
  readReleases,
  releaseBinary,
  releaseFolder,
  type ReleaseFiles,
  type ReleasesPlace,
  switchRelease,
} from '../../src/host/install/releases.ts';
import { pendingStart } from '../../src/host/install/pending.ts';
import { releaseStep } from '../../src/host/install/steps/release.ts';

let base: string;
let place: ReleasesPlace;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'releases-'));
  place = { folder: join(base, 'lib', 'appliance'), link: join(base, 'bin', 'appliance') };
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

function release(version: string, text = `binary ${version}`, name = 'uws-00000001.node'): ReleaseFiles {
  const binary = join(base, `given-${version}`);
  writeFileSync(binary, text, { mode: 0o700 });
  return { version, binary, native: { name, content: () => Buffer.from(`native of ${name}`) } };
}

async function install(files: ReleaseFiles): Promise<void> {
  await placeRelease(place, files);
  await switchRelease(place, files.version);
  await pruneReleases(place);
}

describe('a release that is placed', () => {
  it('lies in a folder of its version, with its native file, for all to run', async () => {
    expect(await placeRelease(place, release('0.5.0'))).toBe(true);
    const folder = releaseFolder(place, '0.5.0');
    expect(readdirSync(folder).sort()).toEqual(['appliance', 'uws-00000001.node']);
    for (const path of [folder, join(folder, 'appliance'), join(folder, 'uws-00000001.node')]) {
      expect(statSync(path).mode & 0o777).toBe(0o755);
    }
    expect(readFileSync(join(folder, 'appliance'), 'utf8')).toBe('binary 0.5.0');
    expect(readdirSync(place.folder)).toEqual(['0.5.0']);
  });

  it('is left alone the second time', async () => {
    await placeRelease(place, release('0.5.0'));
    const before = statSync(releaseBinary(place, '0.5.0')).ino;
    expect(await placeRelease(place, release('0.5.0'))).toBe(false);
    expect(statSync(releaseBinary(place, '0.5.0')).ino).toBe(before);
  });

  it('can be placed by the binary that lies there already', async () => {
    const files = release('0.5.0');
    await placeRelease(place, files);
    expect(await placeRelease(place, { ...files, binary: releaseBinary(place, '0.5.0') })).toBe(false);
  });

  it('gets another content of the same version in place, without what the old one had beside it', async () => {
    await placeRelease(place, release('0.5.0'));
    expect(await placeRelease(place, release('0.5.0', 'another', 'uws-00000002.node'))).toBe(true);
    expect(readdirSync(releaseFolder(place, '0.5.0')).sort()).toEqual(['appliance', 'uws-00000002.node']);
    expect(readFileSync(releaseBinary(place, '0.5.0'), 'utf8')).toBe('another');
  });

  it('is put right where somebody changed a mode or took the native file away', async () => {
    const files = release('0.5.0');
    await placeRelease(place, files);
    for (const folder of [releaseFolder(place, '0.5.0'), place.folder]) {
      for (const mode of [0o777, 0o700]) {
        chmodSync(folder, mode);
        expect(await placeRelease(place, files)).toBe(true);
        expect(statSync(folder).mode & 0o777).toBe(0o755);
      }
    }
    rmSync(join(releaseFolder(place, '0.5.0'), files.native.name));
    expect(await placeRelease(place, files)).toBe(true);
    expect(existsSync(join(releaseFolder(place, '0.5.0'), files.native.name))).toBe(true);
  });

  it('takes the place of what a killed run left', async () => {
    mkdirSync(join(place.folder, '.0.5.0.0123456789ab.tmp'), { recursive: true });
    await placeRelease(place, release('0.5.0'));
    expect(readdirSync(place.folder)).toEqual(['0.5.0']);
  });

  it('says what is wrong where its binary is gone', async () => {
    const files = release('0.5.0');
    rmSync(files.binary);
    await expect(placeRelease(place, files)).rejects.toMatchObject({ code: 'store-unreadable' });
  });
});

describe('the look of an install at its own release', () => {
  const look = (files: ReleaseFiles) =>
    releaseStep(place, files, pendingStart(join(base, 'pending'))).look({ willAct: () => false });
  const sums = (hash: string, files: ReleaseFiles) =>
    writeFileSync(join(base, 'SHA256SUMS'), `${hash}  ${basename(files.binary)}\n`);

  it('refuses a binary that the sums beside it do not know', async () => {
    const files = release('0.5.0');
    sums('0'.repeat(64), files);
    await expect(look(files)).rejects.toMatchObject({ code: 'upgrade-damaged', exitCode: 3 });
    sums(createHash('sha256').update('binary 0.5.0').digest('hex'), files);
    expect(await look(files)).toMatchObject({ state: 'to-do', details: [] });
  });

  it('says that it goes back where a later one is in use', async () => {
    await install(release('0.6.0'));
    expect((await look(release('0.5.0'))).details).toEqual([
      '0.5.0 is older than 0.6.0, which is in use: this goes back',
    ]);
    expect((await look(release('0.7.0'))).details).toEqual([]);
  });
});

describe('the link to the release in use', () => {
  it('leads to it, and the one before is the previous one', async () => {
    await install(release('0.5.0'));
    expect(await readReleases(place)).toMatchObject({ link: 'ours', current: '0.5.0', previous: undefined });
    await install(release('0.6.0'));
    expect(readlinkSync(place.link)).toBe(releaseBinary(place, '0.6.0'));
    expect(await readReleases(place)).toMatchObject({ current: '0.6.0', previous: '0.5.0' });
  });

  it('goes back and forth between two', async () => {
    await install(release('0.5.0'));
    await install(release('0.6.0'));
    expect(await switchRelease(place, '0.5.0')).toBe(true);
    expect(await readReleases(place)).toMatchObject({ current: '0.5.0', previous: '0.6.0' });
    expect(await switchRelease(place, '0.5.0')).toBe(false);
  });

  it('takes the place of a binary that was copied there', async () => {
    mkdirSync(join(base, 'bin'));
    writeFileSync(place.link, 'binary 0.5.0');
    expect(await readReleases(place)).toMatchObject({ link: 'file', current: undefined });
    await install({ ...release('0.5.0'), binary: place.link });
    expect(lstatSync(place.link).isSymbolicLink()).toBe(true);
    expect(readFileSync(place.link, 'utf8')).toBe('binary 0.5.0');
  });

  it('is told from one of somebody else', async () => {
    mkdirSync(join(base, 'bin'));
    symlinkSync('/opt/other/appliance', place.link);
    expect((await readReleases(place)).link).toBe('elsewhere');
  });

  it('has a previous one only where that is still there', async () => {
    await install(release('0.5.0'));
    await install(release('0.6.0'));
    rmSync(releaseFolder(place, '0.5.0'), { recursive: true });
    expect(await readReleases(place)).toMatchObject({ previous: undefined, versions: ['0.6.0'] });
  });
});

describe('old releases', () => {
  it('go, but for the last two', async () => {
    for (const version of ['0.9.0', '0.10.0', '0.11.0']) await install(release(version));
    expect(await readReleases(place)).toEqual({
      link: 'ours',
      current: '0.11.0',
      previous: '0.10.0',
      versions: ['0.10.0', '0.11.0'],
    });
  });

  it('stay where nobody knows which one is in use', async () => {
    await placeRelease(place, release('0.5.0'));
    expect(await pruneReleases(place)).toEqual([]);
    expect((await readReleases(place)).versions).toEqual(['0.5.0']);
  });
});
