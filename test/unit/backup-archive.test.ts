import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { constants, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { openArchive } from '../../src/backup/archive-file.ts';
import { type ReadArchive, readArchive } from '../../src/backup/archive-reader.ts';
import { createArchiveWriter } from '../../src/backup/archive-writer.ts';
import { exitCodes, Failure } from '../../src/core/errors.ts';
import {
  compressed,
  encrypted,
  head,
  honest,
  json,
  type MadeEntry,
  manifestOf,
  people,
  rowsEntry,
  tarOf,
  writeArchive,
} from '../support/made-archive.ts';
import { randomNumbers } from '../support/random-numbers.ts';

const base = mkdtempSync(join(tmpdir(), 'backup-archive-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(base, 'x'));
  file = join(folder, 'appliance-20261122T213600Z.tar.zst');
});

interface Taken extends ReadArchive {
  readonly rows: unknown[];
  readonly files: Record<string, string>;
}

/** All that the archive says, and not more. */
async function take(passphrase?: string): Promise<Taken> {
  const rows: unknown[] = [];
  const files: Record<string, string> = {};
  const archive = await openArchive(file, passphrase);
  try {
    const read = await readArchive(archive, {
      rows: async (_, found) => void rows.push(...found),
      async file({ fileClass, path }, content) {
        let text = '';
        for await (const bytes of content) text += Buffer.from(bytes).toString();
        files[`${fileClass}:${path}`] = text;
      },
    });
    return { ...read, rows, files };
  } finally {
    await archive.close();
  }
}

const ofHonest = {
  rows: [
    [1, 'Ann', null],
    [2, 'Bob\n"B"', '192.0.2.1'],
    [9007199254740993n, '', '2001:db8::1'],
  ],
  files: { 'certificates:lets-encrypt/a.example/certificate.pem': 'chain' },
};

describe('an archive that lost its end', () => {
  it.each([false, true])(
    'is refused whatever was lost, be it one byte (a sum of its own: %s)',
    async (sum) => {
      const level = { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_checksumFlag]: sum ? 1 : 0 };
      const whole = zstdCompressSync(await tarOf([...honest, manifestOf(honest)]), { params: level });
      writeFileSync(file, whole);
      expect(await take()).toMatchObject(ofHonest);
      for (let lost = 1; lost < whole.length - 4; lost++) {
        writeFileSync(file, whole.subarray(0, whole.length - lost));
        const failure = (await take().catch((error: unknown) => error)) as Failure;
        expect([lost, failure.code]).toEqual([lost, 'backup-truncated']);
      }
    },
  );
});

describe('an archive as it is written', () => {
  const frameAtTheEnd = 13;
  const write = async (): Promise<Buffer> => {
    rmSync(file, { force: true });
    const writer = await createArchiveWriter({ file, passphrase: undefined, createdMs: 0 });
    for (const { name, content = '', mode } of honest) await writer.add(name, Buffer.from(content), mode);
    await writer.finish([{ name: 'people', rows: 3 }]);
    return readFileSync(file);
  };

  it('is whole, with the empty frame that Node adds', async () => {
    await write();
    expect(await take()).toMatchObject(ofHonest);
  });

  it('is refused where it lost one of its last bytes, or is there twice', async () => {
    const whole = await write();
    for (let lost = 1; lost <= frameAtTheEnd + 8; lost++) {
      // all of what is in it is there
      if (lost === frameAtTheEnd) continue;
      writeFileSync(file, whole.subarray(0, whole.length - lost));
      await expect(take(), `without ${lost}`).rejects.toMatchObject({ code: 'backup-truncated' });
    }
    for (const more of [whole, Buffer.alloc(1)]) {
      writeFileSync(file, Buffer.concat([whole, more]));
      await expect(take()).rejects.toMatchObject({ code: 'backup-damaged' });
    }
  });

  it('is whole with two of them as well', async () => {
    const whole = await write();
    writeFileSync(file, Buffer.concat([whole, whole.subarray(-frameAtTheEnd)]));
    expect(await take()).toMatchObject(ofHonest);
  });
});

