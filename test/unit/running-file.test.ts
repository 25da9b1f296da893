import { copyFileSync, linkSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { runsFile } from '../../src/host/running-file.ts';

let folder: string | undefined;
afterEach(() => folder !== undefined && rmSync(folder, { recursive: true, force: true }));

it('a process runs the file that it was started from, under whatever path, and no copy of it', () => {
  folder = mkdtempSync(join(tmpdir(), 'running-file-'));
  const [elsewhere, copy] = [join(folder, 'elsewhere'), join(folder, 'copy')];
  symlinkSync(process.execPath, elsewhere);
  expect(runsFile(`/proc/${process.pid}`, elsewhere)).toBe(true);
  copyFileSync(realpathSync(process.execPath), copy);
  expect(runsFile(`/proc/${process.pid}`, copy)).toBe(false);
  // what the kernel calls it, where the file was replaced or is seen below another root, does not count
  const seen = join(folder, 'seen');
  linkSync(copy, seen);
  symlinkSync(seen, join(folder, 'exe'));
  expect(runsFile(folder, copy)).toBe(true);
});
