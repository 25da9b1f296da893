import { execFile } from 'node:child_process';
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applianceCommand, startAppliance, type Appliance } from '../support/appliance.ts';

const root = join(import.meta.dirname, '..', '..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');

/** The commands of the README's `console` blocks, each with the output that is shown below it. */
const shown = [...readme.matchAll(/^```console\n([\s\S]*?)^```/gm)].flatMap(([, block = '']) =>
  block
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const [command = '', ...output] = part.split('\n');
      return { command, output: output.join('\n') };
    }),
);

let appliance: Appliance;
const folder = mkdtempSync(join(tmpdir(), 'readme-'));
beforeAll(async () => {
  appliance = await startAppliance({ flags: ['--workers', '1'] });
  // dist/appliance may not be built here; the sources answer the same.
  // On a terminal curl shows no progress either.
  writeFileSync(join(folder, '.curlrc'), 'silent\n');
  mkdirSync(join(folder, 'dist'));
  writeFileSync(join(folder, 'dist', 'appliance'), `#!/bin/sh\nexec ${applianceCommand().join(' ')} "$@"\n`, {
    mode: 0o755,
  });
});
afterAll(async () => {
  await appliance.stop();
  rmSync(folder, { recursive: true });
});

describe('the README', () => {
  it('shows what there is to see', () => {
    expect(shown.length).toBeGreaterThanOrEqual(5);
  });

  it.each(shown)('is right about: $command', async ({ command, output }) => {
    const here = command.replaceAll('127.0.0.1:8080', `127.0.0.1:${appliance.port}`);
    const printed = await new Promise<string>((resolve) => {
      const options = { cwd: folder, env: { PATH: process.env['PATH'], HOME: folder, NO_COLOR: '1' } };
      execFile('sh', ['-c', `${here} 2>&1`], options, (_error, stdout) => resolve(stdout));
    });
    expect(printed).toBe(output);
  });

  it('shows settings for HTTPS that are right as they stand', async () => {
    const files = [...readme.matchAll(/^```ini\n# (\S+)\n([\s\S]*?)^```/gm)];
    expect(files.map(([, name]) => name)).toEqual(['acme.env', 'app.env']);
    const secrets = mkdtempSync(join(folder, 'secrets-'));
    for (const [, name = '', text = ''] of files) writeFileSync(join(secrets, name), text, { mode: 0o640 });
    const [file, ...leading] = applianceCommand();
    const args = [...leading, 'config', 'check', '--secrets-dir', secrets];
    await promisify(execFile)(file, args, { cwd: folder, env: { PATH: process.env['PATH'], HOME: folder } });
  });

  it('names no file and no script that is missing', () => {
    const links = [...readme.matchAll(/\]\(([\w./-]+)\)/g)].map(([, path = '']) => path);
    expect(links.filter((path) => !existsSync(join(root, path)))).toEqual([]);
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      scripts: { [name: string]: string };
    };
    const named = [...readme.matchAll(/^npm (?:run )?(\w+)/gm)].map(([, name = '']) => name);
    expect(named.length).toBeGreaterThan(2);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });

  it('has no command, here or in the guides, that the program does not know', async () => {
    const guides = ['README.md', ...globSync('docs/*.md', { cwd: root })];
    const blocks = guides.flatMap((file) => [
      ...readFileSync(join(root, file), 'utf8').matchAll(/^```sh\n([\s\S]*?)^```/gm),
    ]);
    const lines = new Set(
      blocks
        .flatMap(([, block = '']) => block.split('\n'))
        .filter((line) => /^(sudo )?(\.\/)?appliance /.test(line) && !line.includes(' -- ')),
    );
    expect(lines.size).toBeGreaterThan(20);
    const script = [
      'sudo() { "$@"; }',
      `appliance() { ${applianceCommand().join(' ')} "$@" --help >/dev/null || echo "appliance $*"; }`,
      ...[...lines].map((line) => line.replace('./appliance install', 'appliance install')),
    ];
    const { stdout, stderr } = await promisify(execFile)('sh', ['-c', script.join('\n')], { cwd: folder });
    expect(stdout + stderr).toBe('');
  });
});
