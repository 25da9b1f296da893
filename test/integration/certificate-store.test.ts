import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createCertificateStore } from '../../src/adapters/certificate-store-files.ts';
import { logLines } from '../support/log-lines.ts';
import { type MadeCertificate, madeCertificate } from '../support/made-certificate.ts';
import { randomNumbers } from '../support/random-numbers.ts';

const isRoot = process.getuid?.() === 0;
const support = join(import.meta.dirname, '..', 'support');
const id = { authority: 'https://acme.example/directory', name: 'a.example' };
const place = ['acme.example-directory', 'a.example'] as const;

let base: string;
let pairs: readonly MadeCertificate[];
let pairsFile: string;
beforeAll(async () => {
  pairs = await Promise.all([1, 2, 3].map(() => madeCertificate(['a.example'])));
});
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'certificate-store-'));
  pairsFile = join(base, 'pairs.json');
  writeFileSync(pairsFile, JSON.stringify(pairs));
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const open = (folder: string, log = logLines()) => createCertificateStore({ folder, log });

describe('a process that is killed while it saves', () => {
  it('leaves the old certificate or the new one, whichever of sixty moments it was', async () => {
    const folder = join(base, 'certificates');
    const next = randomNumbers(20261122);
    const outcomes = { old: 0, new: 0 };
    for (let kill = 0; kill < 60; kill++) {
      const { saving, saved } = await saveUntilKilled(folder, next() * 2);
      const log = logLines();
      const store = open(folder, log);
      const loaded = await store.load(id);
      const found = pairs.findIndex(({ chain }) => chain === loaded?.chain);
      expect([saving, saved]).toContain(found);
      outcomes[found === saved ? 'old' : 'new']++;
      expect(await store.list()).toEqual([loaded]);
      expect((await store.state(id)) as object).toMatchObject({ index: expect.any(Number) as number });
      expect(log.lines).toEqual([]);
      const names = readdirSync(join(folder, ...place)).filter((name) => !name.endsWith('.tmp'));
      expect(names).toEqual(['certificate.json', 'certificate.pem', 'key.pem', 'renewal.json']);
    }
    // else the moments were not spread over the save
    expect(outcomes.old).toBeGreaterThan(5);
    expect(outcomes.new).toBeGreaterThan(1);
  }, 600_000);

  /** Kills that many times as long after a first save as that took. */
  async function saveUntilKilled(folder: string, times: number) {
    const args = [join(support, 'certificate-saver.ts'), folder, pairsFile, id.authority, id.name];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const last = { saving: -1, saved: -1 };
    const lines = createInterface(child.stdout).on('line', (line) => {
      const [word, index, tookMs] = line.split(' ');
      if (word === 'saved' && last.saved === -1)
        setTimeout(() => child.kill('SIGKILL'), Number(tookMs) * times);
      last[word as keyof typeof last] = Number(index);
    });
    await Promise.all([once(child, 'exit'), once(lines, 'close')]);
    expect(child.signalCode).toBe('SIGKILL');
    return last;
  }
});

it('files with keys are for their owner alone, and so are the folders', async () => {
  const folder = join(base, 'data', 'certificates');
  const store = open(folder);
  const [pair] = pairs;
  const umask = process.umask(0);
  try {
    await store.withLock(async () => {
      await store.saveAccount(id.authority, { key: pair!.key, url: undefined, terms: undefined });
      const order = { url: undefined, names: ['a.example'], profile: undefined, key: pair!.key, placedAt: 1 };
      await store.saveOrder(id, order);
      await store.saveState(id, {});
      await store.save(id, pair!);
    });
  } finally {
    process.umask(umask);
  }
  const modes = Object.fromEntries(
    readdirSync(base, { recursive: true, encoding: 'utf8' })
      .filter((path) => path !== 'pairs.json')
      .map((path) => [path, (statSync(join(base, path)).mode & 0o777).toString(8)]),
  );
  const [authority, name] = place.map((_part, index) => place.slice(0, index + 1).join('/'));
  expect(modes).toEqual({
    data: '700',
    'data/certificates': '700',
    [`data/certificates/${authority}`]: '700',
    [`data/certificates/${authority}/account.json`]: '600',
    [`data/certificates/${authority}/account.key`]: '600',
    [`data/certificates/${name}`]: '700',
    [`data/certificates/${name}/certificate.json`]: '644',
    [`data/certificates/${name}/certificate.pem`]: '644',
    [`data/certificates/${name}/key.pem`]: '600',
    [`data/certificates/${name}/order.json`]: '600',
    [`data/certificates/${name}/renewal.json`]: '644',
  });
});

/** Runs statements that may use `store`, `id`, `pairs`, `code(promise)` and `loaded()`, and parses what they print. */
function run(folder: string, statements: string): unknown {
  return JSON.parse(
    execFileSync(process.execPath, ['--input-type=module-typescript', '-e', prelude(folder) + statements], {
      encoding: 'utf8',
    }),
  );
}

