import { isIP } from 'node:net';
import type { ColumnShape, TableShape } from '../ports/database-shape.ts';
import type { CellValue } from '../ports/scratch-database.ts';
import { shapeFailure } from './archive-head.ts';

const int8 = { min: -(2n ** 63n), max: 2n ** 63n - 1n };

/**
 * The values of a line, a row of `table` in the order of its columns. `place` names the line for people. Throws
 * `backup-shape` where they are not what the columns hold.
 */
export function parseRow(line: string, { name, columns }: TableShape, place: string): readonly CellValue[] {
  const fault = (what: string) => shapeFailure(`${place}: ${what}`);
  let values: unknown;
  try {
    values = JSON.parse(line);
  } catch {
    throw fault('is not JSON');
  }
  if (!Array.isArray(values)) throw fault('is no row');
  if (values.length !== columns.length)
    throw fault(`has ${values.length} values, and the table "${name}" has ${columns.length} columns`);
  let texts: readonly string[] | undefined;
  return columns.map((column, index) => {
    const value: unknown = values[index];
    const source = () => (texts ??= elementsOf(line))[index] ?? '';
    const cell = value === null ? nothing(column, source) : cellOf(column, value, source);
    if (cell === undefined)
      throw fault(`what it has for the column "${column.name}" is no ${words[column.type]}`);
    return cell;
  });
}

const words = {
  integer: 'whole number of 64 bits',
  real: 'number',
  text: 'text',
  bytes: 'bytes in base64',
  boolean: 'true or false',
  json: 'JSON',
  address: 'address',
} as const;

function nothing({ type, nullable }: ColumnShape, source: () => string): CellValue | undefined {
  if (nullable) return null;
  return type === 'json' ? source() : undefined;
}

function cellOf({ type }: ColumnShape, value: unknown, source: () => string): CellValue | undefined {
  switch (type) {
    case 'integer':
      if (typeof value !== 'number') return undefined;
      return Number.isSafeInteger(value) ? value : wholeFrom(source());
    case 'real':
      return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
    case 'boolean':
      return typeof value === 'boolean' ? value : undefined;
    case 'json':
      return source();
    case 'text':
      return typeof value === 'string' && isText(value) ? value : undefined;
    case 'bytes':
      return typeof value === 'string' ? bytesFrom(value) : undefined;
    default:
      return typeof value === 'string' && isIP(value) !== 0 && !value.includes('%') ? value : undefined;
  }
}

function isText(value: string): boolean {
  return value.isWellFormed() && !value.includes('\0');
}

/** A number that JavaScript would have rounded. */
function wholeFrom(source: string): bigint | undefined {
  if (!/^-?\d{1,19}$/.test(source)) return undefined;
  const value = BigInt(source);
  return value >= int8.min && value <= int8.max ? value : undefined;
}

function bytesFrom(base64: string): Uint8Array | undefined {
  const bytes = Buffer.from(base64, 'base64');
  return bytes.toString('base64') === base64 ? new Uint8Array(bytes) : undefined;
}

/** The text of each element of an array, as it was written. `line` is known to be JSON. */
function elementsOf(line: string): readonly string[] {
  const elements: string[] = [];
  let depth = 0;
  let start = 0;
  for (let index = 0; index < line.length; index++) {
    switch (line[index]) {
      case '"':
        index = endOfString(line, index);
        break;
      case '[':
      case '{':
        if (depth++ === 0) start = index + 1;
        break;
      case ']':
      case '}':
        if (--depth === 0) elements.push(line.slice(start, index).trim());
        break;
      case ',':
        if (depth !== 1) break;
        elements.push(line.slice(start, index).trim());
        start = index + 1;
        break;
      default:
    }
  }
  return elements;
}

/** Where the string that begins at `start` ends. */
function endOfString(line: string, start: number): number {
  let index = start + 1;
  while (line[index] !== '"') index += line[index] === '\\' ? 2 : 1;
  return index;
}
