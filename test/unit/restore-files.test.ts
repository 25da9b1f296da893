import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { openArchive } from '../../src/backup/archive-file.ts';
import { readArchive } from '../../src/backup/archive-reader.ts';
import { type FileTarget, stageFiles } from '../../src/backup/restore-files.ts';
import { Failure } from '../../src/core/errors.ts';
import { honest, type MadeEntry, writeArchive } from '../support/made-archive.ts';

const base = mkdtempSync(join(tmpdir(), 'restore-files-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const { signal } = new AbortController();
const below = 'files/certificates/acme/a.example';
const files: readonly MadeEntry[] = [
  { name: `${below}/certificate.pem`, content: 'chain', mode: 0o644 },
  { name: `${below}/key.pem`, content: 'key', mode: 0o600 },
  { name: 'files/certificates/acme/account.key', content: 'account', mode: 0o600 },
  { name: 'files/certificates/acme/.lock', content: 'of its own moment' },
  { name: 'files/configuration/app.env', content: 'A=b' },
];

let folder: string;
let file: string;
let target: FileTarget;
beforeEach(async () => {
  const place = mkdtempSync(join(base, 'x'));
  folder = join(place, 'certificates');
  file = join(place, 'a.tar.zst');
  await writeArchive(file, [...honest.slice(0, 3), ...files]);
  target = {
    fileClass: 'certificates',
    folder,
    owner: undefined,
    mode: 0o755,
    folderMode: 0o700,
    wants: () => true,
    act: (work) => work(),
  };
});
const staged = async (own = target) => {
  const archive = await openArchive(file, undefined);
  try {
    return await stageFiles(archive, await readArchive(archive, {}), [own], signal);
  } finally {
    await archive.close();
  }
};
const content = (path: string) => readFileSync(join(folder, path), 'utf8');

describe('files of an archive', () => {
  it('lie hidden until all of them are there, and then have their names and modes', async () => {
    const ready = await staged();
    expect(readdirSync(folder)).toEqual(['.restore']);
    expect(ready.leftAlone).toEqual(['certificates/acme/.lock', 'configuration/app.env']);
    await ready.swap();
    expect(readdirSync(folder)).toEqual(['acme']);
    expect(content('acme/a.example/key.pem')).toBe('key');
    const mode = (path: string) => statSync(join(folder, path)).mode & 0o777;
    expect(['acme', 'acme/a.example/key.pem', 'acme/a.example/certificate.pem'].map(mode)).toEqual([
      0o700, 0o600, 0o644,
    ]);
  });

  it('take the place of others, and of a save of the certificate store that was cut off', async () => {
    mkdirSync(join(folder, 'acme/a.example'), { recursive: true });
    for (const name of ['key.pem', 'key.pem.new', 'other.pem'])
      writeFileSync(join(folder, 'acme/a.example', name), 'old');
    await (await staged()).swap();
    expect(readdirSync(join(folder, 'acme/a.example'))).toEqual(['certificate.pem', 'key.pem', 'other.pem']);
    expect(content('acme/a.example/key.pem')).toBe('key');
  });

  it.each([0, 1, 2])(
    'are all in place after another run, where one ended before the rename after %i',
    async (done) => {
      let left = done;
      let swapping = false;
      const ready = await staged({
        ...target,
        act: (work) => (swapping && left-- === 0 ? Promise.reject(new Error('killed')) : work()),
      });
      swapping = true;
      await expect(ready.swap()).rejects.toThrow('killed');
      await (await staged()).swap();
      expect(readdirSync(folder)).toEqual(['acme']);
      for (const [path, text] of [
        ['a.example/certificate.pem', 'chain'],
        ['a.example/key.pem', 'key'],
        ['account.key', 'account'],
      ] as const)
        expect(content(`acme/${path}`)).toBe(text);
    },
  );

  it('are told where this process may not write them, but for those that are there already', async () => {
    mkdirSync(join(folder, 'acme/a.example'), { recursive: true });
    writeFileSync(join(folder, 'acme/a.example/key.pem'), 'key');
    writeFileSync(join(folder, 'acme/account.key'), 'account, longer');
    const ready = await staged({ ...target, isForbidden: true });
    await ready.swap();
    expect([ready.count, ready.forbidden]).toEqual([
      0,
      ['certificates/acme/a.example/certificate.pem', 'certificates/acme/account.key'],
    ]);
    expect(content('acme/account.key')).toBe('account, longer');
    expect(readdirSync(join(folder, 'acme/a.example'))).toEqual(['key.pem']);
  });

  it('are refused where a folder is in the way of one, and nothing is left', async () => {
    mkdirSync(join(folder, 'acme/account.key'), { recursive: true });
    const failure = await staged().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(Failure);
    expect(failure).toMatchObject({ code: 'restore-in-the-way' });
    expect(readdirSync(folder)).toEqual(['acme']);
  });

  it('are refused where the archive changed since it was judged', async () => {
    const archive = await openArchive(file, undefined);
    const read = await readArchive(archive, {});
    await writeArchive(file, [...honest.slice(0, 3), { ...files[0]!, content: 'other' }]);
    await expect(stageFiles(archive, read, [target], signal)).rejects.toMatchObject({
      code: 'backup-damaged',
    });
    await archive.close();
    expect(readdirSync(folder)).toEqual([]);
  });
});