const prelude = (folder: string) => `
  import { readFileSync, writeFileSync, rmSync, readdirSync } from 'node:fs';
  import { createCertificateStore } from '${join(support, '../../src/adapters/certificate-store-files.ts')}';
  import { logLines } from '${join(support, 'log-lines.ts')}';
  const folder = '${folder}';
  const id = ${JSON.stringify(id)};
  const pairs = JSON.parse(readFileSync('${pairsFile}', 'utf8'));
  const open = () => createCertificateStore({ folder, log: logLines() });
  const store = open();
  const code = (promise) => promise.then(() => 'done', (error) => error.code + ': ' + error.message + ' | ' + error.remedy);
  const loaded = async () => pairs.findIndex(({ chain }) => chain === found?.chain, found = await open().load(id));
  let found;
`;

describe.skipIf(!isRoot)('a full disk', () => {
  it('keeps the certificate that was there, however much space was left, and is named', () => {
    const folder = join(base, 'disk');
    mkdirSync(folder);
    const statements = `
      const seen = [];
      for (let pages = 0; pages < 12; pages++) {
        await store.save(id, pairs[0]);
        try { for (let page = 0; ; page++) writeFileSync(folder + '/filler-' + page, Buffer.alloc(4096)); } catch {}
        for (let page = 0; page < pages; page++) rmSync(folder + '/filler-' + page);
        seen.push({ said: await code(store.save(id, pairs[1])), now: await loaded(), files: readdirSync(folder + '/${place.join('/')}') });
        for (const name of readdirSync(folder).filter((name) => name.startsWith('filler'))) rmSync(folder + '/' + name);
      }
      console.log(JSON.stringify(seen));`;
    const mounted = `mount -t tmpfs -o size=512k,mode=0700 tmpfs "$1" && exec "$2" --input-type=module-typescript -e "$3"`;
    const { stdout, stderr } = spawnSync(
      'unshare',
      ['-m', 'sh', '-c', mounted, 'sh', folder, process.execPath, prelude(folder) + statements],
      { encoding: 'utf8' },
    );
    expect(stderr).toBe('');
    const seen = JSON.parse(stdout) as { said: string; now: number; files: string[] }[];
    expect(seen).toHaveLength(12);
    for (const { said, now, files } of seen) {
      if (said === 'done') expect(now).toBe(1);
      else {
        expect(said).toMatch(/^store-full: cannot write \/.*: no space left on device \| Free some space/);
        expect(now).toBe(0);
      }
      expect(files).toEqual(['certificate.json', 'certificate.pem', 'key.pem']);
    }
    expect(seen[0]!.said).toContain('store-full');
    expect(seen.at(-1)!.said).toBe('done');
  });
});

describe.skipIf(!isRoot)('a read-only file system', () => {
  it('still gives its certificates, cut off saves included, and says why it takes none', () => {
    const folder = join(base, 'disk');
    mkdirSync(folder);
    const statements = (then: string) => `
      ${then}
      const { mtimeMs } = (await import('node:fs')).statSync(folder);
      console.log(JSON.stringify([await loaded(), found?.chainFile, await code(store.save(id, pairs[2])), await code(store.withLock(async () => 1)),
        await code(store.saveState(id, {})), await code(store.removeOrder(id))]));`;
    const program = prelude(folder) + statements('');
    const prepare = `${prelude(folder)} await store.save(id, pairs[0]);
      const place = folder + '/${place.join('/')}/';
      writeFileSync(place + 'key.pem.new', pairs[1].key); writeFileSync(place + 'certificate.pem.new', pairs[1].chain);`;
    const script = `mount -t tmpfs -o size=512k,mode=0700 tmpfs "$1" && "$2" --input-type=module-typescript -e "$3" &&
      mount -o remount,ro "$1" && exec "$2" --input-type=module-typescript -e "$4"`;
    const said = execFileSync(
      'unshare',
      ['-m', 'sh', '-c', script, 'sh', folder, process.execPath, prepare, program],
      {
        encoding: 'utf8',
      },
    );
    const refusal = expect.stringMatching(
      /^store-unwritable: cannot write .*: read-only file system \| Mount it/,
    ) as string;
    expect(JSON.parse(said)).toEqual([
      1,
      join(folder, ...place, 'certificate.pem.new'),
      refusal,
      refusal,
      refusal,
      'done',
    ]);
  });
});

describe.skipIf(!isRoot)('a folder of another user', () => {
  it('is named, with the user that may not enter it', async () => {
    const folder = join(base, 'certificates');
    await open(folder).save(id, pairs[0]!);
    const asOther = `process.setgid(12345); process.setuid(12345);
      console.log(JSON.stringify([await code(store.load(id)), await code(store.list()), await code(store.save(id, pairs[1])), await code(store.account(id.authority))]));`;
    execFileSync('chmod', ['755', base]);
    expect(run(folder, asOther)).toEqual([
      expect.stringMatching(/^store-unreadable: cannot read .*: permission denied \| Let user 12345/),
      expect.stringMatching(/^store-unreadable: /),
      expect.stringMatching(/^store-unwritable: cannot write .*: permission denied \| Let user 12345/),
      expect.stringMatching(/^store-unreadable: /),
    ]);
  });
});
