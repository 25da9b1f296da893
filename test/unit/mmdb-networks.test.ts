import { describe, expect, it } from 'vitest';
import { readMmdb } from '../../build/mmdb-networks.ts';
import { uint32 } from '../../build/mmdb-value.ts';
import { writeMmdb } from '../../build/mmdb-writer.ts';
import { addressNumber } from '../support/address-text.ts';

const ten = {
  start: addressNumber('10.0.0.0'),
  end: addressNumber('10.255.255.255'),
  value: { n: uint32(10) },
};
const documentation = {
  start: addressNumber('2001:db8::'),
  end: addressNumber('2001:db8:ffff:ffff:ffff:ffff:ffff:ffff'),
  value: { n: uint32(10) },
};
const file = writeMmdb([documentation, ten], {
  databaseType: 'Test',
  description: {},
  languages: [],
  buildEpoch: 1,
});

describe('readMmdb', () => {
  it('lists the networks in ascending order, each once, though mapped addresses lead to them as well', () => {
    const networks = [...readMmdb(file).networks()];
    expect(networks.map(({ start, end }) => [start, end])).toEqual([
      [ten.start, ten.end],
      [documentation.start, documentation.end],
    ]);
    expect(networks[0]?.value).toEqual({ n: 10 });
  });

  it('gives one object for all networks of one value', () => {
    const [first, second] = [...readMmdb(file).networks()];
    expect(first?.value).toBe(second?.value);
  });

  it('gives the metadata', () => {
    expect(readMmdb(file).metadata).toMatchObject({
      database_type: 'Test',
      build_epoch: 1n,
      ip_version: 6,
      record_size: 24,
    });
  });

  it('refuses what is no such file, and says why', () => {
    expect(() => readMmdb(Buffer.from('<html>not found</html>'))).toThrow('it has no metadata');
    expect(() => readMmdb(Buffer.alloc(0))).toThrow('it has no metadata');
    const other = Buffer.from(file);
    other.writeUInt8(
      3,
      other.lastIndexOf('binary_format_major_version') + 'binary_format_major_version'.length + 1,
    );
    expect(() => readMmdb(other)).toThrow('its format is 3, not 2');
  });

  it('stops at a tree that goes in circles', () => {
    const circle = Buffer.from(file);
    circle.fill(0, 0, 6);
    expect(() => [...readMmdb(circle).networks()]).toThrow('deeper than an address is long');
  });
});
