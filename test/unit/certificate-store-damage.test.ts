import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createCertificateStore } from '../../src/adapters/certificate-store-files.ts';
import { logLines } from '../support/log-lines.ts';
import { type MadeCertificate, madeCertificate } from '../support/made-certificate.ts';
import { until } from '../support/until.ts';

const id = { authority: 'https://acme.example/directory', name: 'a.example' };

let old: MadeCertificate;
let next: MadeCertificate;
let folder: string;
let place: string;
beforeAll(async () => {
  [old, next] = (await Promise.all([1, 2].map(() => madeCertificate(['a.example'])))) as [
    MadeCertificate,
    MadeCertificate,
  ];
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'store-damage-'));
  place = join(folder, 'acme.example-directory', 'a.example');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = (log = logLines()) => createCertificateStore({ folder, log });
const write = (name: string, text: string) => writeFileSync(join(place, name), text);

describe('a save that was cut off', () => {
  const whole = ['certificate.json', 'certificate.pem', 'key.pem'];
  const states: [after: string, make: () => void, found: () => MadeCertificate][] = [
    ['certificate.json.new', () => write('certificate.json.new', '{}'), () => old],
    ['the key', () => write('key.pem.new', next.key), () => old],
    [
      'the chain, which makes it count',
      () => (write('key.pem.new', next.key), write('certificate.pem.new', next.chain)),
      () => next,
    ],
    [
      "the key's new name",
      () => (write('key.pem', next.key), write('certificate.pem.new', next.chain)),
      () => next,
    ],
    [
      "the chain's new name",
      () => (write('key.pem', next.key), write('certificate.pem', next.chain)),
      () => next,
    ],
    [
      'the chain, on a disk that then lost the old one',
      () => (
        write('certificate.pem', ''),
        write('key.pem.new', next.key),
        write('certificate.pem.new', next.chain)
      ),
      () => next,
    ],
    [
      'a chain that a bad disk cut short',
      () => (write('key.pem.new', next.key), write('certificate.pem.new', next.chain.slice(0, -40))),
      () => old,
    ],
    [
      'a key of nobody knows what',
      () => (write('key.pem.new', old.key), write('certificate.pem.new', next.chain)),
      () => old,
    ],
  ];
  it.each(states)('after %s is ended or undone by the next load', async (_after, make, found) => {
    await open().save(id, old);
    make();
    const log = logLines();
    const loaded = await open(log).load(id);
    expect(loaded).toMatchObject({ chain: found().chain, keyFile: join(place, 'key.pem') });
    expect(readFileSync(loaded!.chainFile, 'utf8')).toBe(found().chain);
    expect(readFileSync(loaded!.keyFile, 'utf8')).toBe(found().key);
    expect(readdirSync(place)).toEqual(whole);
    const described = JSON.parse(readFileSync(join(place, 'certificate.json'), 'utf8')) as object;
    expect(described).toMatchObject({ ...id, serial: loaded!.facts.serial, names: ['a.example'] });
  });

  it('as the first of all is found by list as well', async () => {
    await open().save(id, old);
    for (const name of whole.slice(1)) renameSync(join(place, name), join(place, `${name}.new`));
    renameSync(join(place, 'certificate.json'), join(place, 'certificate.json.new'));
    expect(await open().list()).toMatchObject([{ id, chain: old.chain }]);
    expect(readdirSync(place)).toEqual(whole);
  });

  it('is followed by a new one without trouble', async () => {
    await open().save(id, old);
    write('key.pem.new', 'junk');
    expect((await open().save(id, next)).chain).toBe(next.chain);
    expect(readdirSync(place)).toEqual(whole);
  });

  it('is left to whoever holds the lock, and served meanwhile', async () => {
    await open().save(id, old);
    write('key.pem.new', next.key);
    write('certificate.pem.new', next.chain);
    await open().withLock(async () => {
      const loading = open().load(id);
      expect(await loading).toMatchObject({
        chain: next.chain,
        chainFile: join(place, 'certificate.pem.new'),
        keyFile: join(place, 'key.pem.new'),
      });
    });
    expect(readdirSync(place)).toHaveLength(5);
  });
});

