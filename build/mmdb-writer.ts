import { Failure } from '../src/core/errors.ts';
import { flatten } from './address-ranges.ts';
import type { AddressRange } from './address-ranges.ts';
import { DataSection, encode, identity } from './mmdb-data-section.ts';
import { buildTree, empty } from './mmdb-tree.ts';
import type { SearchTree } from './mmdb-tree.ts';
import { uint16, uint32, uint64 } from './mmdb-value.ts';
import type { MmdbValue } from './mmdb-value.ts';

export type RecordSize = 24 | 28 | 32;

export interface MmdbOptions {
  readonly databaseType: string;
  /** Text by language code. */
  readonly description: Readonly<Record<string, string>>;
  readonly languages: readonly string[];
  /** Seconds since 1970. */
  readonly buildEpoch: number;
  /** Bits of a record; the smallest that the file fits in where not given. */
  readonly recordSize?: RecordSize;
  /** Answer for addresses in ::ffff:0:0/96 and 2002::/16 what is known of the IPv4 address inside; yes where not given. */
  readonly aliasIPv4?: boolean;
}

const separator = Buffer.alloc(16);
const metadataMarker = Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1');

/**
 * A file of the MaxMind DB format 2.0, for IPv4 and IPv6. Ranges may come in any order and overlap, see
 * `flatten` for which wins; the same input gives the same bytes. Throws a Failure where a record of the size asked
 * for cannot address the file, or a value does not fit its type.
 */
export function writeMmdb(ranges: Iterable<AddressRange<MmdbValue>>, options: MmdbOptions): Buffer {
  const values = new Values();
  const flat = [...flatten(numberedRanges(ranges, values))];
  const tree = buildTree(flat, values.count, { aliasIPv4: options.aliasIPv4 ?? true });

  const data = new DataSection();
  const offsets = new Int32Array(values.count + 1).fill(-1);
  for (const value of valuesIn(tree))
    if (offsets[value] === -1) offsets[value] = data.append(values.get(value));

  const largest = tree.nodeCount + separator.length + data.bytes().length - 1;
  const size = options.recordSize ?? ([24, 28, 32] as const).find((bits) => largest < 2 ** bits) ?? 32;
  if (largest >= 2 ** size)
    throw new Failure(`Records of ${size} bits cannot address a file of ${largest} positions.`, {
      code: 'mmdb-too-large',
    });

  const position = (record: number): number => {
    if (record >= 0) return record;
    if (record === ~empty) return tree.nodeCount;
    return tree.nodeCount + separator.length + (offsets[~record] as number);
  };
  const searchTree = Buffer.alloc((tree.nodeCount * size) / 4);
  for (const [node, left] of tree.left.entries())
    writeNode(searchTree, node, size, position(left), position(tree.right[node] as number));

  const metadata: MmdbValue = {
    binary_format_major_version: uint16(2),
    binary_format_minor_version: uint16(0),
    build_epoch: uint64(BigInt(options.buildEpoch)),
    database_type: options.databaseType,
    description: options.description,
    ip_version: uint16(6),
    languages: options.languages,
    node_count: uint32(tree.nodeCount),
    record_size: uint16(size),
  };
  return Buffer.concat([searchTree, separator, data.bytes(), metadataMarker, encode(metadata)]);
}

/** Numbers values from 1 on, equal values alike. The same object is recognised without being looked at again. */
class Values {
  readonly #byObject = new Map<MmdbValue, number>();
  readonly #byContent = new Map<string, number>();
  readonly #values: MmdbValue[] = [];

  get count(): number {
    return this.#values.length;
  }

  get(number: number): MmdbValue {
    return this.#values[number - 1] as MmdbValue;
  }

  numberOf(value: MmdbValue): number {
    let number = this.#byObject.get(value);
    if (number !== undefined) return number;
    const content = identity(value);
    number = this.#byContent.get(content) ?? this.#values.push(value);
    this.#byContent.set(content, number);
    this.#byObject.set(value, number);
    return number;
  }
}

function* numberedRanges(
  ranges: Iterable<AddressRange<MmdbValue>>,
  values: Values,
): Generator<AddressRange<number>> {
  for (const { start, end, value } of ranges) {
    if (start < 0n || end < start || end >> 128n !== 0n)
      throw new Failure(`${start} to ${end} is not a range of addresses.`, { code: 'mmdb-range' });
    yield { start, end, value: values.numberOf(value) };
  }
}

function* valuesIn(tree: SearchTree): Generator<number> {
  for (const [node, left] of tree.left.entries()) {
    const right = tree.right[node] as number;
    if (left < ~empty) yield ~left;
    if (right < ~empty) yield ~right;
  }
}

function writeNode(bytes: Buffer, node: number, size: RecordSize, left: number, right: number): void {
  const at = (node * size) / 4;
  if (size === 24) {
    bytes.writeUIntBE(left, at, 3);
    bytes.writeUIntBE(right, at + 3, 3);
  } else if (size === 28) {
    bytes.writeUIntBE(left & 0xff_ffff, at, 3);
    bytes[at + 3] = ((left >>> 20) & 0xf0) | (right >>> 24);
    bytes.writeUIntBE(right & 0xff_ffff, at + 4, 3);
  } else {
    bytes.writeUInt32BE(left, at);
    bytes.writeUInt32BE(right, at + 4);
  }
}