it('a file that its reader leaves early keeps nothing behind it from being read', async () => {
  const long = createHash('sha256').update('x').digest('hex').repeat(2000);
  const name = (at: number) => `files/certificates/lets-encrypt/a.example/${at}.pem`;
  const entries = honest.filter((each) => !each.name.startsWith('files/'));
  for (const at of [1, 2, 3]) entries.push({ name: name(at), content: long });
  await writeArchive(file, entries);
  const archive = await openArchive(file, undefined);
  const found: string[] = [];
  await readArchive(archive, {
    async file({ path }, content) {
      found.push(path);
      for await (const _ of content) return;
    },
  });
  await archive.close();
  expect(found).toHaveLength(3);
});

describe('an archive with something after its end', () => {
  const after: readonly (readonly [string, (whole: Buffer) => Uint8Array])[] = [
    ['a byte', () => Buffer.alloc(1)],
    ['a text', () => Buffer.from('garbage')],
    ['itself', (whole) => whole],
    ['a frame to be skipped', () => Buffer.from([0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0])],
    ['a megabyte', () => Buffer.alloc(1024 * 1024, 'x')],
  ];
  it.each(after)('is refused: %s', async (_, more) => {
    await writeArchive(file, honest);
    const whole = readFileSync(file);
    writeFileSync(file, Buffer.concat([whole, more(whole)]));
    await expect(take()).rejects.toMatchObject({
      code: 'backup-damaged',
      message: expect.stringMatching(/goes on after its end/) as string,
      exitCode: exitCodes.checkFailed,
    });
  });
});

describe('an archive that is whole', () => {
  it('gives its rows and files, and how it was written', async () => {
    await writeArchive(file, honest);
    const taken = await take();
    expect(taken).toMatchObject({ head, ...ofHonest });
    expect(taken.tables).toEqual([
      { name: 'people', rows: 3, sum: expect.stringMatching(/^[0-9a-f]{64}$/) as string },
    ]);
    expect(taken.sha256).toBe(createHash('sha256').update(readFileSync(file)).digest('hex'));
  });

  it('gives the same when it is encrypted', async () => {
    await writeArchive(file, honest, { passphrase: 'correct horse' });
    expect(await take('correct horse')).toMatchObject(ofHonest);
  });

  it('gives JSON to the letter', async () => {
    const value = '{"b": 1.0, "a":[1e400,"]\\"" , -0]}';
    const tables = [
      { ...people, columns: [people.columns[0]!, { name: 'v', type: 'json' as const, nullable: false }] },
    ];
    const entries = [
      json('archive.json', { ...head, tables }),
      rowsEntry('people', 1, `[1, ${value} ]`, '[2,null]'),
    ];
    await writeArchive(file, entries);
    expect((await take()).rows).toEqual([
      [1, value],
      [2, 'null'],
    ]);
  });

  it('may be read twice, though its name is gone', async () => {
    await writeArchive(file, honest, { passphrase: 'correct horse' });
    const archive = await openArchive(file, 'correct horse');
    rmSync(file);
    const first = await readArchive(archive, {});
    expect(await readArchive(archive, {})).toEqual(first);
    await archive.close();
  });
});

/** `honest` with something else instead of, or after, one of its entries; the manifest follows. */
const instead = (name: string, ...entries: readonly MadeEntry[]): readonly MadeEntry[] => {
  const changed = honest.flatMap((entry) => (entry.name === name ? entries : [entry]));
  return [...changed, manifestOf(changed)];
};
const with_ = (...entries: readonly MadeEntry[]) => [
  ...honest,
  ...entries,
  manifestOf([...honest, ...entries]),
];
const withHead = (change: object) => instead('archive.json', json('archive.json', { ...head, ...change }));
const withRow = (row: string) => with_(rowsEntry('people', 3, row)).toSorted(rowsFirst);
const rowsFirst = (a: MadeEntry, b: MadeEntry) => rank(a) - rank(b);
const rank = ({ name }: MadeEntry) =>
  name === 'archive.json' ? 0 : name.startsWith('tables/') ? 1 : name === 'manifest.json' ? 3 : 2;