describe('damage', () => {
  const damages: [what: string, (path: string) => void][] = [
    ['gone', (path) => rmSync(path)],
    ['empty', (path) => truncateSync(path)],
    ['junk', (path) => writeFileSync(path, 'junk')],
    ['not text', (path) => writeFileSync(path, Buffer.from([0xff, 0xfe, 0x00]))],
    ['cut off', (path) => truncateSync(path, 100)],
    ['huge', (path) => truncateSync(path, 1 << 30)],
    ['a folder', (path) => (rmSync(path), mkdirSync(path))],
    ['a pipe', (path) => (rmSync(path), execFileSync('mkfifo', [path]))],
    ['a link to itself', (path) => (rmSync(path), symlinkSync(path, path))],
    [
      'of another certificate',
      (path) => writeFileSync(path, path.endsWith('key.pem') ? next.key : next.chain),
    ],
  ];
  describe.each(['certificate.pem', 'key.pem'])('to %s', (file) => {
    it.each(damages)(
      'that makes it %s means that there is no certificate, said once',
      async (what, damage) => {
        await open().save(id, old);
        damage(join(place, file));
        const log = logLines();
        const store = open(log);
        expect(await store.load(id)).toBeUndefined();
        expect(await store.load(id)).toBeUndefined();
        expect(await store.list()).toEqual([]);
        expect(log.lines.filter((line) => line.startsWith('warn'))).toHaveLength(1);
        expect(log.lines.join('\n')).toContain(place);
        expect(log.lines.join('\n')).not.toContain('BEGIN');
        // obtained again, it is whole again
        if (what !== 'a folder') expect((await store.save(id, next)).chain).toBe(next.chain);
      },
    );
  });

  it.each(['renewal.json', 'order.json', 'certificate.json', '../account.json', '../account.key'])(
    'to %s leaves the certificate alone',
    async (file) => {
      for (const [what, damage] of damages) {
        const log = logLines();
        const store = open(log);
        await store.save(id, old);
        await store.saveState(id, { a: 1 });
        const order = { url: 'x', names: ['a.example'], profile: undefined, key: old.key, placedAt: 1 };
        await store.saveOrder(id, order);
        await store.saveAccount(id.authority, { key: old.key, url: 'x', terms: undefined });
        damage(join(place, file));
        expect((await store.load(id))?.chain, what).toBe(old.chain);
        expect(await store.state(id)).toEqual(file === 'renewal.json' ? undefined : { a: 1 });
        expect(await store.order(id)).toEqual(file === 'order.json' ? undefined : order);
        const account = await store.account(id.authority);
        if (file.endsWith('.key')) expect(account).toBeUndefined();
        else if (file.endsWith('account.json'))
          expect(account).toEqual({ key: old.key, url: undefined, terms: undefined });
        else expect(account?.url).toBe('x');
        expect(log.lines.join('\n')).not.toContain('BEGIN');
        rmSync(folder, { recursive: true });
      }
    },
  );

  it.each(['[]', 'null', '1', '"x"', '{}'])(
    'that leaves other JSON is told from what belongs there: %s',
    async (json) => {
      const store = open();
      await store.save(id, old);
      for (const name of ['order.json', 'certificate.json']) write(name, json);
      write('../account.json', json);
      expect(await store.order(id)).toBeUndefined();
      expect(await store.account(id.authority)).toBeUndefined();
      expect((await store.load(id))?.chain).toBe(old.chain);
    },
  );

  it('to the names of folders does not lead list astray', async () => {
    await open().save(id, old);
    for (const name of ['stand-in/x', '.lock/x', 'b/c/d', 'acme.example-directory/b.example'])
      mkdirSync(join(folder, name), { recursive: true });
    renameSync(place, join(folder, 'acme.example-directory', 'c.example'));
    writeFileSync(join(folder, 'file'), '');
    const log = logLines();
    expect(await open(log).list()).toEqual([]);
    expect(log.lines.join('\n')).toContain(
      'is not where a.example of https://acme.example/directory belongs',
    );
  });
});

it('a name that looks like a path stays below the folder', async () => {
  const store = open();
  const ids = ['../../escaped', '/tmp/escaped', '..', 'account.key', 'stand-in', '.lock'].map((name) => ({
    authority: `https://${name}`,
    name,
  }));
  for (const each of ids) await store.save(each, old);
  for (const each of ids) expect((await store.load(each))?.chain).toBe(old.chain);
  expect(await store.list()).toHaveLength(ids.length);
  expect(existsSync(join(folder, '..', 'escaped'))).toBe(false);
  expect(readdirSync(folder)).toHaveLength(ids.length);
});

it('a process that reads while another saves sees whole certificates only', async () => {
  await open().save(id, old);
  let reads = 0;
  let done = false;
  const reader = (async () => {
    for (; !done; reads++) {
      const loaded = await open().load(id);
      expect([old.chain, next.chain]).toContain(loaded?.chain);
      await new Promise(setImmediate);
    }
  })();
  const store = open();
  for (let round = 0; round < 20; round++) await store.withLock(() => store.save(id, round % 2 ? old : next));
  await until('some reads', () => reads > 3);
  done = true;
  await reader;
});
