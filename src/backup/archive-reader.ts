import { createHash } from 'node:crypto';
import { extract, type Header } from 'tar-stream';
import { Failure } from '../core/errors.ts';
import type { TableShape } from '../ports/database-shape.ts';
import type { CellValue } from '../ports/scratch-database.ts';
import { archiveFailure, shown } from './archive-failure.ts';
import type { ArchiveFile } from './archive-file.ts';
import { parseHead } from './archive-head.ts';
import { checkManifest, parseManifest, type SeenEntry } from './archive-manifest.ts';
import { type EntryName, entryName } from './entry-name.ts';
import type { ArchiveHead, FileClass, Manifest } from './format.ts';
import { parseRow } from './row-text.ts';
import { RowsSum } from './rows-sum.ts';

/** Is given what an archive holds, in its order. Whatever it rejects with ends the reading. */
export interface ArchiveVisitor {
  head?(head: ArchiveHead): Promise<void>;
  /** Rows of a table that follow each other, some hundreds at most. */
  rows?(table: TableShape, rows: readonly (readonly CellValue[])[]): Promise<void>;
  /** What is left of `content` when it resolves is passed over. */
  file?(file: FoundFile, content: AsyncIterable<Uint8Array>): Promise<void>;
}

export interface FoundFile {
  readonly fileClass: FileClass;
  /** Below the folder of its class. */
  readonly path: string;
}

/** What was found in an archive that is whole. */
export interface ReadArchive {
  readonly head: ArchiveHead;
  readonly manifest: Manifest;
  /** Of each table of the head, in its order. */
  readonly tables: readonly CountedTable[];
  /** Bytes of all entries. */
  readonly plainBytes: number;
  /** Of the archive's file. */
  readonly sha256: string;
}

export interface CountedTable {
  readonly name: string;
  readonly rows: number;
  /** See `RowsSum`. */
  readonly sum: string;
}

/** A head and a manifest are not larger, nor has an archive of 400 GB more entries. */
const longestDocument = 16 * 1024 * 1024;
const mostEntries = 100_000;
/** Of all of them together, twice what so many parts have. */
const longestNames = 8 * 1024 * 1024;
/** Parts are far smaller, but for one row that is longer. */
const longestPart = 64 * 1024 * 1024;
const rowsAtOnce = 500;

/**
 * Reads an archive from its start to its end, in bounded memory, and judges all of it: what is visited is known to be
 * whole only when this resolves. Throws a Failure with an `ArchiveFault`, `store-unreadable`, or the signal's reason.
 */
export async function readArchive(
  archive: ArchiveFile,
  visitor: ArchiveVisitor,
  options: { readonly signal?: AbortSignal; readonly progress?: (readBytes: number) => void } = {},
): Promise<ReadArchive> {
  const reading = new Reading(visitor, archive.encrypted);
  const unpacked = extract({});
  let fault: Error | undefined;
  const feeding = (async () => {
    const bytes = archive.tar(options.progress);
    try {
      for (;;) {
        options.signal?.throwIfAborted();
        const { done, value } = await bytes.next();
        if (done === true) {
          unpacked.end(undefined);
          return value;
        }
        if (!unpacked.write(value)) await roomIn(unpacked);
        if (unpacked.destroyed) return undefined;
      }
    } finally {
      // ends what is below it, where nobody reads on
      await bytes.return({ sha256: '' });
    }
  })().catch((error: unknown) => {
    fault = error as Error;
    unpacked.destroy(fault);
    return undefined;
  });
  try {
    for await (const entry of unpacked) await reading.entry(entry);
  } catch (error) {
    unpacked.destroy();
    await feeding;
    throw (
      fault ??
      (error instanceof Failure || options.signal?.aborted === true ? error : reading.faultOf(error as Error))
    );
  }
  const end = await feeding;
  if (fault !== undefined) throw fault;
  return reading.end(end?.sha256 ?? '');
}

