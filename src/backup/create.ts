import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from '../core/atomic-file.ts';
import { Failure } from '../core/errors.ts';
import type { Clock } from '../core/clock.ts';
import { type HeldLock, takeLock } from '../core/file-lock.ts';
import { readFailure } from '../core/storage-failure.ts';
import type { Database, Queries } from '../ports/database.ts';
import type { DatabaseShape, TableShape } from '../ports/database-shape.ts';
import { archiveName, parseArchiveName, unfinishedEnding } from './archive-name.ts';
import { type ArchiveWriter, createArchiveWriter } from './archive-writer.ts';
import { type ArchiveHead, formatName, formatVersion, type Manifest, maxPartBytes } from './format.ts';
import type { FoundFiles, LeftOut } from './host-files.ts';
import { keptTables } from './left-out-tables.ts';
import { jsonLine, pagesOf } from './table-rows.ts';

/** Well below `maxPartBytes`: a part is in memory as a whole, several times over. */
const usualPartBytes = maxPartBytes / 4;

export interface CreateOptions {
  readonly database: Database;
  /** Of all archives; made where it is missing. */
  readonly folder: string;
  /** Without it the archive is not encrypted, and `files` must hold no secrets. */
  readonly passphrase: string | undefined;
  /** Reads the files of the host that go into it. */
  readonly files: () => Promise<FoundFiles>;
  readonly hostName: string;
  /** This release, `MAJOR.MINOR.PATCH`. */
  readonly release: string;
  readonly clock: Pick<Clock, 'now'>;
  /** A copy of what is there before something else is put in its place. */
  readonly beforeRestore?: boolean;
  /** Files alone, where rows are kept elsewhere: an archive of an empty database of those migrations. */
  readonly withoutRows?: { readonly migrations: readonly string[] };
  readonly progress?: (done: Progress) => void;
  readonly signal: AbortSignal;
}

export interface Progress {
  readonly table: string;
  /** Of all tables so far. */
  readonly rows: number;
  readonly bytes: number;
}

export interface CreatedBackup {
  readonly file: string;
  readonly name: string;
  readonly sizeBytes: number;
  readonly createdMs: number;
  readonly encrypted: boolean;
  readonly tables: Manifest['tables'];
  readonly files: number;
  readonly leftOut: readonly LeftOut[];
}

/**
 * Writes an archive of all that is kept, the tables as they were at one moment; others go on writing meanwhile. Whoever holds
 * the lock of the folder may call it. Rejects with the Failures of the database, with `store-full` or `store-unwritable`,
 * or with the signal's reason; then no file is left. What killed runs left is removed first.
 */
export async function createBackup(options: CreateOptions): Promise<CreatedBackup> {
  const { database, folder, passphrase, beforeRestore = false, withoutRows, clock, signal } = options;
  signal.throwIfAborted();
  await makeFolder(folder);
  await removeUnfinished(folder);
  const encrypted = passphrase !== undefined;
  const found = await options.files();
  const createdMs = await freeMoment(folder, clock.now());
  const name = archiveName({ createdMs, encrypted, beforeRestore });
  const file = join(folder, name);
  const writer = await createArchiveWriter({ file, passphrase, createdMs });
  try {
    const writeRows = async ({ tables: all, migrations }: DatabaseShape, queries: Queries) => {
      if (migrations.length === 0) throw nothingThere();
      const head: ArchiveHead = {
        format: formatName,
        version: formatVersion,
        createdMs,
        hostName: options.hostName,
        release: options.release,
        database: database.kind,
        migrations,
        tables: keptTables(all),
        secrets: encrypted,
      };
      await writer.add('archive.json', Buffer.from(`${JSON.stringify(head)}\n`));
      return writeTables(head.tables, queries, writer, options);
    };
    const tables =
      withoutRows === undefined
        ? await database.snapshot(async (snapshot) => writeRows(await database.shape(snapshot), snapshot))
        : await writeRows({ tables: [], ...withoutRows }, database.queries);
    for (const { class: kind, path, content, mode } of found.files) {
      signal.throwIfAborted();
      await writer.add(`files/${kind}/${path}`, content, mode);
    }
    signal.throwIfAborted();
    const sizeBytes = await writer.finish(tables);
    const { files, leftOut } = found;
    return { file, name, sizeBytes, createdMs, encrypted, tables, files: files.length, leftOut };
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

/** An archive of nothing would pass for a good one, and restoring it would take everything away. */
function nothingThere(): Failure {
  return new Failure('there is nothing to back up: the database has no tables yet', {
    code: 'backup-nothing',
    remedy:
      'Is APP_DATA_DIR, or the database in postgres.env, the one of the service? It makes its tables when it starts.',
  });
}

/** For whoever makes, removes or restores archives. Rejects with `locked` (exit code 5) where another does. */
export async function lockBackups(folder: string, holder: string): Promise<HeldLock> {
  await makeFolder(folder);
  return takeLock({ path: join(folder, '.lock'), subject: 'the backups', holder });
}

async function writeTables(
  tables: readonly TableShape[],
  queries: Queries,
  writer: ArchiveWriter,
  { progress, signal }: Pick<CreateOptions, 'progress' | 'signal'>,
): Promise<Manifest['tables']> {
  const counts: { name: string; rows: number }[] = [];
  const done = { rows: 0, bytes: 0 };
  for (const table of tables) {
    let part: string[] = [];
    let partBytes = 0;
    let parts = 0;
    let rows = 0;
    const write = async (): Promise<void> => {
      const number = String(++parts).padStart(6, '0');
      await writer.add(`tables/${table.name}/${number}.ndjson`, Buffer.from(part.join('')));
      [part, partBytes] = [[], 0];
    };
    for await (const lines of pagesOf(queries, table, jsonLine(table))) {
      signal.throwIfAborted();
      for (const line of lines) {
        const bytes = Buffer.byteLength(line);
        if (partBytes > 0 && partBytes + bytes > usualPartBytes) await write();
        part.push(line);
        partBytes += bytes;
        done.bytes += bytes;
      }
      rows += lines.length;
      done.rows += lines.length;
      progress?.({ table: table.name, ...done });
    }
    if (partBytes > 0) await write();
    counts.push({ name: table.name, rows });
  }
  return counts;
}

/** The second of `now`, or the next that no archive has in its name. */
async function freeMoment(folder: string, now: number): Promise<number> {
  const taken = new Set((await readdir(folder)).map((name) => parseArchiveName(name)?.createdMs));
  let moment = Math.floor(now / 1000) * 1000;
  while (taken.has(moment)) moment += 1000;
  return moment;
}

/** What killed runs left. Under the lock nobody else is at it. */
async function removeUnfinished(folder: string): Promise<void> {
  const names = await readdir(folder).catch((error: unknown) => {
    throw readFailure(folder, error);
  });
  for (const name of names) {
    if (!name.endsWith(unfinishedEnding)) continue;
    if (parseArchiveName(name.slice(0, -unfinishedEnding.length)) === undefined) continue;
    await rm(join(folder, name), { force: true }).catch(() => undefined);
  }
}
