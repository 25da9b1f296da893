import { isObject } from '../core/is-object.ts';
import type { ColumnShape, ColumnType, TableShape } from '../ports/database-shape.ts';
import { archiveFailure, shown } from './archive-failure.ts';
import { type ArchiveHead, formatName, formatVersion } from './format.ts';

const columnTypes: readonly ColumnType[] = ['integer', 'real', 'text', 'bytes', 'boolean', 'json', 'address'];
const ownWord = /^[a-z_][a-z0-9_]{0,62}$/;
const migrationName = /^[\w.-]{1,100}$/;
/** A hundred times what there is. */
const mostTables = 1000;
const mostMigrations = 10_000;
const release = /^\d+\.\d+\.\d+[\w.+-]{0,50}$/;

/** Throws `backup-foreign`, `backup-newer-format`, `backup-damaged` or `backup-shape`. */
export function parseHead(bytes: Uint8Array): ArchiveHead {
  const found = parseJson(bytes, 'archive.json');
  if (found['format'] !== formatName)
    throw archiveFailure('backup-foreign', 'it is no backup of the appliance: archive.json says otherwise');
  const wrote = text(found['release'], release);
  const { version } = found;
  if (typeof version === 'number' && version > formatVersion) {
    throw archiveFailure(
      'backup-newer-format',
      `it has the format ${version}, and this release reads ${formatVersion}`,
      wrote === undefined ? {} : { remedy: `Use release ${wrote} or a later one.` },
    );
  }
  const { createdMs, hostName, database, migrations, tables, secrets } = found;
  if (
    version !== formatVersion ||
    wrote === undefined ||
    !Number.isSafeInteger(createdMs) ||
    Math.abs(Number(createdMs)) > 8.64e15 ||
    typeof hostName !== 'string' ||
    (database !== 'postgres' && database !== 'sqlite') ||
    !isListOf(migrations, (name) => text(name, migrationName) !== undefined) ||
    !Array.isArray(tables) ||
    typeof secrets !== 'boolean'
  ) {
    throw archiveFailure('backup-damaged', 'archive.json does not say what a backup has to say');
  }
  if (tables.length > mostTables) throw shapeFailure(`it has more than ${mostTables}`);
  if (migrations.length > mostMigrations) throw shapeFailure(`it has more than ${mostMigrations} migrations`);
  const shapes = tables.map(tableFrom);
  const twice = firstTwice(shapes.map(({ name }) => name)) ?? firstTwice(migrations as string[]);
  if (twice !== undefined) throw shapeFailure(`it has ${shown(twice)} twice`);
  return {
    format: formatName,
    version: formatVersion,
    createdMs: Number(createdMs),
    hostName,
    release: wrote,
    database,
    migrations: migrations as string[],
    tables: shapes,
    secrets,
  };
}

/** An object that JSON describes. Throws `backup-damaged`, which names the entry. */
export function parseJson(bytes: Uint8Array, entry: string): Readonly<Record<string, unknown>> {
  try {
    const found: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if (isObject(found)) return found;
  } catch {
    // told below
  }
  throw archiveFailure('backup-damaged', `${entry} is damaged`);
}

function tableFrom(found: unknown): TableShape {
  const { name: given, columns, primaryKey } = isObject(found) ? found : {};
  const name = text(given, ownWord);
  if (name === undefined) throw shapeFailure('a table has no name, or one that no table of ours has');
  if (!Array.isArray(columns) || columns.length === 0)
    throw shapeFailure(`the table "${name}" has no columns`);
  const shapes = columns.map((column) => columnFrom(name, column));
  const names = shapes.map((column) => column.name);
  const known = new Set(names);
  const twice = firstTwice(names);
  if (twice !== undefined) throw shapeFailure(`the table "${name}" has the column "${twice}" twice`);
  if (
    !isListOf(primaryKey, (each) => known.has(String(each))) ||
    firstTwice(primaryKey as string[]) !== undefined
  )
    throw shapeFailure(`the table "${name}" has a key that is not among its columns`);
  return { name, columns: shapes, primaryKey: primaryKey as string[] };
}

function columnFrom(table: string, found: unknown): ColumnShape {
  const { name: given, type: named, nullable } = isObject(found) ? found : {};
  const name = text(given, ownWord);
  const type = columnTypes.find((each) => each === named);
  if (name === undefined || type === undefined || typeof nullable !== 'boolean')
    throw shapeFailure(`the table "${table}" has a column that no table of ours has`);
  return { name, type, nullable };
}

export function shapeFailure(message: string): Error {
  return archiveFailure('backup-shape', `its tables do not fit: ${message}`);
}

function text(found: unknown, allowed: RegExp): string | undefined {
  return typeof found === 'string' && allowed.test(found) ? found : undefined;
}

function isListOf(found: unknown, allowed: (each: unknown) => boolean): found is readonly unknown[] {
  return Array.isArray(found) && found.every(allowed);
}

function firstTwice(names: readonly string[]): string | undefined {
  const seen = new Set<string>();
  return names.find((name) => seen.size === seen.add(name).size);
}