const packed = async (entries: readonly MadeEntry[]) => compressed(await tarOf(entries));
const manifest = manifestOf(honest);
const changed = (edit: (text: string) => string) => [
  ...honest,
  { ...manifest, content: edit(manifest.content as string) },
];
const column = people.columns[0]!;
const numbered = (many: number) => Array.from({ length: many }, (_, at) => `n${at}`);
const longName = (at: number) => `files/certificates/${`${'x'.repeat(190)}/`.repeat(5)}${at}`;

/** What is written to the file, the code it is refused with, and words that have to be in the message. */
const hostile: readonly (readonly [string, () => Promise<Uint8Array> | Uint8Array, string, RegExp])[] = [
  ['is empty', () => Buffer.alloc(0), 'backup-truncated', /is empty/],
  ['is a text', () => Buffer.from('hello, world\n'), 'backup-foreign', /neither zstd nor age/],
  ['is a tar that is not compressed', () => tarOf(honest), 'backup-foreign', /neither zstd nor age/],
  ['has four bytes', () => Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), 'backup-truncated', /cut off/],
  ['is zstd of something else', () => compressed(Buffer.alloc(5000, 'x')), 'backup-foreign', /no tar in it/],
  ['is an empty tar', () => compressed(Buffer.alloc(1024)), 'backup-foreign', /empty/],
  ['is a tar of something else', () => packed([json('package.json', {})]), 'backup-foreign', /first entry/],
  [
    'is a backup of something else',
    () => packed(withHead({ format: 'x' })),
    'backup-foreign',
    /archive\.json/,
  ],
  [
    'is of a newer format',
    () => packed(withHead({ version: 2, release: '3.1.0' })),
    'backup-newer-format',
    /format 2/,
  ],
  [
    'has a head that is no JSON',
    () => packed(instead('archive.json', { name: 'archive.json', content: '{' })),
    'backup-damaged',
    /archive\.json/,
  ],
  [
    'has a head that lacks something',
    () => packed(withHead({ migrations: undefined })),
    'backup-damaged',
    /archive\.json/,
  ],
  [
    'says that it has secrets, and is not encrypted',
    () => packed(withHead({ secrets: true })),
    'backup-entry',
    /not encrypted/,
  ],
  ['has no manifest', () => packed(honest), 'backup-unfinished', /manifest/],
  [
    'goes on after the manifest',
    () => packed([...honest, manifest, rowsEntry('people', 3, '[4,"x",null]')]),
    'backup-entry',
    /after the manifest/,
  ],
  [
    'has an entry twice',
    () => packed([...honest, honest[3]!, manifest]),
    'backup-entry',
    /certificate\.pem" is there twice/,
  ],
  ['has two heads', () => packed([honest[0]!, ...honest, manifest]), 'backup-entry', /twice/],
  [
    'has an absolute path',
    () => packed(with_({ name: '/etc/cron.d/x' })),
    'backup-entry',
    /"\/etc\/cron\.d\/x" is an absolute path/,
  ],
  ['has ..', () => packed(with_({ name: 'files/certificates/../../x' })), 'backup-entry', /"\.\."/],
  ['ends in ..', () => packed(with_({ name: 'files/certificates/..' })), 'backup-entry', /"\.\."/],
  [
    'has a backslash',
    () => packed(with_({ name: String.raw`files/certificates/..\x` })),
    'backup-entry',
    /backslash/,
  ],
  [
    'has a newline in a name',
    () => packed(with_({ name: 'files/certificates/a\nb' })),
    'backup-entry',
    /control characters/,
  ],
  [
    'has an escape sequence in a name',
    () => packed(with_({ name: 'files/certificates/\u001B[2J' })),
    'backup-entry',
    /control characters/,
  ],
  [
    'turns the direction of a name',
    () => packed(with_({ name: 'files/certificates/\u202Emep.yek' })),
    'backup-entry',
    /control characters/,
  ],
  [
    'has an empty part in a name',
    () => packed(with_({ name: 'files/certificates//x' })),
    'backup-entry',
    /empty part/,
  ],
  [
    'has a very long name',
    () => packed(with_({ name: `files/certificates/${'a/'.repeat(600)}a` })),
    'backup-entry',
    /too long/,
  ],
  [
    'has a name of very many parts',
    () => packed(with_({ name: `files/certificates/${'a/'.repeat(20)}a` })),
    'backup-entry',
    /too many parts/,
  ],
  [
    'has names without measure',
    () => packed([...honest, ...Array.from({ length: 8_800 }, (_, at) => ({ name: longName(at) }))]),
    'backup-bomb',
    /its names/,
  ],
  [
    'has an unknown entry',
    () => packed(with_({ name: 'files/elsewhere/x' })),
    'backup-entry',
    /belongs to no backup/,
  ],
  [
    'has a class without a file',
    () => packed(with_({ name: 'files/certificates' })),
    'backup-entry',
    /belongs to no backup/,
  ],
  [
    'has a symbolic link',
    () => packed(with_({ name: 'files/certificates/x', type: 'symlink', linkname: '/etc/shadow' })),
    'backup-entry',
    /symlink/,
  ],
  [
    'has a link',
    () => packed(with_({ name: 'files/certificates/x', type: 'link', linkname: '/etc/shadow' })),
    'backup-entry',
    /link/,
  ],
  [
    'has a device',
    () => packed(with_({ name: 'files/certificates/x', type: 'character-device' })),
    'backup-entry',
    /device/,
  ],
  ['has a pipe', () => packed(with_({ name: 'files/certificates/x', type: 'fifo' })), 'backup-entry', /fifo/],
  [
    'has a folder',
    () => packed(with_({ name: 'files/certificates/x', type: 'directory' })),
    'backup-entry',
    /directory|empty part/,
  ],
  [
    'has a file in a file',
    () => packed(with_({ name: `${honest[3]!.name}/x` })),
    'backup-entry',
    /what is a file/,
  ],
  [
    'has a file for a folder',
    () => packed(with_({ name: 'files/certificates/lets-encrypt' })),
    'backup-entry',
    /folder as well/,
  ],
  [
    'has secrets of root, and says it has none',
    () => packed(with_({ name: 'files/stack/x' })),
    'backup-entry',
    /secret/,
  ],
  [
    'has rows of a table that it does not name',
    () => packed(with_(rowsEntry('users', 1, '[1]')).toSorted(rowsFirst)),
    'backup-entry',
    /does not name/,
  ],
  [
    'has rows after files',
    () => packed(with_(rowsEntry('people', 3, '[4,"x",null]'))),
    'backup-entry',
    /where it belongs/,
  ],
  ['lacks a part', () => packed(instead(honest[1]!.name)), 'backup-entry', /where it belongs/],
  [
    'has a table with a name that is none',
    () => packed(withHead({ tables: [{ ...people, name: 'people"; drop table users' }] })),
    'backup-shape',
    /no name/,
  ],
  [
    'has a table twice',
    () => packed(withHead({ tables: [people, people] })),
    'backup-shape',
    /"people" twice/,
  ],
  [
    'has tables without number',
    () => packed(withHead({ tables: numbered(1001).map((name) => ({ ...people, name })) })),
    'backup-shape',
    /more than 1000$/,
  ],
  [
    'has migrations without number',
    () => packed(withHead({ migrations: numbered(10_001) })),
    'backup-shape',
    /more than 10000 migrations/,
  ],
  [
    'has a column twice',
    () => packed(withHead({ tables: [{ ...people, columns: [column, column] }] })),
    'backup-shape',
    /"id" twice/,
  ],
  [
    'has a column of an unknown type',
    () => packed(withHead({ tables: [{ ...people, columns: [{ ...column, type: 'blob' }] }] })),
    'backup-shape',
    /column/,
  ],
  [
    'has a key that is no column',
    () => packed(withHead({ tables: [{ ...people, primaryKey: ['x'] }] })),
    'backup-shape',
    /key/,
  ],
  [
    'has a row with too few values',
    () => packed(withRow('[4,"x"]')),
    'backup-shape',
    /line 1 of "tables\/people\/000003\.ndjson": has 2 values/,
  ],
  ['has a row with too many values', () => packed(withRow('[4,"x",null,1]')), 'backup-shape', /has 4 values/],
  ['has a row that is an object', () => packed(withRow('{"id":4}')), 'backup-shape', /no row/],
  ['has a row that is no JSON', () => packed(withRow('[4,')), 'backup-shape', /not JSON/],
  ['has an empty line', () => packed(withRow('')), 'backup-shape', /not JSON/],
  [
    'has a row without what it must have',
    () => packed(withRow('[null,"x",null]')),
    'backup-shape',
    /"id" is no whole number/,
  ],
  [
    'has a number of more than 64 bits',
    () => packed(withRow('[9223372036854775808,"x",null]')),
    'backup-shape',
    /"id"/,
  ],
  ['has a fraction for a whole number', () => packed(withRow('[1.5,"x",null]')), 'backup-shape', /"id"/],
  ['has a number for a text', () => packed(withRow('[4,5,null]')), 'backup-shape', /"name" is no text/],
  ['has NUL in a text', () => packed(withRow(String.raw`[4,"\u0000",null]`)), 'backup-shape', /"name"/],
  ['has half a character', () => packed(withRow(String.raw`[4,"\ud800",null]`)), 'backup-shape', /"name"/],
  [
    'has an address that is none',
    () => packed(withRow('[4,"x","192.0.2.0/24"]')),
    'backup-shape',
    /"address" is no address/,
  ],
  [
    'has rows that are no UTF-8',
    () =>
      packed(
        with_({
          name: 'tables/people/000003.ndjson',
          content: Buffer.from([0x5b, 0xff, 0x5d, 0x0a]),
        }).toSorted(rowsFirst),
      ),
    'backup-damaged',
    /no text/,
  ],
  [
    'has rows without an end',
    () => packed(with_({ name: 'tables/people/000003.ndjson', content: '[4,"x",null]' }).toSorted(rowsFirst)),
    'backup-damaged',
    /end of a line/,
  ],
  [
    'has more bytes than the manifest says',
    () => packed(changed((text) => text.replace(/("size":)\d+/, '$11'))),
    'backup-damaged',
    /bytes, and the manifest says 1/,
  ],
  [
    'has other bytes than the manifest says',
    () => packed(changed((text) => text.replace(/("sha256":")../, '$100'))),
    'backup-damaged',
    /"archive\.json" is not what was written/,
  ],
  [
    'has more rows than the manifest says',
    () => packed(changed((text) => text.replace('"rows":3', '"rows":2'))),
    'backup-damaged',
    /3 rows, and the manifest says 2/,
  ],
  [
    'has a manifest with an entry more',
    () => packed(changed((text) => text.replace('people/000002', 'people/000009'))),
    'backup-damaged',
    /is missing/,
  ],
  [
    'has an entry that the manifest does not name',
    () => packed([...honest, { name: 'files/certificates/x' }, manifest]),
    'backup-entry',
    /not in the manifest/,
  ],
  [
    'has a file that would run as its owner',
    () => packed(changed((text) => text.replace('"mode":420', '"mode":2541'))),
    'backup-damaged',
    /manifest\.json/,
  ],
  [
    'has a manifest that is no JSON',
    () => packed(changed((text) => text.slice(1))),
    'backup-damaged',
    /manifest\.json/,
  ],
  ['is a bomb', () => compressed(Buffer.alloc(300 * 1024 * 1024)), 'backup-bomb', /unpacks to more than/],
  [
    'has a document without measure',
    () =>
      packed(instead('archive.json', { name: 'archive.json', content: Buffer.alloc(17 * 1024 * 1024, ' ') })),
    'backup-bomb',
    /archive\.json/,
  ],
  [
    'wants much memory',
    () =>
      zstdCompressSync(Buffer.alloc(40 * 1024 * 1024, 'abc'), {
        params: { [constants.ZSTD_c_windowLog]: 27, [constants.ZSTD_c_contentSizeFlag]: 0 },
      }),
    'backup-bomb',
    /memory/,
  ],
  [
    'is encrypted, and there is no passphrase',
    async () => encrypted(await packed([...honest, manifest]), 'x'),
    'backup-passphrase-missing',
    /is encrypted/,
  ],
];

describe('an archive is refused, and nothing is changed, where it', () => {
  it.each(hostile)('%s', async (_, make, code, message) => {
    writeFileSync(file, await make());
    const failure = await take().then(
      () => undefined,
      (error: unknown) => error as Failure,
    );
    expect(failure).toBeInstanceOf(Failure);
    expect(failure?.message).toMatch(message);
    expect(failure).toMatchObject({ code, remedy: expect.stringMatching(/./) as string });
    expect(readdirSync(folder)).toEqual(['appliance-20261122T213600Z.tar.zst']);
  });
});

describe('an encrypted archive', () => {
  it('is refused with another passphrase, and with none', async () => {
    await writeArchive(file, honest, { passphrase: 'correct horse' });
    await expect(take('wrong horse')).rejects.toMatchObject({ code: 'backup-passphrase-wrong', exitCode: 2 });
    await expect(take('')).rejects.toMatchObject({ code: 'backup-passphrase-wrong' });
    await expect(take()).rejects.toMatchObject({ code: 'backup-passphrase-missing', exitCode: 2 });
  });

  it('is not read to its end in search of the end of its header', async () => {
    writeFileSync(file, `age-encryption.org/v1\n${'x'.repeat(100_000)}`);
    await expect(take('x')).rejects.toMatchObject({ code: 'backup-damaged' });
  });
});

describe('a name that is no archive', () => {
  it.each([
    ['nothing', 'none.tar.zst', 'backup-missing'],
    ['a folder', '.', 'backup-foreign'],
  ])('of %s is told', async (_, name, code) => {
    await expect(openArchive(join(folder, name), undefined)).rejects.toMatchObject({ code });
  });
});

/** Flips a bit, cuts off, leaves out or repeats some bytes. */
function damaged(bytes: Uint8Array, random: (below: number) => number): Buffer {
  const copy = Buffer.from(bytes);
  const at = random(copy.length);
  const length = 1 + random(200);
  switch (random(5)) {
    case 0:
      return copy.subarray(0, at);
    case 1:
      return Buffer.concat([copy.subarray(0, at), copy.subarray(at + length)]);
    case 2:
      return Buffer.concat([copy.subarray(0, at + length), copy.subarray(at)]);
    default:
      copy[at]! ^= 1 << random(8);
      return copy;
  }
}

describe('an archive that was damaged at random', () => {
  it.each([
    ['plain', undefined],
    ['encrypted', 'correct horse'],
  ])('is refused by a Failure, or gives just what it gave: %s', async (_, passphrase) => {
    // long enough that most of the damage hits rows
    const rows = Array.from(
      { length: 400 },
      (_, id) => `[${id + 10},"${(id * 7919).toString(36)} of many",null]`,
    );
    const entries = [...honest, rowsEntry('people', 3, ...rows)].toSorted(rowsFirst);
    await writeArchive(file, entries, passphrase === undefined ? {} : { passphrase });
    const whole = readFileSync(file);
    const { sha256: _sha, ...expected } = await take(passphrase);
    const numbers = randomNumbers(20261122);
    const random = (below: number) => Math.floor(numbers() * below);
    let refused = 0;
    for (let round = 0; round < 300; round++) {
      const bytes = damaged(whole, random);
      if (bytes.equals(whole)) continue;
      writeFileSync(file, bytes);
      try {
        const { sha256: _sha, ...taken } = await take(passphrase);
        // a bit that zstd has no use for
        expect(taken).toEqual(expected);
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        expect(error.code).toMatch(/^backup-/);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(passphrase === undefined ? 280 : 295);
  });
});
