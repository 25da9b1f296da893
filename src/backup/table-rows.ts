import { type RawBuilder, sql } from 'kysely';
import { Failure } from '../core/errors.ts';
import type { ColumnShape, ColumnType, TableShape } from '../ports/database-shape.ts';
import type { Queries } from '../ports/database.ts';

/** A value as it was read: whole numbers and JSON as their text, which holds them exactly. */
export type Cell = null | boolean | number | string | Uint8Array;
/** In the order of the table's columns. */
export type Row = readonly Cell[];

/** How much of a table is in memory at once, about; rows are as long as people make them. */
const pageBytes = 256 * 1024;
const firstPage = 100;
const maxPage = 5_000;

/**
 * All rows of a table, sorted by its primary key, page by page, each a line as `lineOf` makes it: each page starts where the last
 * one ended, so nothing is read twice and the database keeps nothing for us.
 */
export async function* pagesOf(
  queries: Queries,
  table: TableShape,
  lineOf: (row: Row) => string,
): AsyncIterable<readonly string[]> {
  const names = table.columns.map(({ name }) => name);
  const columns = sql.join(table.columns.map(columnOf));
  const key = sql.join(table.primaryKey.map((name) => sql.ref(`${table.name}.${name}`)));
  let limit = firstPage;
  let after: RawBuilder<unknown> = sql``;
  for (;;) {
    const page = sql<
      Record<string, Cell>
    >`select ${columns} from ${sql.table(table.name)} ${after} order by ${key} limit ${limit}`;
    const { rows } = await page.execute(queries);
    const lines = rows.map((row) => lineOf(names.map((name) => row[name] ?? null)));
    if (lines.length > 0) yield lines;
    if (rows.length < limit) return;
    const last = rows.at(-1)!;
    after = sql`where (${key}) > (${sql.join(table.primaryKey.map((name) => keyValue(table, name, last)))})`;
    const longest = lines.reduce((most, line) => Math.max(most, line.length), 1);
    limit = Math.min(maxPage, Math.max(1, Math.floor(pageBytes / longest)));
  }
}

const asText: readonly ColumnType[] = ['integer', 'json'];

function columnOf({ name, type }: ColumnShape): RawBuilder<unknown> {
  const column = sql.ref(name);
  return asText.includes(type) ? sql`cast(${column} as text) as ${column}` : column;
}

function keyValue({ columns }: TableShape, name: string, row: Readonly<Record<string, Cell>>): unknown {
  const value = row[name];
  const isWhole = columns.find((column) => column.name === name)?.type === 'integer';
  return isWhole ? BigInt(value as string) : value;
}

/** The line of an archive: a JSON array. */
export function jsonLine(table: TableShape): (row: Row) => string {
  return (row) => `[${row.map((cell, at) => jsonOf(cell, table.columns[at]!, table)).join(',')}]\n`;
}

function jsonOf(cell: Cell, { name, type }: ColumnShape, table: TableShape): string {
  if (cell === null) return 'null';
  if (type === 'integer') return cell as string;
  // between its parts JSON may have line ends, within them never
  if (type === 'json') return (cell as string).replaceAll(/[\r\n]/g, ' ');
  if (cell instanceof Uint8Array) return JSON.stringify(bufferOf(cell).toString('base64'));
  if (typeof cell === 'number' && !Number.isFinite(cell)) {
    throw new Failure(`the column "${name}" of the table "${table.name}" holds ${cell}`, {
      code: 'database-number',
      remedy: 'Give it a value that both databases keep.',
    });
  }
  return JSON.stringify(cell);
}

export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