/** Resolves when it takes more, and when it takes nothing any more. */
function roomIn(unpacked: ReturnType<typeof extract>): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      unpacked.off('drain', settle);
      unpacked.off('close', settle);
      resolve();
    };
    unpacked.on('drain', settle);
    unpacked.on('close', settle);
    if (unpacked.destroyed) settle();
  });
}

/** One reading of an archive. */
class Reading {
  readonly #visitor: ArchiveVisitor;
  readonly #encrypted: boolean;
  readonly #seen = new Map<string, SeenEntry>();
  readonly #tables = new Map<string, { parts: number; readonly sum: RowsSum }>();
  #head: ArchiveHead | undefined;
  #manifest: Manifest | undefined;
  /** Tables before that one in the head have come to their end. */
  #tableIndex = 0;
  #plainBytes = 0;
  #namesLength = 0;

  constructor(visitor: ArchiveVisitor, encrypted: boolean) {
    this.#visitor = visitor;
    this.#encrypted = encrypted;
  }

  async entry(entry: AsyncIterable<unknown> & { readonly header: Header }): Promise<void> {
    const { name, type, size } = entry.header;
    const what = this.#judge(name, type ?? undefined);
    const hash = createHash('sha256');
    let read = 0;
    // by hand: whoever leaves a loop over it early would end the reading of the whole archive
    const pieces = (entry as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
    const next = async (): Promise<Uint8Array | undefined> => {
      const { done, value } = await pieces.next();
      if (done === true) return undefined;
      read += value.length;
      hash.update(value);
      return value;
    };
    const content = (async function* () {
      for (let bytes = await next(); bytes !== undefined; bytes = await next()) yield bytes;
    })();
    await this.#take(name, what, size ?? 0, content);
    while ((await next()) !== undefined);
    this.#plainBytes += read;
    if (what.is !== 'manifest')
      this.#seen.set(name, { size: read, sha256: hash.digest('hex'), isFile: what.is === 'file' });
  }

  end(sha256: string): ReadArchive {
    if (this.#head === undefined) throw archiveFailure('backup-foreign', 'it is no backup: it is empty');
    if (this.#manifest === undefined)
      throw archiveFailure(
        'backup-unfinished',
        'it has no manifest.json: it was never finished, or is cut off',
      );
    const tables = this.#head.tables.map(({ name }) => {
      const { sum } = this.#tables.get(name) ?? { sum: new RowsSum() };
      return { name, rows: sum.rows, sum: sum.text() };
    });
    checkManifest(this.#manifest, this.#seen, tables);
    return { head: this.#head, manifest: this.#manifest, tables, plainBytes: this.#plainBytes, sha256 };
  }

  /** What the tar's own faults mean. */
  faultOf(cause: Error): Failure {
    const cutOff = cause.message === 'Unexpected end of data';
    if (cutOff) return archiveFailure('backup-truncated', 'it ends in the middle of an entry', { cause });
    return this.#head === undefined
      ? archiveFailure('backup-foreign', 'it is no backup of the appliance: there is no tar in it', { cause })
      : archiveFailure('backup-damaged', `it is damaged: ${cause.message}`, { cause });
  }

  /** What may come at this place. */
  #judge(name: string, type: string | undefined): EntryName {
    // the name of what is no backup should not be told as a fault of a backup
    if (this.#head === undefined && name !== 'archive.json')
      throw archiveFailure(
        'backup-foreign',
        'it is no backup of the appliance: archive.json is not its first entry',
      );
    const what = entryName(name);
    const refused = (why: string) => archiveFailure('backup-entry', `the entry ${shown(name)} ${why}`);
    if (type !== 'file') throw refused(`is no file but a ${type ?? 'thing unknown'}`);
    if (this.#seen.has(name) || (what.is === 'head' && this.#head !== undefined))
      throw refused('is there twice');
    if (this.#manifest !== undefined) throw refused('comes after the manifest');
    if (this.#seen.size >= mostEntries)
      throw refused(`is one more than the ${mostEntries} that a backup may have`);
    this.#namesLength += name.length;
    if (this.#namesLength > longestNames)
      throw archiveFailure('backup-bomb', `its names have more than ${longestNames} characters`);
    if (what.is === 'rows') this.#expectPart(what, refused);
    if (what.is === 'file') this.#expectFile(name, what.fileClass, refused);
    return what;
  }

  /** Parts come in their order, tables in that of the head. */
  #expectPart({ table, part }: Extract<EntryName, { is: 'rows' }>, refused: (why: string) => Error): void {
    const index = this.#head?.tables.findIndex(({ name }) => name === table) ?? -1;
    if (index < 0) throw refused('is of a table that archive.json does not name');
    if (index < this.#tableIndex || part !== (this.#tables.get(table)?.parts ?? 0) + 1)
      throw refused('is not where it belongs');
    this.#tableIndex = index;
  }

  #expectFile(name: string, fileClass: FileClass, refused: (why: string) => Error): void {
    if (fileClass === 'stack' && this.#head?.secrets !== true)
      throw refused('is a secret, and archive.json says that there is none');
    this.#tableIndex = this.#head?.tables.length ?? 0;
    const parts = name.split('/');
    const above = parts.map((_, index) => parts.slice(0, index).join('/'));
    if (above.some((folder) => this.#seen.has(folder))) throw refused('lies in what is a file');
    if (this.#seen.size > 0 && this.#folders.has(name)) throw refused('is a folder as well');
    for (const folder of above) this.#folders.add(folder);
  }
  readonly #folders = new Set<string>();

  async #take(
    name: string,
    what: EntryName,
    size: number,
    content: AsyncGenerator<Uint8Array>,
  ): Promise<void> {
    switch (what.is) {
      case 'head':
        this.#head = parseHead(await whole(name, size, content, longestDocument));
        if (this.#head.secrets && !this.#encrypted)
          throw archiveFailure('backup-entry', 'it says that it holds secrets, and is not encrypted');
        return this.#visitor.head?.(this.#head);
      case 'manifest':
        this.#manifest = parseManifest(await whole(name, size, content, longestDocument));
        return;
      case 'file':
        return this.#visitor.file?.(what, content);
      case 'rows':
        return this.#rows(name, what.table, await whole(name, size, content, longestPart));
    }
  }

  async #rows(entry: string, name: string, bytes: Uint8Array): Promise<void> {
    const table = this.#head!.tables.find((each) => each.name === name)!;
    const so = this.#tables.get(name) ?? { parts: 0, sum: new RowsSum() };
    this.#tables.set(name, so);
    so.parts++;
    const damaged = (why: string) => archiveFailure('backup-damaged', `the entry ${shown(entry)} ${why}`);
    if (bytes.at(-1) !== 0x0a) throw damaged('does not end with the end of a line');
    let rows: (readonly CellValue[])[] = [];
    let line = 0;
    const flush = async () => {
      if (rows.length > 0) await this.#visitor.rows?.(table, rows);
      rows = [];
    };
    for (let start = 0; start < bytes.length;) {
      const end = bytes.indexOf(0x0a, start);
      const text = textOf(bytes.subarray(start, end));
      if (text === undefined) throw damaged('is no text');
      so.sum.add(text);
      rows.push(parseRow(text, table, `line ${++line} of ${shown(entry)}`));
      start = end + 1;
      if (rows.length >= rowsAtOnce) await flush();
    }
    await flush();
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

async function whole(
  name: string,
  size: number,
  content: AsyncIterable<Uint8Array>,
  longest: number,
): Promise<Uint8Array> {
  if (size > longest)
    throw archiveFailure('backup-bomb', `the entry ${shown(name)} has ${size} bytes, more than ${longest}`);
  const parts: Uint8Array[] = [];
  for await (const bytes of content) parts.push(bytes);
  return Buffer.concat(parts);
}
