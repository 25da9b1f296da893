import { readFile } from 'node:fs/promises';
import { text as textOf } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { zstdDecompress } from 'node:zlib';
import { extract } from 'tar-stream';
import type { ArchiveHead } from '../../src/backup/format.ts';
import { jsonLine, pagesOf } from '../../src/backup/table-rows.ts';
import type { Database } from '../../src/ports/database.ts';
import type { TableShape } from '../../src/ports/database-shape.ts';
import type { VisitsFound } from './visit-ledger.ts';

/** Rows of an archive, or of a database as an archive of it would have them. */
export interface ArchivedRows {
  readonly users: readonly string[];
  /** Subjects of the entries of the audit log with that action. */
  entriesOf(action: string): readonly string[];
  readonly visits: VisitsFound;
  /**
   * All lines of those tables that only people change, in one order; without what a restore adds itself: new
   * stamps of sessions, and its entry in the audit log.
   */
  readonly people: string;
}

const ofPeople = ['audit_log', 'settings', 'users'];

/** Reads an archive that is not encrypted, without the code of the product. */
export async function rowsOfArchive(file: string): Promise<ArchivedRows> {
  const tar = await promisify(zstdDecompress)(await readFile(file));
  const unpacking = extract();
  unpacking.end(tar);
  let tables: readonly TableShape[] = [];
  const lines = new Map<string, string[]>();
  for await (const entry of unpacking) {
    const text = await textOf(entry);
    const { name } = entry.header;
    if (name === 'archive.json') tables = (JSON.parse(text) as ArchiveHead).tables;
    const [, table] = /^tables\/(\w+)\//.exec(name) ?? [];
    if (table !== undefined) lines.set(table, [...(lines.get(table) ?? []), ...text.trimEnd().split('\n')]);
  }
  return rowsOf(tables, lines);
}

/** All as it is at one moment. */
export async function rowsOfDatabase(database: Database): Promise<ArchivedRows> {
  return database.snapshot(async (snapshot) => {
    const { tables } = await database.shape(snapshot);
    const wanted = tables.filter(({ name }) => [...ofPeople, 'kept_addresses'].includes(name));
    const lines = new Map<string, string[]>();
    for (const table of wanted) {
      const all: string[] = [];
      for await (const page of pagesOf(snapshot, table, jsonLine(table)))
        all.push(...page.map((line) => line.trimEnd()));
      lines.set(table.name, all);
    }
    return rowsOf(wanted, lines);
  });
}

function rowsOf(tables: readonly TableShape[], lines: ReadonlyMap<string, readonly string[]>): ArchivedRows {
  const column = (table: string, name: string): ((line: string) => unknown) => {
    const index = tables.find((each) => each.name === table)?.columns.findIndex((each) => each.name === name);
    return (line) => (JSON.parse(line) as readonly unknown[])[index ?? -1];
  };
  const of = (table: string) => lines.get(table) ?? [];
  const [action, subject] = [column('audit_log', 'action'), column('audit_log', 'subject')];
  const [address, count] = [column('kept_addresses', 'address'), column('kept_addresses', 'visits')];
  const stampAt = tables
    .find(({ name }) => name === 'users')
    ?.columns.findIndex(({ name }) => name === 'session_stamp');
  const withoutStamp = (line: string): string =>
    JSON.stringify((JSON.parse(line) as readonly unknown[]).filter((_value, at) => at !== stampAt));
  const fromBefore = (table: string): readonly string[] => {
    if (table === 'users') return of(table).map(withoutStamp);
    return table === 'audit_log' ? of(table).filter((line) => action(line) !== 'backup.restore') : of(table);
  };
  const visits = new Map<string, number>();
  for (const line of of('kept_addresses')) {
    const key = String(address(line));
    visits.set(key, (visits.get(key) ?? 0) + Number(count(line)));
  }
  return {
    users: of('users').map((line) => String(column('users', 'name')(line))),
    entriesOf: (wanted) =>
      of('audit_log')
        .filter((line) => action(line) === wanted)
        .map((line) => String(subject(line))),
    visits,
    people: ofPeople.flatMap((table) => [table, ...fromBefore(table).toSorted()]).join('\n'),
  };
}
