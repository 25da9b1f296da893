import fc from 'fast-check';
import { Reader } from 'maxmind';
import type { Response } from 'maxmind';
import { describe, expect, it } from 'vitest';
import type { AddressRange } from '../../build/address-ranges.ts';
import { readMmdb } from '../../build/mmdb-networks.ts';
import { double, float, int32, pointer, uint128, uint16, uint32, uint64 } from '../../build/mmdb-value.ts';
import type { MmdbNumber, MmdbValue } from '../../build/mmdb-value.ts';
import { writeMmdb } from '../../build/mmdb-writer.ts';
import type { MmdbOptions } from '../../build/mmdb-writer.ts';
import { addressNumber, addressText } from '../support/address-text.ts';

const options: MmdbOptions = {
  databaseType: 'Test',
  description: { en: 'A test', de: 'Ein Test' },
  languages: ['en', 'de'],
  buildEpoch: 1_780_000_000,
};

/** `network` with its prefix length, as IPv4 or IPv6. */
function range(network: string, value: MmdbValue): AddressRange<MmdbValue> {
  const [address = '', length = ''] = network.split('/');
  const start = addressNumber(address);
  const bits = (address.includes(':') ? 128 : 32) - Number(length);
  return { start, end: start + (1n << BigInt(bits)) - 1n, value };
}

function between(first: string, last: string, value: MmdbValue): AddressRange<MmdbValue> {
  return { start: addressNumber(first), end: addressNumber(last), value };
}

const write = (ranges: AddressRange<MmdbValue>[], more: Partial<MmdbOptions> = {}): Buffer =>
  writeMmdb(ranges, { ...options, ...more });
const read = (file: Buffer): Reader<Response> => new Reader<Response>(file);
const get = (file: Buffer, address: string): unknown => read(file).get(address);

describe('values', () => {
  it.each<[string, MmdbValue, unknown]>([
    ['a string', 'Zürich 🏔', 'Zürich 🏔'],
    ['an empty string', '', ''],
    ['true', true, true],
    ['false', false, false],
    ['bytes', Uint8Array.of(0, 255, 7), Buffer.of(0, 255, 7)],
    ['a double', double(-47.3769), -47.3769],
    ['a float', float(0.5), 0.5],
    ['an int32', int32(2_147_483_647), 2_147_483_647],
    ['a negative int32', int32(-2), -2],
    ['zero', uint32(0), 0],
    ['a uint16', uint16(65_535), 65_535],
    ['a uint32', uint32(4_294_967_295), 4_294_967_295],
    ['an array', ['a', uint16(256), ['b']], ['a', 256, ['b']]],
    ['an empty array', [], []],
    ['an empty map', {}, {}],
    ['a map of maps', { a: { b: { c: true } }, d: 'e' }, { a: { b: { c: true } }, d: 'e' }],
  ])('%s is read back as it was written', (_, value, expected) => {
    const file = write([range('192.0.2.0/24', { it: value }), range('2001:db8::/32', value)]);
    expect(get(file, '192.0.2.1')).toEqual({ it: expected });
    expect(get(file, '2001:db8::1')).toEqual(expected);
    expect([...readMmdb(file).networks()].map((network) => network.value)).toEqual([
      { it: expected },
      expected,
    ]);
  });

  it('integers over 32 bits keep every digit', () => {
    const values: [MmdbNumber, bigint][] = [
      [uint64(2n ** 64n - 1n), 2n ** 64n - 1n],
      [uint64(5n), 5n],
      [uint128(2n ** 128n - 1n), 2n ** 128n - 1n],
    ];
    for (const [value, expected] of values) {
      const file = write([range('192.0.2.0/24', value)]);
      expect(get(file, '192.0.2.1')).toBe(expected);
      expect([...readMmdb(file).networks()][0]?.value).toBe(expected);
    }
  });

  it.each([28, 29, 284, 285, 65_820, 65_821, 100_000])(
    'a string of %i bytes is read back whole, and so is what follows it',
    (length) => {
      const text = 'é'.repeat(length / 2) + 'x'.repeat(length % 2);
      const file = write([range('192.0.2.0/24', { text, after: uint32(7) })]);
      expect(get(file, '192.0.2.1')).toEqual({ text, after: 7 });
    },
  );

  it.each([28, 29, 285, 70_000])('a map and an array of %i entries are read back whole', (count) => {
    const array = Array.from({ length: count }, (_, index) => uint32(index));
    const map = Object.fromEntries(array.map((number) => [`k${number.value}`, number]));
    const read = get(write([range('192.0.2.0/24', [array, map])]), '192.0.2.1') as [number[], object];
    expect(read[0]).toEqual(array.map((number) => number.value));
    expect(Object.keys(read[1])).toHaveLength(count);
    expect(read[1]).toHaveProperty(`k${count - 1}`, count - 1);
  });

  it('a value that its type or the format cannot hold is refused by name', () => {
    expect(() => write([range('192.0.2.0/24', uint16(65_536))])).toThrow('65536 is not a uint16');
    expect(() => write([range('192.0.2.0/24', uint32(-1))])).toThrow('-1 is not a uint32');
    expect(() => write([range('192.0.2.0/24', uint32(1.5))])).toThrow('1.5 is not a uint32');
    expect(() => write([range('192.0.2.0/24', int32(2 ** 31))])).toThrow('2147483648 is not a int32');
    expect(() => write([range('192.0.2.0/24', new Uint8Array(16_843_037))])).toThrow(
      'does not fit the format',
    );
  });
});

