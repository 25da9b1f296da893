import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { builder } from '../../build/geoip-data.ts';
import { attribution, attributionFor, dbIpLink } from '../../src/whoami/attribution.ts';

const root = join(import.meta.dirname, '../..');

describe('makeGeoipData', () => {
  it('notices a change in any file of build/ that the databases are made with', () => {
    const reached = new Set(['geoip-data.ts']);
    for (const file of reached)
      for (const [, name = ''] of readFileSync(join(root, 'build', file), 'utf8').matchAll(
        /from '\.\/([^']+)'/g,
      ))
        reached.add(name);
    expect(reached.size).toBeGreaterThan(5);
    expect(builder.toSorted()).toEqual([...reached].toSorted());
  });
});

describe('attribution', () => {
  it('is owed for what is in use', () => {
    const texts = (...types: string[]) => attributionFor(types).map(({ url }) => new URL(url).hostname);
    expect(attributionFor(['DBIP-Country-Lite', 'RouteViews-DBIP-ASN'])).toEqual(attribution);
    expect(texts('GeoLite2-City', 'GeoLite2-ASN')).toEqual(['www.maxmind.com']);
    expect(texts('GeoLite2-City', 'RouteViews-DBIP-ASN')[0]).toBe('www.maxmind.com');
    expect(texts('My-Own-City')).toEqual([]);
  });

  const licence = (file: string): string =>
    readFileSync(join(root, 'node_modules/@ip-location-db', file), 'utf8').toLowerCase();

  it('has the link that both packages ask for, letter for letter', () => {
    for (const file of ['asn/DBIP-LICENSE', 'dbip-country-mmdb/DBIP-LICENSE'])
      expect(licence(file)).toContain(dbIpLink.toLowerCase());
    expect(dbIpLink).toBe(`<a href='${attribution[0]?.url}'>${attribution[0]?.text}</a>`);
  });

  it('names every site that a licence in the packages wants named', () => {
    const sites = attribution.map(({ url }) => new URL(url).hostname.replace('www.', ''));
    const wanted = ['asn/DBIP-LICENSE', 'asn/ROUTEVIEWS-LICENSE', 'asn/NRO_LICENSE'].map(
      (file) => /give attribution to (\S+) for the data/.exec(licence(file))?.[1],
    );
    expect(sites).toEqual(wanted);
  });
});
