import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exportPlace } from '../../src/backup/export-place.ts';

let folder: string;
let file: string;
let held: FileHandle;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'export-place-'));
  file = join(folder, 'state.sql');
  writeFileSync(file, '');
  held = await open(file, 'a');
});
afterEach(async () => {
  await held.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('an export', () => {
  it.each(['/dev/fd', '/proc/self/fd'])(
    'into what a process has open, below %s, is written as it is, be it a file',
    async (below) => {
      const path = `${below}/${held.fd}`;
      expect(await exportPlace(path)).toEqual({ path, isSpecial: true });
    },
  );

  it('into a device is written as it is', async () => {
    expect(await exportPlace('/dev/null')).toEqual({ path: '/dev/null', isSpecial: true });
  });

  it('into a link goes where the link leads, which stays', async () => {
    const link = join(folder, 'link');
    symlinkSync('state.sql', link);
    expect(await exportPlace(link)).toEqual({ path: file, isSpecial: false });
  });

  it('into anything else takes the place of what has the name', async () => {
    mkdirSync(join(folder, 'made'));
    for (const path of [file, join(folder, 'made'), join(folder, 'none.sql')])
      expect(await exportPlace(path)).toEqual({ path, isSpecial: false });
  });
});