describe('pointers', () => {
  it.each<[number, string]>([
    [0, '2000'],
    [2047, '27ff'],
    [2048, '280000'],
    [526_335, '2fffff'],
    [526_336, '30000000'],
    [134_744_063, '37ffffff'],
    [134_744_064, '3808080800'],
    [4_294_967_295, '38ffffffff'],
  ])('a pointer to offset %i is the shortest that reaches it', (offset, bytes) => {
    expect(pointer(offset).toString('hex')).toBe(bytes);
  });

  it('strings and maps that were written before are found again however far back they are', () => {
    const near = { en: 'said near the beginning' };
    const middle = { en: 'said behind two thousand bytes' };
    const far = { en: 'said behind half a million bytes' };
    const file = write([
      range('10.0.0.0/8', { near, pad: 'a'.repeat(3000) }),
      range('11.0.0.0/8', { middle, pad: 'b'.repeat(600_000) }),
      range('12.0.0.0/8', { far }),
      range('13.0.0.0/8', { near, middle, far, alone: 'said behind half a million bytes' }),
    ]);
    expect(get(file, '13.0.0.1')).toEqual({ near, middle, far, alone: far.en });
    expect([...readMmdb(file).networks()].at(-1)?.value).toEqual({ near, middle, far, alone: far.en });
    for (const { en } of [near, middle, far]) expect(file.indexOf(en)).toBe(file.lastIndexOf(en));
  });
});

