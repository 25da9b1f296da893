import { describe, expect, it } from 'vitest';
import { asnRanges, countryRecord, epochOfVersion } from '../../build/geoip-sources.ts';
import { uint32 } from '../../build/mmdb-value.ts';

const asn = (text: string, file = 'asn-ipv4-num.csv'): unknown[] => [...asnRanges(text, file)];

describe('countryRecord', () => {
  it('has the shape of GeoLite2-Country, the European Union only where it is true', () => {
    expect(countryRecord('FR')).toEqual({
      continent: { code: 'EU', names: { en: 'Europe' } },
      country: { iso_code: 'FR', is_in_european_union: true, names: { en: 'France' } },
    });
    expect(countryRecord('US')).toEqual({
      continent: { code: 'NA', names: { en: 'North America' } },
      country: { iso_code: 'US', names: { en: 'United States' } },
    });
  });

  it('does not pass a code without a country on', () => {
    expect(() => countryRecord('ZZ')).toThrow('No country is known by the code "ZZ"');
  });
});

describe('asnRanges', () => {
  it('reads IPv4 and IPv6 addresses, quotes and commas', () => {
    expect(asn('16777216,16777471,13335,"Cloudflare, Inc."\n')).toEqual([
      {
        start: 0x01000000n,
        end: 0x010000ffn,
        value: {
          autonomous_system_number: uint32(13335),
          autonomous_system_organization: 'Cloudflare, Inc.',
        },
      },
    ]);
    expect(
      asn(
        '42540488161975842760550356425300246528,42540488241204005274814694018844196863,6939,HE\n',
        'asn-ipv6-num.csv',
      ),
    ).toMatchObject([{ start: 0x2001_0000n << 96n, end: (0x2001_0001n << 96n) - 1n }]);
  });

  it('gives one object for all ranges of one system', () => {
    const [first, second] = [...asnRanges('1,2,64500,X\n5,6,64500,X\n', 'asn-ipv4-num.csv')];
    expect(first?.value).toBe(second?.value);
  });

  it('gives the number alone where the organisation is empty, and nothing where nobody announces the range', () => {
    expect(asn('1,2,64500,\n3,4,0,Not routed\n5,6,64501," "\n')).toEqual([
      { start: 1n, end: 2n, value: { autonomous_system_number: uint32(64500) } },
      { start: 5n, end: 6n, value: { autonomous_system_number: uint32(64501) } },
    ]);
  });

  it.each([
    ['a range that ends before it begins', '2,1,64500,X'],
    ['a missing field', '1,2,64500'],
    ['a field too many', '1,2,64500,X,Y'],
    ['addresses that are no numbers', '1.0.0.0,1.0.0.255,64500,X'],
    ['an address outside IPv4', '1,4294967296,64500,X'],
    ['a number of over 32 bits', '1,2,4294967296,X'],
    ['no number', '1,2,,X'],
  ])('refuses %s and shows the row', (_, row) => {
    expect(() => asn(`${row}\n`)).toThrow(`asn-ipv4-num.csv has a row that is no range of an AS: ${row}.`);
  });
});

describe('epochOfVersion', () => {
  it('reads the hour in the version of a data package', () => {
    expect(epochOfVersion('x', '2.3.2026061719')).toBe(Date.parse('2026-06-17T19:00:00Z') / 1000);
  });

  it('refuses a version without one', () => {
    expect(() => epochOfVersion('the-package', '3.0.0')).toThrow(
      'The version 3.0.0 of the-package does not say',
    );
  });
});
