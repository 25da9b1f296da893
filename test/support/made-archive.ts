import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { constants, zstdCompressSync } from 'node:zlib';
import { Encrypter } from 'age-encryption';
import { pack } from 'tar-stream';
import type { ArchiveHead } from '../../src/backup/format.ts';
import type { TableShape } from '../../src/ports/database-shape.ts';

/** An entry as a test wants it; a file where it has no type. */
export interface MadeEntry {
  readonly name: string;
  readonly content?: string | Uint8Array;
  readonly type?: 'file' | 'symlink' | 'link' | 'directory' | 'character-device' | 'fifo';
  readonly linkname?: string;
  readonly mode?: number;
}

export const people: TableShape = {
  name: 'people',
  primaryKey: ['id'],
  columns: [
    { name: 'id', type: 'integer', nullable: false },
    { name: 'name', type: 'text', nullable: false },
    { name: 'address', type: 'address', nullable: true },
  ],
};

export const head: ArchiveHead = {
  format: 'appliance-backup',
  version: 1,
  createdMs: 1_795_000_000_000,
  hostName: 'old.example',
  release: '0.1.0',
  database: 'sqlite',
  migrations: ['0001-state'],
  tables: [people],
  secrets: false,
};

export const json = (name: string, value: unknown): MadeEntry => ({ name, content: JSON.stringify(value) });
export const rowsEntry = (table: string, part: number, ...rows: readonly string[]): MadeEntry => ({
  name: `tables/${table}/${String(part).padStart(6, '0')}.ndjson`,
  content: rows.map((row) => `${row}\n`).join(''),
});

/** What an honest archive would have, so that one thing of it can be spoiled. */
export const honest: readonly MadeEntry[] = [
  json('archive.json', head),
  rowsEntry('people', 1, '[1,"Ann",null]', '[2,"Bob\\n\\"B\\"","192.0.2.1"]'),
  rowsEntry('people', 2, '[9007199254740993,"","2001:db8::1"]'),
  { name: 'files/certificates/lets-encrypt/a.example/certificate.pem', content: 'chain', mode: 0o644 },
];

/** The manifest of those entries, with as many rows as they have lines. */
export function manifestOf(entries: readonly MadeEntry[], tables = [people]): MadeEntry {
  const lines = (table: string) =>
    entries
      .filter(({ name }) => name.startsWith(`tables/${table}/`))
      .reduce((sum, { content }) => sum + bytesOf(content).filter((byte) => byte === 10).length, 0);
  return json('manifest.json', {
    entries: entries.map(({ name, content, mode }) => ({
      path: name,
      size: bytesOf(content).length,
      sha256: createHash('sha256').update(bytesOf(content)).digest('hex'),
      ...(name.startsWith('files/') ? { mode: mode ?? 0o600 } : {}),
    })),
    tables: tables.map(({ name }) => ({ name, rows: lines(name) })),
  });
}

export async function tarOf(entries: readonly MadeEntry[]): Promise<Buffer> {
  const tar = pack();
  for (const { name, content, ...header } of entries)
    tar.entry({ name, ...header }, Buffer.from(bytesOf(content)));
  tar.finalize();
  const parts: Uint8Array[] = [];
  for await (const bytes of tar as AsyncIterable<Uint8Array>) parts.push(bytes);
  return Buffer.concat(parts);
}

export function compressed(tar: Uint8Array): Buffer {
  return zstdCompressSync(tar, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
}

export async function encrypted(bytes: Uint8Array, passphrase: string): Promise<Uint8Array> {
  const encrypter = new Encrypter();
  encrypter.setPassphrase(passphrase);
  encrypter.setScryptWorkFactor(5);
  return encrypter.encrypt(bytes);
}

/** Writes an archive of those entries, with the manifest that they would have. */
export async function writeArchive(
  path: string,
  entries: readonly MadeEntry[],
  options: { readonly passphrase?: string; readonly tables?: TableShape[] } = {},
): Promise<void> {
  const bytes = compressed(await tarOf([...entries, manifestOf(entries, options.tables)]));
  await writeFile(
    path,
    options.passphrase === undefined ? bytes : await encrypted(bytes, options.passphrase),
  );
}

function bytesOf(content: string | Uint8Array = ''): Uint8Array {
  return typeof content === 'string' ? Buffer.from(content) : content;
}
