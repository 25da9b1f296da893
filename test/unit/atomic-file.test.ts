import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  makeFolder,
  removeLeftovers,
  temporaryName,
  writeFileAtomically,
} from '../../src/core/atomic-file.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'atomic-file-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('a file that is written atomically', () => {
  it('has the content and the mode that were given, whatever the umask and the mode before', async () => {
    const path = join(folder, 'file');
    writeFileSync(path, 'old', { mode: 0o644 });
    const umask = process.umask(0o077);
    try {
      await writeFileAtomically(path, 'new', 0o640);
    } finally {
      process.umask(umask);
    }
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(statSync(path).mode & 0o777).toBe(0o640);
    expect(readdirSync(folder)).toEqual(['file']);
  });

  it('takes the place of a link and leaves alone what the link meant', async () => {
    writeFileSync(join(folder, 'elsewhere'), 'old');
    symlinkSync('elsewhere', join(folder, 'file'));
    await writeFileAtomically(join(folder, 'file'), 'new', 0o600);
    expect(readFileSync(join(folder, 'elsewhere'), 'utf8')).toBe('old');
    expect(readFileSync(join(folder, 'file'), 'utf8')).toBe('new');
  });

  it('may have the longest name there is', async () => {
    const path = join(folder, 'x'.repeat(255));
    await writeFileAtomically(path, Uint8Array.of(1, 2), 0o600);
    expect([...readFileSync(path)]).toEqual([1, 2]);
  });

  it.each([
    ['a folder is in its place', (path: string) => mkdirSync(path), /illegal operation on a directory/],
    [
      'a file is in its folder’s place',
      (path: string) => writeFileSync(join(path, '..'), ''),
      /not a directory/,
    ],
    ['its folder is missing', () => undefined, /no such file or directory/],
  ])('is refused by name where %s, and nothing is left', async (what, prepare, reason) => {
    const inside = join(folder, 'inside');
    if (what.startsWith('a folder')) mkdirSync(inside);
    const path = join(inside, 'file');
    prepare(path);
    const before = readdirSync(folder, { recursive: true });
    await expect(writeFileAtomically(path, 'new', 0o600)).rejects.toMatchObject({
      code: 'store-unwritable',
      message: expect.stringMatching(new RegExp(`^cannot write ${path}: ${reason.source}$`)) as string,
      remedy: expect.stringContaining(path) as string,
      retryable: false,
    });
    expect(readdirSync(folder, { recursive: true })).toEqual(before);
  });
});

describe('a folder', () => {
  it('is made with those above it, for its owner alone, and stays as it is after that', async () => {
    const path = join(folder, 'a', 'b');
    await Promise.all([makeFolder(path), makeFolder(path), makeFolder(join(path, 'c'))]);
    expect(['a', 'a/b', 'a/b/c'].map((name) => statSync(join(folder, name)).mode & 0o777)).toEqual([
      0o700, 0o700, 0o700,
    ]);
    chmodSync(path, 0o755);
    await makeFolder(path);
    expect(statSync(path).mode & 0o777).toBe(0o755);
  });

  it('has the mode that was asked for, whatever the umask', async () => {
    const umask = process.umask(0o077);
    try {
      await makeFolder(join(folder, 'a', 'b'), 0o755);
    } finally {
      process.umask(umask);
    }
    expect(['a', 'a/b'].map((name) => statSync(join(folder, name)).mode & 0o777)).toEqual([0o755, 0o755]);
  });

  it('is refused by name where there is a file, or where the system makes none', async () => {
    writeFileSync(join(folder, 'file'), '');
    const rejected = { code: 'store-unwritable' };
    await expect(makeFolder(join(folder, 'file'))).rejects.toMatchObject(rejected);
    await expect(makeFolder(join(folder, 'file', 'a'))).rejects.toMatchObject(rejected);
    await expect(makeFolder('/proc/a/b')).rejects.toMatchObject(rejected);
  });
});

it('what a killed process left is removed after an hour, and nothing else', async () => {
  const now = Date.now();
  const leftovers = [0, 1, 2].map(() => temporaryName(join(folder, 'file')));
  const [young, old, oldFolder] = leftovers as [string, string, string];
  const others = ['file', '.file.tmp', 'file.0123456789ab.tmp', '.file.0123456789ab'];
  for (const path of [young, old, ...others.map((name) => join(folder, name))]) writeFileSync(path, '');
  mkdirSync(oldFolder);
  writeFileSync(join(oldFolder, 'inside'), '');
  for (const name of readdirSync(folder)) {
    if (join(folder, name) !== young) utimesSync(join(folder, name), now / 1000 - 3700, now / 1000 - 3700);
  }
  await removeLeftovers(folder, { now });
  expect(readdirSync(folder).sort()).toEqual([...others, young.slice(folder.length + 1)].sort());
  await removeLeftovers(join(folder, 'nowhere'));
});
