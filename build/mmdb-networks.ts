import { Failure } from '../src/core/errors.ts';
import type { AddressRange } from './address-ranges.ts';

/** A value as a reader gives it; integers over 32 bits are bigint. */
export type DecodedValue =
  string | number | bigint | boolean | Buffer | DecodedValue[] | { [key: string]: DecodedValue };

export interface MmdbSource {
  readonly metadata: Readonly<Record<string, DecodedValue>>;
  /**
   * Every network that something is known of, in ascending order; the same object for networks with the same value.
   * Copies of the IPv4 part in other places of the IPv6 space are left out.
   */
  networks(): Generator<AddressRange<DecodedValue>>;
}

const metadataMarker = Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1');

/** Opens a file of the MaxMind DB format 2.0 for IPv6 and IPv4. Throws a Failure where the bytes are not one. */
export function readMmdb(file: Buffer): MmdbSource {
  const marker = file.lastIndexOf(metadataMarker);
  if (marker === -1) throw broken('it has no metadata');
  const metadata = decoderOf(file.subarray(marker + metadataMarker.length))(0) as Record<
    string,
    DecodedValue
  >;
  const nodes = Number(metadata['node_count']);
  const recordSize = Number(metadata['record_size']);
  if (!(nodes > 0) || ![24, 28, 32].includes(recordSize))
    throw broken('its metadata gives no count and size of nodes');
  const format = Number(metadata['binary_format_major_version']);
  if (format !== 2) throw broken(`its format is ${format}, not 2`);
  if (metadata['ip_version'] !== 6) throw broken('its tree is not one of IPv6 addresses');

  const treeBytes = (nodes * recordSize) / 4;
  const decode = decoderOf(file.subarray(treeBytes + 16, marker));

  const recordOf = (node: number, side: 0 | 1): number => {
    const at = (node * recordSize) / 4;
    if (recordSize === 24) return file.readUIntBE(at + side * 3, 3);
    if (recordSize === 32) return file.readUInt32BE(at + side * 4);
    const middle = file[at + 3] as number;
    return side === 0
      ? (middle >> 4) * 2 ** 24 + file.readUIntBE(at, 3)
      : (middle & 0x0f) * 2 ** 24 + file.readUIntBE(at + 4, 3);
  };

  function* networks(): Generator<AddressRange<DecodedValue>> {
    const values = new Map<number, DecodedValue>();
    let ipv4 = 0;
    for (let depth = 0; depth < 96 && ipv4 < nodes; depth++) ipv4 = recordOf(ipv4, 0);
    const pending: [record: number, start: bigint, depth: number][] = [[0, 0n, 0]];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const [record, start, depth] = next;
      if (record === nodes) continue;
      if (record < nodes) {
        if (depth === 128) throw broken('its tree is deeper than an address is long');
        if (record === ipv4 && start !== 0n) continue;
        pending.push([recordOf(record, 1), start | (1n << BigInt(127 - depth)), depth + 1]);
        pending.push([recordOf(record, 0), start, depth + 1]);
        continue;
      }
      let value = values.get(record);
      if (value === undefined) values.set(record, (value = decode(record - nodes - 16)));
      yield { start, end: start | ((1n << BigInt(128 - depth)) - 1n), value };
    }
  }
  return { metadata, networks };
}

/** Decodes the value at an offset of a section, to which the pointers in it are relative. */
function decoderOf(section: Buffer): (offset: number) => DecodedValue {
  let at = 0;

  const unsigned = (length: number): bigint =>
    length === 0 ? 0n : BigInt(`0x${section.toString('hex', at, at + length)}`);

  const pointee = (short: number): number => {
    const low = short & 0x07;
    const length = (short >> 3) + 1;
    const rest = section.readUIntBE(at, length);
    at += length;
    return [low * 2 ** 8 + rest, low * 2 ** 16 + rest + 2048, low * 2 ** 24 + rest + 526_336, rest][
      length - 1
    ] as number;
  };

  const next = (): DecodedValue => {
    const first = section.readUInt8(at++);
    let type = first >> 5;
    const short = first & 0x1f;
    if (type === 1) {
      const target = pointee(short);
      const after = at;
      at = target;
      const value = next();
      at = after;
      return value;
    }
    if (type === 0) type = section.readUInt8(at++) + 7;
    let size = short;
    if (short >= 29) {
      const extra = short - 28;
      size = section.readUIntBE(at, extra) + ([29, 285, 65_821][extra - 1] as number);
      at += extra;
    }
    if (type === 7) {
      const map: { [key: string]: DecodedValue } = {};
      for (let entry = 0; entry < size; entry++) {
        const key = next();
        if (typeof key !== 'string') throw broken('a key of a map is no text');
        map[key] = next();
      }
      return map;
    }
    if (type === 11) return Array.from({ length: size }, next);
    if (type === 14) return size !== 0;
    if (at + size > section.length) throw broken('a value runs over its end');
    const value = fixed(type, size);
    at += size;
    return value;
  };

  const fixed = (type: number, size: number): DecodedValue => {
    switch (type) {
      case 2:
        return section.toString('utf8', at, at + size);
      case 3:
        return section.readDoubleBE(at);
      case 4:
        return Buffer.from(section.subarray(at, at + size));
      case 5:
      case 6:
        return Number(unsigned(size));
      case 8:
        return Number(BigInt.asIntN(32, unsigned(size)));
      case 9:
      case 10:
        return unsigned(size);
      case 15:
        return section.readFloatBE(at);
      default:
        throw broken(`it has a value of the unknown type ${type}`);
    }
  };

  return (offset) => {
    at = offset;
    return next();
  };
}

function broken(why: string): Failure {
  return new Failure(`This is not a database that can be listed: ${why}.`, { code: 'mmdb-broken' });
}