describe('networks', () => {
  it('one address, one network and everything can have a value', () => {
    const file = write([
      range('0.0.0.0/32', 'first'),
      range('192.0.2.7/32', 'one'),
      range('255.255.255.255/32', 'last'),
      range('2001:db8::7/128', 'one of IPv6'),
      range('ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128', 'the very last'),
    ]);
    const reader = read(file);
    expect(reader.getWithPrefixLength('0.0.0.0')).toEqual(['first', 32]);
    expect(reader.getWithPrefixLength('192.0.2.7')).toEqual(['one', 32]);
    expect(reader.get('192.0.2.6')).toBeNull();
    expect(reader.get('192.0.2.8')).toBeNull();
    expect(reader.getWithPrefixLength('255.255.255.255')).toEqual(['last', 32]);
    expect(reader.getWithPrefixLength('2001:db8::7')).toEqual(['one of IPv6', 128]);
    expect(reader.get('2001:db8::6')).toBeNull();
    expect(reader.get('ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff')).toBe('the very last');
    expect(reader.get('::1:0:0')).toBeNull();

    const everything = read(write([{ start: 0n, end: (1n << 128n) - 1n, value: 'all' }]));
    for (const address of ['0.0.0.0', '255.255.255.255', '::1', 'ffff::', '::ffff:1.2.3.4'])
      expect(everything.get(address)).toBe('all');
  });

  it('IPv4 addresses lie in ::/96 and nowhere else', () => {
    const reader = read(write([range('0.0.0.0/0', 'IPv4'), range('2000::/3', 'IPv6')], { aliasIPv4: false }));
    expect(reader.getWithPrefixLength('8.8.8.8')).toEqual(['IPv4', 0]);
    expect(reader.get('::8.8.8.8')).toBe('IPv4');
    expect(reader.get('::1:0:0')).toBeNull();
    expect(reader.get('::ffff:8.8.8.8')).toBeNull();
    expect(reader.get('2002:808:808::1')).toBe('IPv6');
  });

  it('an IPv6 address that embeds an IPv4 address is answered as that address', () => {
    const reader = read(
      write([
        range('8.8.0.0/16', 'IPv4'),
        range('2000::/3', 'IPv6'),
        range('::ffff:0:0/96', 'not to be believed'),
      ]),
    );
    expect(reader.getWithPrefixLength('::ffff:8.8.8.8')).toEqual(['IPv4', 112]);
    expect(reader.get('::ffff:9.9.9.9')).toBeNull();
    expect(reader.getWithPrefixLength('2002:808:808::1')).toEqual(['IPv4', 32]);
    expect(reader.get('2002:909:909::1')).toBeNull();
    expect(reader.get('2001:0:808:808::1')).toBe('IPv6');
    expect(reader.get('2003::')).toBe('IPv6');
  });

  it('neighbours with equal values become one network, those with other values do not', () => {
    const reader = read(
      write([
        range('10.0.0.0/9', { country: 'A' }),
        range('10.128.0.0/10', { country: 'A' }),
        range('10.192.0.0/10', { country: 'A' }),
        range('11.0.0.0/9', { country: 'A' }),
        range('11.128.0.0/9', { country: 'B' }),
      ]),
    );
    expect(reader.getWithPrefixLength('10.200.0.0')).toEqual([{ country: 'A' }, 8]);
    expect(reader.getWithPrefixLength('11.0.0.1')).toEqual([{ country: 'A' }, 9]);
    expect(reader.getWithPrefixLength('11.255.0.1')).toEqual([{ country: 'B' }, 9]);
  });

  it('a range that is no network is split into the largest that make it up', () => {
    const file = write([between('10.0.0.1', '10.0.0.10', 'x')]);
    const reader = read(file);
    const lengths = ['10.0.0.1', '10.0.0.2', '10.0.0.4', '10.0.0.8', '10.0.0.10'].map(
      (address) => reader.getWithPrefixLength(address)[1],
    );
    expect(lengths).toEqual([32, 31, 30, 31, 32]);
    expect(reader.get('10.0.0.0')).toBeNull();
    expect(reader.get('10.0.0.11')).toBeNull();
    expect([...readMmdb(file).networks()]).toHaveLength(5);
  });

  it('of overlapping ranges the narrower wins, of equal ones the later, in whatever order they come', () => {
    const wide = between('10.0.0.0', '10.0.0.100', 'wide');
    const narrow = between('10.0.0.90', '10.0.0.120', 'narrow');
    const inner = between('10.0.0.50', '10.0.0.60', 'inner');
    const before = between('10.0.0.50', '10.0.0.60', 'before');
    for (const ranges of [
      [wide, narrow, before, inner],
      [narrow, before, inner, wide],
      [before, inner, narrow, wide],
    ]) {
      const reader = read(write(ranges));
      const at = (host: number): unknown => reader.get(`10.0.0.${host}`);
      expect([0, 49, 50, 60, 61, 89, 90, 100, 120].map(at)).toEqual([
        'wide',
        'wide',
        'inner',
        'inner',
        'wide',
        'wide',
        'narrow',
        'narrow',
        'narrow',
      ]);
      expect(at(121)).toBeNull();
    }
  });

  it('any ranges at all answer as a search through the list would', () => {
    const space = fc.constantFrom(0n, addressNumber('2001:db8::'), (1n << 128n) - 64n, (1n << 32n) - 32n);
    const ranges = fc.array(fc.tuple(space, fc.nat(63), fc.nat(63), fc.constantFrom('a', 'b', 'c')), {
      maxLength: 12,
    });
    fc.assert(
      fc.property(ranges, fc.constantFrom(24, 28, 32), (drawn, recordSize) => {
        const list = drawn.map(([base, a, b, value]) => ({
          start: base + BigInt(Math.min(a, b)),
          end: base + BigInt(Math.max(a, b)),
          value,
        }));
        const reader = read(write(list, { recordSize, aliasIPv4: false }));
        for (const { start, end } of list)
          for (const address of [start - 1n, start, end, end + 1n]) {
            if (address < 0n || address >> 128n !== 0n) continue;
            let found: (typeof list)[number] | undefined;
            for (const entry of list) {
              if (address < entry.start || entry.end < address) continue;
              const wider = found && entry.end - entry.start - (found.end - found.start);
              if (found === undefined || wider === undefined || wider < 0n) found = entry;
              else if (wider === 0n && entry.start >= found.start) found = entry;
            }
            expect(reader.get(addressText(address))).toBe(found?.value ?? null);
          }
      }),
      { numRuns: 2000, seed: 7 },
    );
  });

  it('what is no range of addresses is refused', () => {
    expect(() => write([{ start: 5n, end: 4n, value: 'x' }])).toThrow('5 to 4 is not a range');
    expect(() => write([{ start: -1n, end: 4n, value: 'x' }])).toThrow('is not a range');
    expect(() => write([{ start: 0n, end: 1n << 128n, value: 'x' }])).toThrow('is not a range');
  });
});

