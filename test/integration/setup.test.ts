import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..', '..');
let folder: string;

const at = (name: string) => join(folder, name);
const put = (name: string, text: string) => {
  mkdirSync(dirname(at(name)), { recursive: true });
  writeFileSync(at(name), text);
};
const did = () => (existsSync(at('done')) ? readFileSync(at('done'), 'utf8').trim().split('\n') : []);
const forget = () => rmSync(at('done'), { force: true });

/** A step of the build as set-up sees it: it says that it ran and leaves its files. */
const step = (name: string, outputs: string[]) => `
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { text } from '../src/core/noun.ts';
appendFileSync('done', '${name}\\n');
mkdirSync('.build/assets', { recursive: true });
for (const output of ${JSON.stringify(outputs)}) writeFileSync('.build/assets/' + output, text);
`;

/** In npm's place: brings the Node that runs this test, not before a file that holds it up is gone. */
const npm = `
const { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } = require('node:fs');
appendFileSync('done', process.argv.slice(2).join(' ') + '\\n');
if (existsSync('npm-fails')) { console.error(readFileSync('npm-fails', 'utf8')); process.exit(1); }
const bring = () => {
  if (existsSync('npm-waits')) return setTimeout(bring, 20);
  rmSync('node_modules', { recursive: true, force: true });
  mkdirSync('node_modules/.bin', { recursive: true });
  symlinkSync(${JSON.stringify(process.execPath)}, 'node_modules/.bin/node');
};
bring();
`;
const install = /^ci --ignore-scripts --include=dev /;

interface Run {
  readonly exitCode: number | null;
  readonly said: string;
}

function setUp(env: Record<string, string> = {}, hear: (said: string) => void = () => {}): Promise<Run> {
  const calledByNpm = { npm_execpath: at('npm-cli.js'), npm_node_execpath: process.execPath };
  const child = spawn(process.execPath, [at('build/setup.mjs')], {
    cwd: folder,
    env: { ...process.env, ...calledByNpm, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data: Buffer) => hear((said += data.toString())));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode) => resolve({ exitCode, said }));
  });
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'setup-'));
  put('npm-cli.js', npm);
  put('package.json', JSON.stringify({ dependencies: { one: '1.0.0' } }));
  put('package-lock.json', '{}');
  put('src/core/noun.ts', "export const text = 'noun';");
  put('build/native-file.ts', step('native', ['uws.bin']));
  put('build/geoip-data.ts', step('geoip', ['geoip-country.mmdb', 'geoip-asn.mmdb']));
  cpSync(join(root, 'build/setup.mjs'), at('build/setup.mjs'));
  put('tsconfig.json', '{}');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('set-up', () => {
  it('installs, makes both assets, and has nothing to do or say the second time', async () => {
    expect(await setUp()).toMatchObject({ exitCode: 0 });
    expect(did()).toEqual([expect.stringMatching(install), 'native', 'geoip']);
    forget();
    expect(await setUp()).toEqual({ exitCode: 0, said: '' });
    expect(did()).toEqual([]);
  });

  it('installs again when the lock file or a dependency changes', async () => {
    await setUp();
    for (const [name, text] of [
      ['package-lock.json', '{"new":1}'],
      ['package.json', '{"dependencies":{"two":"1.0.0"}}'],
    ] as const) {
      forget();
      put(name, text);
      expect((await setUp()).said).toContain('Installing dependencies');
      expect(did()[0]).toMatch(install);
    }
    forget();
    put('package.json', '{"dependencies":{"two":"1.0.0"},"scripts":{"new":"true"}}');
    expect(await setUp()).toEqual({ exitCode: 0, said: '' });
  });

  it('makes again what is missing or cut short, and only that', async () => {
    await setUp();
    forget();
    rmSync(at('.build/assets/uws.bin'));
    await setUp();
    expect(did()).toEqual(['native']);
    forget();
    put('.build/assets/geoip-asn.mmdb', 'no');
    await setUp();
    expect(did()).toEqual(['geoip']);
  });

  it('makes the assets again when a build script, or what one imports, changes', async () => {
    await setUp();
    for (const changed of ['build/writer.ts', 'src/core/noun.ts']) {
      forget();
      put(changed, "export const text = 'other';");
      await setUp();
      expect(did()).toEqual(['native', 'geoip']);
    }
  });

  it('does the work once when two commands start at once, and both wait for it', async () => {
    put('npm-waits', '');
    const goOn = (said: string) => {
      if (said.includes('waiting for it')) rmSync(at('npm-waits'), { force: true });
    };
    const [one, two] = await Promise.all([setUp({}, goOn), setUp({}, goOn)]);
    expect([one.exitCode, two.exitCode]).toEqual([0, 0]);
    expect(did()).toEqual([expect.stringMatching(install), 'native', 'geoip']);
    expect(one.said + two.said).toContain('waiting for it');
  });

  const failures: [npmSays: string, remedy: RegExp][] = [
    ['npm error code ENOTFOUND\nnpm error     at f (index.js:1:1)', /registry could not be reached/],
    ['npm error code SELF_SIGNED_CERT_IN_CHAIN', /NODE_EXTRA_CA_CERTS/],
    ['npm error code EUSAGE', /npm install/],
    ['npm error code ENOSPC', /disk is full/],
  ];
  for (const [npmSays, remedy] of failures) {
    it(`says what to do after "${npmSays.split('\n')[0]}", and tries again the next time`, async () => {
      put('npm-fails', npmSays);
      const { exitCode, said } = await setUp();
      expect(exitCode).toBe(1);
      expect(said).toContain(npmSays.split('\n')[0]);
      expect(said).toMatch(remedy);
      expect(said).not.toContain(' at f (');
      rmSync(at('npm-fails'));
      expect(await setUp()).toMatchObject({ exitCode: 0 });
    });
  }

  it('stops when a script ends well but leaves its file out', async () => {
    put('build/native-file.ts', step('native', []));
    const { exitCode, said } = await setUp();
    expect(exitCode).toBe(1);
    expect(said).toContain('.build/assets/uws.bin');
    expect(did()).not.toContain('geoip');
  });

  it('installs the tools too where NODE_ENV says production', async () => {
    await setUp({ NODE_ENV: 'production' });
    expect(did()[0]).toContain('--include=dev');
  });

  it('leaves a linked node_modules, another checkout’s, as it is', async () => {
    mkdirSync(at('elsewhere/.bin'), { recursive: true });
    symlinkSync(process.execPath, at('elsewhere/.bin/node'));
    symlinkSync('elsewhere', at('node_modules'));
    expect(await setUp()).toMatchObject({ exitCode: 0 });
    expect(did()).toEqual(['native', 'geoip']);
  });
});
