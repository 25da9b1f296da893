import type { Database, Queries } from '../ports/database.ts';
import type { ColumnShape, TableShape } from '../ports/database-shape.ts';
import { bufferOf, type Cell, pagesOf, type Row } from './table-rows.ts';

export interface DumpOptions {
  readonly database: Database;
  /** The statements that make the tables of those migrations in an empty PostgreSQL. */
  readonly statementsOf: (migrations: readonly string[]) => Promise<readonly string[]>;
  readonly release: string;
  /** Resolves when there is room for more. */
  readonly write: (text: string) => Promise<void>;
  readonly signal: AbortSignal;
}

/**
 * Writes SQL that psql takes into an empty PostgreSQL 15 or later: tables, indexes, references, all rows as they were at one moment,
 * and where numbers go on. All of it is one transaction, so that half a file restores nothing. Gives the number of rows.
 * Rejects as the database and `write` do, and with `database-schema-newer`.
 */
export async function writePostgresDump(options: DumpOptions): Promise<number> {
  const { database, statementsOf, release, write, signal } = options;
  return database.snapshot(async (snapshot) => {
    const { tables, migrations } = await database.shape(snapshot);
    const statements = await statementsOf(migrations);
    await write(`${headOf(release)}${statements.map((statement) => `${statement};\n`).join('')}`);
    let rows = 0;
    const all = migrations.length === 0 ? tables : [...tables, migrationsTable];
    for (const table of all) rows += await writeRows(table, snapshot, write, signal);
    await write(`${all.map(continuation).join('')}commit;\n`);
    return rows;
  });
}

function headOf(release: string): string {
  return `-- All that appliance ${release} keeps, for an empty database:
--   createdb NAME && psql --set ON_ERROR_STOP=1 --dbname NAME --file THIS
begin;
set local client_encoding = 'UTF8';
set local standard_conforming_strings = on;
`;
}

const column = (name: string, type: ColumnShape['type']): ColumnShape => ({ name, type, nullable: false });

/** So that the appliance can go on with it, too. */
const migrationsTable: TableShape = {
  name: 'schema_migrations',
  columns: [
    column('name', 'text'),
    column('applied_ms', 'integer'),
    column('release', 'text'),
    column('oldest_release', 'text'),
  ],
  primaryKey: ['name'],
};

async function writeRows(
  table: TableShape,
  queries: Queries,
  write: (text: string) => Promise<void>,
  signal: AbortSignal,
): Promise<number> {
  let rows = 0;
  const columns = table.columns.map(({ name }) => quoted(name)).join(', ');
  await write(`\ncopy ${quoted(table.name)} (${columns}) from stdin;\n`);
  for await (const lines of pagesOf(queries, table, copyLine)) {
    signal.throwIfAborted();
    rows += lines.length;
    await write(lines.join(''));
  }
  await write('\\.\n');
  return rows;
}

/** A line of COPY's text format. */
function copyLine(row: Row): string {
  return `${row.map(copyText).join('\t')}\n`;
}

function copyText(cell: Cell): string {
  if (cell === null) return String.raw`\N`;
  if (cell instanceof Uint8Array) return String.raw`\\x${bufferOf(cell).toString('hex')}`;
  if (typeof cell === 'boolean') return cell ? 't' : 'f';
  return String(cell).replaceAll(/[\\\t\n\r]/g, (found) => escapes[found as keyof typeof escapes]);
}

const escapes = {
  '\\': String.raw`\\`,
  '\t': String.raw`\t`,
  '\n': String.raw`\n`,
  '\r': String.raw`\r`,
} as const;

/** The next number of a table that numbers its rows; tables that do not have no sequence. */
function continuation({ name, columns, primaryKey }: TableShape): string {
  const [key, ...more] = primaryKey;
  const type = columns.find((each) => each.name === key)?.type;
  if (key === undefined || more.length > 0 || type !== 'integer') return '';
  return `
do $$ begin
  perform setval(pg_get_serial_sequence(${literal(quoted(name))}, ${literal(key)}), max(${quoted(key)})) from ${quoted(name)}
  having max(${quoted(key)}) is not null;
end $$;
`;
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
