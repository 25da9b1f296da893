import { Failure } from '../src/core/errors.ts';

/** A number with the width it has in the file: JavaScript's own numbers do not say which is meant. */
export class MmdbNumber {
  readonly type: NumberType;
  readonly value: number | bigint;

  constructor(type: NumberType, value: number | bigint) {
    this.type = type;
    this.value = value;
  }
}
export type NumberType = 'double' | 'float' | 'int32' | 'uint16' | 'uint32' | 'uint64' | 'uint128';

/** What a network can map to, by the types of the format. Keys of a map keep the order they were given in. */
export type MmdbValue =
  string | boolean | Uint8Array | MmdbNumber | readonly MmdbValue[] | { readonly [key: string]: MmdbValue };

export const uint16 = (value: number): MmdbNumber => new MmdbNumber('uint16', value);
export const uint32 = (value: number): MmdbNumber => new MmdbNumber('uint32', value);
export const uint64 = (value: bigint): MmdbNumber => new MmdbNumber('uint64', value);
export const uint128 = (value: bigint): MmdbNumber => new MmdbNumber('uint128', value);
export const int32 = (value: number): MmdbNumber => new MmdbNumber('int32', value);
export const float = (value: number): MmdbNumber => new MmdbNumber('float', value);
export const double = (value: number): MmdbNumber => new MmdbNumber('double', value);

const types = {
  pointer: 1,
  string: 2,
  double: 3,
  bytes: 4,
  uint16: 5,
  uint32: 6,
  map: 7,
  int32: 8,
  uint64: 9,
  uint128: 10,
  array: 11,
  boolean: 14,
  float: 15,
} as const;
type Type = keyof typeof types;

const unsignedBits = { uint16: 16n, uint32: 32n, uint64: 64n, uint128: 128n } as const;
const largestSize = 65_821 + 0xff_ff_ff;

/** The control bytes of a field: its type, and its size in bytes (strings, numbers) or entries (maps, arrays). */
export function control(type: Type, size: number): Buffer {
  if (size > largestSize)
    throw new Failure(`A ${type} of ${size} does not fit the format: at most ${largestSize}.`, {
      code: 'mmdb-value',
    });
  const [short, extra] = sizeBytes(size);
  const number = types[type];
  return Buffer.from(number <= 7 ? [(number << 5) | short, ...extra] : [short, number - 7, ...extra]);
}

function sizeBytes(size: number): [number, number[]] {
  if (size < 29) return [size, []];
  if (size < 285) return [29, [size - 29]];
  if (size < 65_821) return [30, [(size - 285) >> 8, (size - 285) & 0xff]];
  const rest = size - 65_821;
  return [31, [rest >> 16, (rest >> 8) & 0xff, rest & 0xff]];
}

/** A pointer to a byte offset of the data section, in the shortest of the format's four sizes. */
export function pointer(offset: number): Buffer {
  const type = types.pointer << 5;
  if (offset < 2048) return Buffer.from([type | (offset >> 8), offset & 0xff]);
  if (offset < 526_336) {
    const rest = offset - 2048;
    return Buffer.from([type | 0x08 | (rest >> 16), (rest >> 8) & 0xff, rest & 0xff]);
  }
  if (offset < 134_744_064) {
    const rest = offset - 526_336;
    return Buffer.from([type | 0x10 | (rest >> 24), (rest >> 16) & 0xff, (rest >> 8) & 0xff, rest & 0xff]);
  }
  const bytes = Buffer.from([type | 0x18, 0, 0, 0, 0]);
  bytes.writeUInt32BE(offset, 1);
  return bytes;
}

/** The field of a string, a boolean, bytes or a number. */
export function scalar(value: string | boolean | Uint8Array | MmdbNumber): Buffer {
  if (typeof value === 'boolean') return control('boolean', value ? 1 : 0);
  const [type, payload]: [Type, Uint8Array] =
    typeof value === 'string'
      ? ['string', Buffer.from(value, 'utf8')]
      : value instanceof MmdbNumber
        ? [value.type, numberBytes(value)]
        : ['bytes', value];
  return Buffer.concat([control(type, payload.length), payload]);
}

function numberBytes({ type, value }: MmdbNumber): Buffer {
  if (type === 'double') {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleBE(Number(value));
    return bytes;
  }
  if (type === 'float') {
    const bytes = Buffer.alloc(4);
    bytes.writeFloatBE(Number(value));
    return bytes;
  }
  const whole = Number.isInteger(value) || typeof value === 'bigint' ? BigInt(value) : undefined;
  if (type === 'int32') {
    if (whole === undefined || BigInt.asIntN(32, whole) !== whole) throw outOfRange(type, value);
    return unsignedBytes(BigInt.asUintN(32, whole));
  }
  if (whole === undefined || BigInt.asUintN(Number(unsignedBits[type]), whole) !== whole)
    throw outOfRange(type, value);
  return unsignedBytes(whole);
}

/** Big-endian without leading zero bytes; zero has none at all. */
function unsignedBytes(value: bigint): Buffer {
  if (value === 0n) return Buffer.alloc(0);
  const digits = value.toString(16);
  return Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex');
}

function outOfRange(type: NumberType, value: number | bigint): Failure {
  return new Failure(`${value} is not a ${type}.`, { code: 'mmdb-value' });
}
