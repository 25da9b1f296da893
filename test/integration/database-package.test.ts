import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'database-package-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('the packaged binary starts the threads of the embedded database and cache out of itself, on one file', () => {
  const root = join(import.meta.dirname, '..', '..');
  const [entry, dist] = ['test/support/database-program.ts', join(folder, 'dist')].map((each) =>
    JSON.stringify(each),
  );
  const program = `import { build } from './build/build.ts'; await build(${entry}, ${dist});`;
  execFileSync(process.execPath, ['--input-type=module-typescript', '-e', program], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const file = join(folder, 'data', 'state.sqlite');
  const said = execFileSync(join(folder, 'dist', 'appliance'), [file], {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  expect(JSON.parse(said)).toEqual({ rows: [{ asn: 64_496, name: 'Example' }], session: 'who' });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(statSync(join(folder, 'data')).mode & 0o777).toBe(0o700);
});
