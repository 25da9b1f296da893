import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { parseIpAddress, parseNetwork, type IpAddress } from '../../src/core/ip-address.ts';
import { clientAddressRule } from '../../src/http/client-address.ts';
import type { GeoDatabase } from '../../src/ports/geo-database.ts';
import { createLookup } from '../../src/whoami/lookup.ts';

/** A database that says of each address that it is its own city, and keeps what it was asked. */
function geoDatabase(): GeoDatabase & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    editions: [{ type: 'Test-City', builtAt: new Date(Date.UTC(2026, 5, 5, 13, 42, 2)), source: 'embedded' }],
    unreadable: () => 0,
    lookup(address) {
      asked.push(address.text);
      return { prefixLength: 24, place: { city: `city of ${address.text}` }, operator: {} };
    },
  };
}

const ip = (text: string): IpAddress => parseIpAddress(text)!;
const numbered = (number: number): IpAddress =>
  ip(`120.${number >>> 16}.${(number >>> 8) & 255}.${number & 255}`);

describe('a look-up', () => {
  it('asks the database once for an address that is asked for again', () => {
    const geo = geoDatabase();
    const lookup = createLookup(geo);
    const first = lookup(ip('9.9.9.9'));
    expect(lookup(ip('9.9.9.9'))).toBe(first);
    expect(lookup(ip('::ffff:9.9.9.9'))).toBe(first);
    expect(lookup(ip('::ffff:909:909'))).toBe(first);
    expect(geo.asked).toEqual(['9.9.9.9']);
    expect(lookup.counts).toEqual({ lookups: 4, cacheHits: 3 });
  });

  it('remembers one address for all the ways to write it', () => {
    const geo = geoDatabase();
    const lookup = createLookup(geo);
    for (const text of [
      '2606:4700::1111',
      '2606:4700:0:0::1111',
      '2606:4700:0000::0:1111',
      '2606:4700::1111%eth0',
    ])
      expect(lookup(ip(text)).record.address.text).toBe('2606:4700::1111');
    expect(geo.asked).toEqual(['2606:4700::1111']);
  });

  it.each([
    ['first IPv4', ['9.9.9.9', '::909:909']],
    ['first IPv6', ['::909:909', '9.9.9.9']],
    ['first IPv6 in mixed notation', ['::9.9.9.9', '9.9.9.9', '::ffff:9.9.9.9']],
    ['with NAT64', ['64:ff9b::9.9.9.9', '9.9.9.9', '64:ff9b::909:909']],
    ['with 6to4', ['2002:909:909::', '9.9.9.9', '2002:909:909::1']],
  ])('never answers one family for the other, %s', (_order, texts) => {
    const lookup = createLookup(geoDatabase());
    for (const text of [...texts, ...texts]) {
      const { record, whoamiBody } = lookup(ip(text));
      expect(record.address.text).toBe(ip(text).text);
      expect(JSON.parse(whoamiBody)).toMatchObject({ IP: ip(text).text });
      expect(record.geo.place.city ?? `city of ${ip(text).text}`).toBe(`city of ${ip(text).text}`);
    }
    expect(lookup(ip('::909:909')).record).toMatchObject({ bogon: 'reserved', geo: { place: {} } });
    expect(lookup(ip('9.9.9.9')).record).toMatchObject({
      bogon: undefined,
      geo: { place: { city: 'city of 9.9.9.9' } },
    });
  });

  it('does not ask the database for an address that belongs to nobody', () => {
    const geo = geoDatabase();
    const lookup = createLookup(geo);
    for (const text of [
      '10.0.0.1',
      '127.0.0.1',
      '100.64.0.1',
      '192.0.2.1',
      '224.0.0.1',
      '::1',
      'fe80::1',
      'fd00::1',
      '::909:909',
    ])
      expect(lookup(ip(text)).record).toMatchObject({
        bogon: expect.any(String),
        geo: { place: {}, operator: {} },
      });
    expect(geo.asked).toEqual([]);
  });

  it('remembers ten thousand addresses at most, and most of as many that keep asking', () => {
    const lookup = createLookup(geoDatabase());
    const hitsOf = (from: number, to: number): number => {
      const before = lookup.counts.cacheHits;
      for (let number = from; number < to; number++) lookup(numbered(number));
      return lookup.counts.cacheHits - before;
    };
    for (let round = 0; round < 3; round++) hitsOf(0, 35_000);
    expect(hitsOf(0, 35_000)).toBeLessThanOrEqual(10_000);
    for (let round = 0; round < 40; round++) hitsOf(50_000, 60_000);
    expect(hitsOf(50_000, 60_000)).toBeGreaterThan(5000);
    expect(hitsOf(50_000, 60_000)).toBeLessThanOrEqual(10_000);
  });

  it('keeps those that come back while a crowd of strangers asks once each', () => {
    const geo = geoDatabase();
    const lookup = createLookup(geo);
    const regulars = Array.from({ length: 1000 }, (_, number) => numbered(number));
    for (let round = 0; round < 2; round++) for (const regular of regulars) lookup(regular);
    for (let number = 100_000; number < 200_000; number++) lookup(numbered(number));
    const before = lookup.counts.cacheHits;
    for (const regular of regulars) lookup(regular);
    expect(lookup.counts.cacheHits - before).toBeGreaterThan(800);
  });

  it('gives the place of one that no longer asks to one of several that do', () => {
    const lookup = createLookup(geoDatabase(), 1);
    lookup(ip('9.9.9.9'));
    for (let round = 0; round < 20; round++) for (const text of ['8.8.8.8', '1.1.1.1']) lookup(ip(text));
    expect(lookup.counts.cacheHits).toBeGreaterThan(0);
  });

  it('gives a taken place to an address that asks twice', () => {
    const geo = geoDatabase();
    const lookup = createLookup(geo, 1);
    for (const text of ['9.9.9.9', '8.8.8.8', '8.8.8.8', '8.8.8.8', '9.9.9.9']) lookup(ip(text));
    expect(geo.asked).toEqual(['9.9.9.9', '8.8.8.8', '8.8.8.8', '9.9.9.9']);
  });

  it('keeps nothing of the header lines that the addresses were cut out of', () => {
    setFlagsFromString('--expose-gc');
    const collectGarbage = runInNewContext('gc') as () => void;
    const lookup = createLookup(geoDatabase());
    const rule = clientAddressRule('x-forwarded-for', [parseNetwork('127.0.0.1')!]);
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    for (let number = 0; number < 10_000; number++) {
      const { text } = numbered(0x64_6464 + number);
      const line = Buffer.from(`${'x'.repeat(4000)}, ${text}`).toString('latin1');
      expect(lookup(rule(ip('127.0.0.1'), [line])).record.address.text).toBe(text);
    }
    collectGarbage();
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(20e6);
    expect(lookup.counts.lookups).toBe(10_000);
  });

  it.each([1, 2, 3, 10])('keeps to a bound of %i', (bound) => {
    const geo = geoDatabase();
    const lookup = createLookup(geo, bound);
    for (let round = 0; round < 3; round++) {
      const before = geo.asked.length;
      for (let number = 0; number < 30; number++)
        expect(lookup(numbered(number)).record.address).toEqual(numbered(number));
      expect(geo.asked.length - before).toBeGreaterThanOrEqual(30 - bound);
    }
  });

  it('keeps an address that is asked for all the time while others come and go', () => {
    const geo = geoDatabase();
    const lookup = createLookup(geo, 100);
    for (let number = 0; number < 5000; number++) {
      lookup(ip('9.9.9.9'));
      lookup(numbered(number));
    }
    expect(geo.asked.filter((text) => text === '9.9.9.9')).toHaveLength(1);
  });
});
