import { join } from 'node:path';
import { countText } from '../core/count-text.ts';
import { makeFolder } from '../core/atomic-file.ts';
import { Failure } from '../core/errors.ts';
import { takeLock } from '../core/file-lock.ts';
import type { Queries } from '../ports/database.ts';
import type { TableShape } from '../ports/database-shape.ts';
import type { ScratchDatabase, ScratchDatabases } from '../ports/scratch-database.ts';
import { archiveFailure } from './archive-failure.ts';
import type { ArchiveFile } from './archive-file.ts';
import { shapeFailure } from './archive-head.ts';
import { type ArchiveVisitor, type CountedTable, type ReadArchive, readArchive } from './archive-reader.ts';
import type { ArchiveHead } from './format.ts';
import { RowsSum } from './rows-sum.ts';
import { jsonLine, pagesOf } from './table-rows.ts';

export interface ProofProgress {
  readonly step: 'reading' | 'loading' | 'comparing';
  /** From 0 to 1. */
  readonly done: number;
}

export interface ProofOptions {
  readonly archive: ArchiveFile;
  /** Of all archives; the lock that lets one prove at a time is there. */
  readonly folder: string;
  readonly scratch: ScratchDatabases;
  /** Throws where there is not enough room for that many bytes of rows and files. */
  readonly expectRoom?: (read: ReadArchive) => Promise<void>;
  readonly progress?: (progress: ProofProgress) => void;
  readonly signal: AbortSignal;
}

/** What the archive holds, and a database with its rows. */
export interface Proven {
  readonly read: ReadArchive;
  readonly scratch: ScratchDatabase;
  /** Removes that database. Never rejects. */
  end(): Promise<void>;
}

/**
 * Proves that an archive can be restored: reads all of it, and then loads it into a database that nobody else looks at, reads it
 * back and compares each table. The tables are then those of this release. Throws a Failure with an `ArchiveFault`, or one
 * of the database or the disk, or `locked` (exit code 5) where another proof is under way; then nothing is left.
 */
export async function proveArchive(options: ProofOptions): Promise<Proven> {
  await makeFolder(options.folder);
  const path = join(options.folder, '.proof-lock');
  const lock = await takeLock({ path, subject: 'the proofs of backups', holder: 'appliance backup' });
  try {
    const signal = AbortSignal.any([options.signal, lock.signal]);
    const { read, scratch } = await proveAlone({ ...options, signal });
    return {
      read,
      scratch,
      async end() {
        await scratch.remove();
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function proveAlone(options: ProofOptions): Promise<Omit<Proven, 'end'>> {
  const { archive, signal } = options;
  const report = (step: ProofProgress['step']) => (readBytes: number) =>
    options.progress?.({ step, done: readBytes / Math.max(1, archive.bytes) });
  const read = await readArchive(archive, {}, { signal, progress: report('reading') });
  const migrations = knownMigrations(read.head, options.scratch.migrations);
  await options.expectRoom?.(read);
  const scratch = await options.scratch.create(migrations);
  try {
    expectShape(read.head.tables, (await scratch.database.shape()).tables);
    await readAgain(
      archive,
      read,
      { rows: (table, rows) => scratch.load(table, rows).catch(notLoaded(table)) },
      { signal, progress: report('loading') },
    );
    await compare(read, scratch, options);
    await scratch.upgrade();
    return { read, scratch };
  } catch (error) {
    await scratch.remove();
    throw error;
  }
}

/** Reads what was judged already. Throws `backup-damaged` where the file changed since. */
export async function readAgain(
  archive: ArchiveFile,
  { sha256 }: ReadArchive,
  visitor: ArchiveVisitor,
  options: Parameters<typeof readArchive>[2],
): Promise<void> {
  const again = await readArchive(archive, visitor, options);
  if (again.sha256 !== sha256)
    throw archiveFailure('backup-damaged', `${archive.path} changed while it was read`);
}

function knownMigrations(head: ArchiveHead, known: readonly string[]): readonly string[] {
  const newer = head.migrations.filter((name) => !known.includes(name));
  if (newer.length === 0) return head.migrations;
  throw archiveFailure(
    'backup-newer-schema',
    `release ${head.release} wrote it, with tables that this release does not know (${newer.join(', ')})`,
    { remedy: `Use release ${head.release} or a later one.` },
  );
}

function expectShape(wanted: readonly TableShape[], found: readonly TableShape[]): void {
  for (const { name, columns } of wanted) {
    const own = found.find((table) => table.name === name);
    if (own === undefined) throw shapeFailure(`there is no table "${name}"`);
    const words = (each: TableShape['columns']) =>
      each.map((column) => `${column.name} ${column.type}${column.nullable ? ' or nothing' : ''}`).toSorted();
    if (words(columns).join() !== words(own.columns).join())
      throw shapeFailure(`the table "${name}" has ${words(own.columns).join(', ')}`);
  }
}

const ofTheRows: readonly string[] = [
  'duplicate-key',
  'database-reference',
  'database-value',
  'database-number',
];

function notLoaded({ name }: TableShape) {
  return (error: unknown): never => {
    if (error instanceof Failure && ofTheRows.includes(error.code))
      throw archiveFailure('backup-shape', `the table "${name}" does not take its rows: ${error.message}`, {
        cause: error,
      });
    throw error;
  };
}

async function compare(
  { head, tables }: ReadArchive,
  { database }: ScratchDatabase,
  { progress, signal }: ProofOptions,
): Promise<void> {
  const all = tables.reduce((sum, { rows }) => sum + rows, 0);
  let done = 0;
  for (const table of head.tables) {
    const written = tables.find(({ name }) => name === table.name)!;
    const found = await database.snapshot((snapshot) =>
      count(snapshot, table, (rows) => {
        signal.throwIfAborted();
        done += rows;
        progress?.({ step: 'comparing', done: done / Math.max(1, all) });
      }),
    );
    expectSame(written, found);
  }
}

async function count(
  queries: Queries,
  table: TableShape,
  progress: (rows: number) => void,
): Promise<CountedTable> {
  const sum = new RowsSum();
  for await (const lines of pagesOf(queries, table, jsonLine(table))) {
    for (const line of lines) sum.add(line.slice(0, -1));
    progress(lines.length);
  }
  return { name: table.name, rows: sum.rows, sum: sum.text() };
}

function expectSame(written: CountedTable, found: CountedTable): void {
  if (written.rows !== found.rows)
    throw archiveFailure(
      'backup-differs',
      `the table "${written.name}" has ${countText(written.rows, 'row')} in the archive, and ${found.rows} when it is restored`,
    );
  if (written.sum !== found.sum)
    throw archiveFailure('backup-differs', `the rows of "${written.name}" are others when they are restored`);
}
