import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { importedSymbols, newestGlibc, versionNeeds } from '../../build/elf.ts';
import { fitNativeFile, makeNativeFile } from '../../build/native-file.ts';
import { checkoutAssets } from '../../src/core/assets.ts';
import { Failure } from '../../src/core/errors.ts';
import { glibcTooOld, load } from '../../src/http/native.ts';
import { candidateFolders } from '../../src/http/native-file.ts';

const original = readFileSync(
  join(import.meta.dirname, '..', '..', 'node_modules', 'uWebSockets.js', 'uws.node'),
);

describe('the native file that the build makes', () => {
  it('asks for nothing newer than glibc 2.36, where the original asks for 2.38', () => {
    expect(newestGlibc(original)).toEqual([2, 38]);
    expect(newestGlibc(fitNativeFile(original))).toEqual([2, 36]);
  });

  it('asks for the plain functions in place of the three of C23, and for all others as before', () => {
    const names = (file: Buffer) => importedSymbols(file).map((symbol) => symbol.name);
    const before = names(original);
    expect(before.filter((name) => name.startsWith('__isoc23_')).sort()).toEqual([
      '__isoc23_strtol',
      '__isoc23_strtoul',
      '__isoc23_strtoull',
    ]);
    expect(names(fitNativeFile(original))).toEqual(before.map((name) => name.replace('__isoc23_', '')));
  });

  it('asks the same libraries for as many versions as before', () => {
    const libraries = (file: Buffer) => versionNeeds(file).map((need) => need.library);
    expect(libraries(fitNativeFile(original))).toEqual(libraries(original));
  });

  it('is not made of a file that was never examined: one bit is enough', () => {
    const other = Buffer.from(original);
    other[other.length - 1]! ^= 1;
    expect(() => fitNativeFile(other)).toThrow(
      /not the file that was examined: its sha256 is [0-9a-f]{64}, not 177efdc6/,
    );
  });

  it('is made once', () => {
    makeNativeFile();
    const { mtimeMs } = statSync(join(checkoutAssets, 'uws.bin'));
    expect(makeNativeFile()).toBe(false);
    expect(statSync(join(checkoutAssets, 'uws.bin')).mtimeMs).toBe(mtimeMs);
  });

  it('is read as ELF only if it is ELF', () => {
    expect(() => newestGlibc(Buffer.alloc(100))).toThrow('not a 64-bit little-endian ELF file');
    expect(() => newestGlibc(Buffer.alloc(3))).toThrow('not a 64-bit little-endian ELF file');
  });
});

describe('the folders that may hold the native file', () => {
  const folders = (uid: number, env: Record<string, string>) =>
    candidateFolders({ env, uid, execPath: '/usr/local/lib/appliance/1.0.0/appliance' }).map(
      ({ folder }) => folder,
    );

  it('begin with the one of the binary, which is never written to', () => {
    const [first, ...others] = candidateFolders({ env: {}, uid: 0, execPath: '/opt/a/appliance' });
    expect(first).toMatchObject({ folder: '/opt/a', ours: false });
    expect(others.every(({ ours }) => ours)).toBe(true);
  });

  it('are then the own ones of the user', () => {
    const env = { XDG_CACHE_HOME: '/x', HOME: '/home/u', XDG_RUNTIME_DIR: '/run/user/7' };
    expect(folders(7, env)).toEqual([
      '/usr/local/lib/appliance/1.0.0',
      '/x/appliance',
      '/home/u/.cache/appliance',
      '/run/user/7/appliance',
      '/var/tmp/appliance-7',
      '/dev/shm/appliance-7',
      '/tmp/appliance-7',
      '/run/appliance-7',
    ]);
  });

  it("are never in somebody else's home when root runs it", () => {
    expect(folders(0, { XDG_CACHE_HOME: '/home/u/x', HOME: '/home/u' }).join()).not.toContain('/home');
  });

  it('are absolute, whatever the environment says', () => {
    expect(folders(7, { XDG_CACHE_HOME: 'x', HOME: '' })).toHaveLength(5);
  });
});

describe('what a person is told when the native file cannot be loaded', () => {
  it('names the glibc that was found, the one that is needed and the systems that have it', () => {
    const failure = glibcTooOld('2.31');
    expect(failure.message).toBe('this host is too old: it has glibc 2.31, and 2.36 is needed');
    expect(failure.remedy).toBe('use Ubuntu 24.04 or later, or Debian 12 or later');
  });

  it('names every folder tried and why it was passed over', () => {
    const folders = ['/proc/nowhere/appliance', '/dev/null'].map((folder) => ({
      folder,
      file: 'uws.node',
      ours: true,
    }));
    let failure: unknown;
    try {
      load(folders);
    } catch (error) {
      failure = error;
    }
    expect(failure).toBeInstanceOf(Failure);
    expect((failure as Failure).message).toMatch(
      /\n {2}\/proc\/nowhere\/appliance: ENOENT.*\n {2}\/dev\/null: is not a folder/,
    );
    expect((failure as Failure).remedy).toContain('noexec');
  });
});
