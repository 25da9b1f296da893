import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  truncateSync,
  copyFileSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isWholeProgram, releaseFileSize } from '../../src/host/upgrade/release-file.ts';
import { originOf } from '../../src/host/upgrade/signature.ts';

let folder: string;
let named: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'release-file-'));
  named = join(folder, 'appliance');
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('what is named as a release', () => {
  it.each([
    ['a pipe', () => void execFileSync('mkfifo', [named])],
    [
      'a link to a pipe',
      () => {
        execFileSync('mkfifo', [`${named}.2`]);
        symlinkSync(`${named}.2`, named);
      },
    ],
    ['a folder', () => mkdirSync(named)],
    ['a device', () => symlinkSync('/dev/zero', named)],
  ])('is refused at once where it is %s', async (_, make) => {
    make();
    await expect(releaseFileSize(named)).rejects.toMatchObject({
      code: 'upgrade-file',
      exitCode: 2,
      message: `${named} is no file`,
    });
  });

  it('may be a link to a file', async () => {
    writeFileSync(`${named}.2`, 'a release');
    symlinkSync(`${named}.2`, named);
    expect(await releaseFileSize(named)).toBe(9);
  });

  it('is not waited for where its signature is a pipe', async () => {
    writeFileSync(named, 'a release');
    execFileSync('mkfifo', [`${named}.sig`]);
    const asked = originOf({ file: named, named, key: undefined, allowUnsigned: true });
    await expect(asked).rejects.toMatchObject({ code: 'upgrade-file', message: /\.sig is no file/ });
  });
});

describe('a program', () => {
  beforeEach(() => copyFileSync('/bin/true', named));

  it('is whole to its last byte', async () => {
    expect(await isWholeProgram(named)).toBe(true);
  });

  it.each([
    ['one byte', (size: number) => size - 1],
    ['nearly all of it', () => 20],
  ])('is found out where %s is missing', async (_, left) => {
    truncateSync(named, left(await releaseFileSize(named)));
    expect(await isWholeProgram(named)).toBe(false);
  });

  it('is none where the file begins with something else', async () => {
    writeFileSync(named, '#!/bin/sh\n');
    expect(await isWholeProgram(named)).toBeUndefined();
  });
});
