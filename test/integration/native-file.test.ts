import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeNativeFile } from '../../build/native-file.ts';
import { readAsset } from '../../src/core/assets.ts';
import { Failure } from '../../src/core/errors.ts';
import { candidateFolders, loadFrom } from '../../src/http/native-file.ts';

const isRoot = process.getuid?.() === 0;
const uid = process.getuid?.() ?? -1;
const name = candidateFolders({ env: {}, uid, execPath: '/x/y' })[0]!.file;
const root = join(import.meta.dirname, '..', '..');

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'native-file-'));
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

makeNativeFile();
const right = readAsset('uws.bin');
const isRight = (path: string) => right.equals(readFileSync(path));

/** Tells whether the right bytes would be loaded, in place of loading them: a process can do that once only. */
function loadBytes(folders: readonly { folder: string; ours?: boolean }[], load = isRight) {
  const candidates = folders.map(({ folder, ours = true }) => ({ folder, file: name, ours }));
  return loadFrom(candidates, () => right, uid, load);
}

function folderOf(outcome: ReturnType<typeof loadBytes>): string {
  return 'folder' in outcome ? outcome.folder : JSON.stringify(outcome.skipped);
}

describe('placing the native file', () => {
  it('makes a folder that only its owner can enter and a file that nobody can write', () => {
    const folder = join(base, 'a', 'b', 'appliance');
    const outcome = loadBytes([{ folder }]);
    expect(outcome).toMatchObject({ folder, loaded: true });
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, name)).mode & 0o777).toBe(0o500);
    expect(readdirSync(folder)).toEqual([name]);
  });

  it('leaves a file that is right as it is, so that all processes share it', () => {
    loadBytes([{ folder: base }]);
    const { ino } = statSync(join(base, name));
    loadBytes([{ folder: base }]);
    expect(statSync(join(base, name)).ino).toBe(ino);
  });

  it('replaces a file that was tampered with, and never hands it out', () => {
    loadBytes([{ folder: base }]);
    chmodSync(join(base, name), 0o700);
    appendFileSync(join(base, name), 'x');
    expect(loadBytes([{ folder: base }])).toMatchObject({ folder: base, loaded: true });
  });

  it('hands out the file that was checked even if another is put in its place meanwhile', () => {
    const outcome = loadBytes([{ folder: base }], (path) => {
      rmSync(join(base, name));
      writeFileSync(join(base, name), 'evil');
      return isRight(path);
    });
    expect(outcome).toMatchObject({ loaded: true });
  });

  it('replaces a link instead of following it', () => {
    const elsewhere = join(base, 'elsewhere');
    writeFileSync(elsewhere, right);
    const folder = join(base, 'appliance');
    mkdirSync(folder, { mode: 0o700 });
    symlinkSync(elsewhere, join(folder, name));
    expect(folderOf(loadBytes([{ folder }]))).toBe(folder);
    expect(statSync(join(folder, name)).ino).not.toBe(statSync(elsewhere).ino);
  });

  it('passes over a folder that is a link', () => {
    symlinkSync(base, join(base, 'link'));
    expect(loadBytes([{ folder: join(base, 'link') }])).toEqual({
      skipped: [{ folder: join(base, 'link'), reason: 'is not a folder but a link or a file' }],
    });
  });

  it('passes over a folder that others can write to', () => {
    chmodSync(base, 0o777);
    expect(folderOf(loadBytes([{ folder: base }]))).toContain('can be written by others');
    expect(readdirSync(base)).toEqual([]);
  });

  it('passes over a file beside the binary that is not ours, without touching it', () => {
    writeFileSync(join(base, name), 'of another version');
    const next = join(base, 'next');
    expect(folderOf(loadBytes([{ folder: base, ours: false }, { folder: next }]))).toBe(next);
    expect(readFileSync(join(base, name), 'utf8')).toBe('of another version');
  });

  it('passes over a right file beside the binary that others could change after the check', () => {
    writeFileSync(join(base, name), right);
    chmodSync(join(base, name), 0o666);
    expect(folderOf(loadBytes([{ folder: base, ours: false }]))).toContain(
      'the file there can be written by others',
    );
  });

  it('leaves nothing behind where loading failed, and goes on', () => {
    const folders = ['first', 'second'].map((part) => ({ folder: join(base, part) }));
    let calls = 0;
    const outcome = loadBytes(folders, (path) => {
      if (calls++ === 0) throw new Error('no');
      return isRight(path);
    });
    expect(folderOf(outcome)).toBe(join(base, 'second'));
    expect(readdirSync(base)).toEqual(['second']);
  });

  it('does not go on after a failure that another folder would not mend', () => {
    expect(() =>
      loadBytes([{ folder: join(base, 'a') }, { folder: join(base, 'b') }], () => {
        throw new Failure('too old', { code: 'native-glibc' });
      }),
    ).toThrow('too old');
  });

  it.skipIf(!isRoot)('passes over a folder that belongs to somebody else', () => {
    chownSync(base, 12345, 12345);
    expect(folderOf(loadBytes([{ folder: base }]))).toContain('belongs to user 12345');
    expect(readdirSync(base)).toEqual([]);
  });

  it.skipIf(!isRoot)('passes over a right file that belongs to somebody else', () => {
    writeFileSync(join(base, name), right, { mode: 0o755 });
    chownSync(join(base, name), 12345, 12345);
    expect(folderOf(loadBytes([{ folder: base, ours: false }]))).toContain(
      'the file there belongs to user 12345',
    );
  });
});

describe.skipIf(!isRoot)('loading the native file', () => {
  const program = `
    import { load } from '${join(root, 'src/http/native.ts')}';
    const candidates = process.argv.slice(1).map((folder) => ({ folder, file: '${name}', ours: true }));
    try { console.log(typeof load(candidates).App); } catch (error) { console.log(error.message); }
    console.log(/(\\S+)\\.node/.exec((await import('node:fs')).readFileSync('/proc/self/maps', 'utf8'))?.[1]);`;
  const script = `mount -t tmpfs -o mode=0755 tmpfs "$1" && mkdir "$1/noexec" "$1/ro" "$1/good" &&
    mount -t tmpfs -o noexec,mode=0700 tmpfs "$1/noexec" && mount -t tmpfs -o ro tmpfs "$1/ro" || exit 9
    folders="$1/noexec $1/ro/appliance $3"
    exec "$2" --input-type=module-typescript -e "$4" $folders`;
  const run = (...more: string[]) =>
    execFileSync(
      'unshare',
      ['-m', 'sh', '-c', script, 'sh', base, process.execPath, more.join(' '), program],
      {
        encoding: 'utf8',
      },
    );

  it('goes on from folders that are mounted noexec or read-only to one that is not', () => {
    const good = join(base, 'good');
    expect(run(good)).toBe(`function\n${join(good, name.replace('.node', ''))}\n`);
  });

  it('says of each folder what was wrong when none will do', () => {
    const said = run();
    expect(said).toContain(
      `${join(base, 'noexec')}: failed to map segment from shared object (mounted noexec?)`,
    );
    expect(said).toContain(`${join(base, 'ro/appliance')}: EROFS: read-only file system`);
  });
});
