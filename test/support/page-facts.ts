import { parseIpAddress } from '../../src/core/ip-address.ts';
import type { PageFacts } from '../../src/web/page.ts';

const databases = [
  { type: 'DBIP-Country-Lite', builtAt: new Date('2026-06-01T00:00:00Z') },
  { type: 'ASN', builtAt: new Date('2026-06-17T00:00:00Z') },
];

/** Facts of one address; the rest as a caller on the way to a server in a checkout. */
export function factsOf(address: string, more: Partial<PageFacts> = {}): PageFacts {
  const parsed = parseIpAddress(address);
  if (parsed === undefined) throw new Error(`not an address: ${address}`);
  return { address: parsed, databases, asked: false, host: '127.0.0.1:8080', ...more };
}

/** An address with all that a database of cities knows. */
export const cityFacts = factsOf('8.8.8.8', {
  prefixLength: 24,
  continent: 'North America',
  country: 'United States',
  countryIso: 'US',
  countryEu: false,
  regionName: 'California',
  city: 'Mountain View',
  postalCode: '94043',
  latitude: 37.422,
  longitude: -122.085,
  timeZone: 'America/Los_Angeles',
  asn: 15_169,
  asnOrg: 'Google LLC',
  host: 'my.host',
});

export const countryFacts = factsOf('145.97.200.17', {
  prefixLength: 17,
  continent: 'Europe',
  country: 'The Netherlands',
  countryIso: 'NL',
  countryEu: true,
  asn: 1103,
  asnOrg: 'SURF B.V.',
});

export const longFacts = factsOf('2001:67c:1220:809a:b3f4:98ff:fe12:4567', {
  prefixLength: 46,
  continent: 'Europe',
  country: 'Czechia',
  countryIso: 'CZ',
  countryEu: true,
  asn: 197_451,
  asnOrg: 'Brno University of Technology',
  asked: true,
});
export const loopbackFacts = factsOf('127.0.0.1', { bogon: 'loopback' });