describe('the file', () => {
  it('says what it is', () => {
    const { metadata } = read(write([range('192.0.2.0/24', 'x')]));
    expect(metadata).toMatchObject({
      binaryFormatMajorVersion: 2,
      binaryFormatMinorVersion: 0,
      buildEpoch: new Date(1_780_000_000_000),
      databaseType: 'Test',
      description: { en: 'A test', de: 'Ein Test' },
      ipVersion: 6,
      languages: ['en', 'de'],
      recordSize: 24,
    });
    expect(metadata.nodeCount).toBeGreaterThan(0);
  });

  it('without any network answers that nothing is known', () => {
    const file = write([]);
    const reader = read(file);
    for (const address of ['0.0.0.0', '8.8.8.8', '::', '2001:db8::1', '::ffff:8.8.8.8'])
      expect(reader.get(address)).toBeNull();
    expect(reader.metadata.nodeCount).toBe(1);
    expect([...readMmdb(file).networks()]).toEqual([]);
  });

  it('is the same to the byte each time, in whatever order the ranges come', () => {
    const ranges = Array.from({ length: 200 }, (_, index) =>
      range(`10.${index}.0.0/16`, { name: `number ${index % 7}`, even: index % 2 === 0 }),
    );
    const file = write(ranges);
    expect(write(ranges).equals(file)).toBe(true);
    expect(write(ranges.toReversed()).equals(file)).toBe(true);
  });

  it('holds equal values and equal parts of the tree once', () => {
    const part = (base: string): AddressRange<MmdbValue>[] =>
      [1, 3, 6].map((host) => range(`${base}${host}/128`, { name: 'a value of some length' }));
    const once = read(write(part('2001:db8::'), { aliasIPv4: false })).metadata.nodeCount;
    const file = write([...part('2001:db8::'), ...part('3fff:db8::')], { aliasIPv4: false });
    const reader = read(file);
    // Only the way to where the second part differs is new: 16 bits, the first three of which are shared.
    expect(reader.metadata.nodeCount).toBeLessThanOrEqual(once + 13);
    expect(reader.get('3fff:db8::6')).toEqual({ name: 'a value of some length' });
    expect(reader.get('3fff:db8::5')).toBeNull();
    expect(file.indexOf('a value of some length')).toBe(file.lastIndexOf('a value of some length'));
  });

  it('holds what a network maps to as a value of its own, for readers that check the section value by value', () => {
    const file = write([
      range('10.0.0.0/8', { name: 'said in a map' }),
      range('11.0.0.0/8', 'said in a map'),
    ]);
    expect(get(file, '10.0.0.1')).toEqual({ name: 'said in a map' });
    expect(get(file, '11.0.0.1')).toBe('said in a map');
    expect(file.indexOf('said in a map')).not.toBe(file.lastIndexOf('said in a map'));
  });

  it('lists an IPv6 network that looks just like the IPv4 part, and the IPv4 part once', () => {
    const file = write([range('0.0.0.0/1', 'x'), { ...range('2001:db8::/97', 'x') }]);
    expect([...readMmdb(file).networks()]).toEqual([
      { start: 0n, end: (1n << 31n) - 1n, value: 'x' },
      range('2001:db8::/97', 'x'),
    ]);
  });
});

