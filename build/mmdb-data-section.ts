import { control, MmdbNumber, pointer, scalar } from './mmdb-value.ts';
import type { MmdbValue } from './mmdb-value.ts';

/**
 * Writes values one after another and says where each begins. What was written before, alone or inside another
 * value, is not written again: strings, bytes, maps and arrays become pointers where a pointer is shorter.
 */
export class DataSection {
  readonly #offsets = new Map<string, number>();
  #bytes = Buffer.alloc(1 << 16);
  #length = 0;

  /**
   * Writes a value and gives its offset in bytes. It is written whole even if another holds it: strict readers
   * walk the section from value to value and want each that the tree leads to on that walk.
   */
  append(value: MmdbValue): number {
    const offset = this.#length;
    this.#remember(identity(value));
    this.#writeWhole(value);
    return offset;
  }

  bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #remember(key: string): void {
    if (!this.#offsets.has(key)) this.#offsets.set(key, this.#length);
  }

  #write(value: MmdbValue): void {
    if (typeof value === 'boolean' || value instanceof MmdbNumber) return this.#append(scalar(value));
    const key = identity(value);
    const known = this.#offsets.get(key);
    if (known !== undefined) {
      const reference = pointer(known);
      if (reference.length < key.length) return this.#append(reference);
    }
    this.#remember(key);
    this.#writeWhole(value);
  }

  #writeWhole(value: MmdbValue): void {
    if (isScalar(value)) return this.#append(scalar(value));
    if (isArray(value)) {
      this.#append(control('array', value.length));
      for (const item of value) this.#write(item);
      return;
    }
    const entries = Object.entries(value);
    this.#append(control('map', entries.length));
    for (const [name, item] of entries) {
      this.#write(name);
      this.#write(item);
    }
  }

  #append(bytes: Uint8Array): void {
    if (this.#length + bytes.length > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(this.#bytes.length * 2, this.#length + bytes.length));
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }
}

/** The bytes of a value written without any pointer: what the metadata section holds. */
export function encode(value: MmdbValue): Buffer {
  if (isScalar(value)) return scalar(value);
  if (isArray(value)) return Buffer.concat([control('array', value.length), ...value.map(encode)]);
  const entries = Object.entries(value);
  return Buffer.concat([
    control('map', entries.length),
    ...entries.flatMap(([name, item]) => [scalar(name), encode(item)]),
  ]);
}

/** Equal for equal values only, and as long as the value takes without pointers. */
export function identity(value: MmdbValue): string {
  return encode(value).toString('latin1');
}

function isScalar(value: MmdbValue): value is string | boolean | Uint8Array | MmdbNumber {
  return typeof value !== 'object' || value instanceof Uint8Array || value instanceof MmdbNumber;
}

function isArray(value: MmdbValue): value is readonly MmdbValue[] {
  return Array.isArray(value);
}