describe('record sizes', () => {
  // One node and one value: the largest record value is node + separator + control bytes + payload - 1.
  const payload = (largest: number): Uint8Array => new Uint8Array(largest + 1 - 1 - 16 - 4);
  const whole = (value: MmdbValue): AddressRange<MmdbValue>[] => [
    { start: 0n, end: (1n << 128n) - 1n, value },
  ];

  it('are 24 bits as long as these reach the end, then 28', () => {
    const fits = write(whole(payload(2 ** 24 - 1)));
    expect(read(fits).metadata).toMatchObject({ recordSize: 24, nodeCount: 1 });
    const over = write(whole(payload(2 ** 24)));
    expect(read(over).metadata).toMatchObject({ recordSize: 28, nodeCount: 1 });
    expect((get(over, '1.2.3.4') as Buffer).length).toBe(payload(2 ** 24).length);
  });

  it('of 28 bits reach values behind the first 16 MiB on both sides of a node', () => {
    const file = write(
      [
        range('::/2', new Uint8Array(2 ** 24)),
        range('4000::/2', 'left'),
        range('8000::/2', 'left of right'),
        range('c000::/2', 'right'),
      ],
      { aliasIPv4: false },
    );
    expect(read(file).metadata.recordSize).toBe(28);
    for (const read of [
      ['4000::1', '8000::1', 'c000::1'].map((address) => get(file, address)),
      [...readMmdb(file).networks()].slice(1).map((network) => network.value),
    ])
      expect(read).toEqual(['left', 'left of right', 'right']);
  });

  it.each([24, 28, 32] as const)('of %i bits can be asked for and read', (recordSize) => {
    const ranges = [
      range('10.0.0.0/8', 'ten'),
      range('2001:db8::/32', 'documentation'),
      range('f000::/4', 'end'),
    ];
    const file = write(ranges, { recordSize });
    expect(read(file).metadata.recordSize).toBe(recordSize);
    expect(get(file, '10.1.2.3')).toBe('ten');
    expect(get(file, '2001:db8::1')).toBe('documentation');
    expect(get(file, '11.0.0.0')).toBeNull();
    expect([...readMmdb(file).networks()]).toEqual(ranges);
  });

  it('that are too small for the file are refused', () => {
    expect(() => write(whole(payload(2 ** 24)), { recordSize: 24 })).toThrow(
      'Records of 24 bits cannot address',
    );
  });
});
