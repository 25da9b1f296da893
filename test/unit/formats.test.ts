import { describe, expect, it } from 'vitest';
import { parseIpAddress } from '../../src/core/ip-address.ts';
import type { GeoEdition, GeoRecord } from '../../src/ports/geo-database.ts';
import { bogonKind } from '../../src/core/bogon.ts';
import { builtAtText, fullJson, textFields, whoamiFormatter } from '../../src/whoami/formats.ts';
import type { WhoamiRecord } from '../../src/whoami/record.ts';

const city: GeoEdition = {
  type: 'GeoLite2-City',
  builtAt: new Date('2026-06-05T13:42:02Z'),
  source: 'embedded',
};
const asn: GeoEdition = {
  type: 'GeoLite2-ASN',
  builtAt: new Date('2026-06-07T00:00:00Z'),
  source: 'embedded',
};

const known: GeoRecord = {
  prefixLength: 24,
  place: {
    continent: 'Oceania',
    continentCode: 'OC',
    country: 'Australia',
    countryIso: 'AU',
    countryEu: false,
    regionName: 'Queensland',
    regionCode: 'QLD',
    city: 'South Brisbane',
    postalCode: '4101',
    latitude: -27.4766,
    longitude: 153.0166,
    timeZone: 'Australia/Brisbane',
  },
  operator: { asn: 13335, asnOrg: 'Cloudflare, Inc.' },
};
const nothing: GeoRecord = { prefixLength: undefined, place: {}, operator: {} };

function record(text: string, geo: GeoRecord = known): WhoamiRecord {
  const address = parseIpAddress(text)!;
  return { address, geo, bogon: bogonKind(address), databases: [city, asn] };
}
const whoami = (of: WhoamiRecord): string => whoamiFormatter()(of);

describe('/whoami', () => {
  it('is exactly the documented keys', () => {
    expect(whoami(record('1.1.1.1'))).toBe(
      '{"IP":"1.1.1.1","AUTONOMOUS_SYSTEM_ORGANIZATION":"Cloudflare, Inc.","CONTINENT_NAME":"Oceania",' +
        '"COUNTRY_NAME":"Australia","CITY_NAME":"South Brisbane","LATITUDE":-27.4766,"LONGITUDE":153.0166,' +
        '"CREATED_AT":"05 Jun 2026 13:42:02 UTC"}\n',
    );
  });

  it('has only the keys that are known', () => {
    expect(whoami(record('10.0.0.1', nothing))).toBe(
      '{"IP":"10.0.0.1","CREATED_AT":"05 Jun 2026 13:42:02 UTC"}\n',
    );
    expect(whoami(record('1.1.1.1', { ...nothing, operator: { asn: 13335 } }))).not.toContain('AUTONOMOUS');
    expect(whoami(record('1.1.1.1', { ...nothing, place: { country: 'Australia' } }))).toBe(
      '{"IP":"1.1.1.1","COUNTRY_NAME":"Australia","CREATED_AT":"05 Jun 2026 13:42:02 UTC"}\n',
    );
  });

  it('keeps a place on the equator and the meridian', () => {
    const parsed = JSON.parse(
      whoami(record('1.1.1.1', { ...nothing, place: { latitude: 0, longitude: 0 } })),
    );
    expect(parsed).toMatchObject({ LATITUDE: 0, LONGITUDE: 0 });
  });

  it('escapes what a database says', () => {
    const geo = { ...nothing, place: { city: 'a"b\\c\n</script>\ud800' }, operator: { asnOrg: '","x":"' } };
    expect(JSON.parse(whoami(record('1.1.1.1', geo)))).toEqual({
      IP: '1.1.1.1',
      AUTONOMOUS_SYSTEM_ORGANIZATION: '","x":"',
      CITY_NAME: 'a"b\\c\n</script>\ud800',
      CREATED_AT: '05 Jun 2026 13:42:02 UTC',
    });
  });

  it('does not give one address what it remembers of another', () => {
    const format = whoamiFormatter();
    const here = { ...known, place: { city: 'Here' } };
    const there = { ...known, place: { city: 'There' } };
    for (let round = 0; round < 2; round++) {
      expect(JSON.parse(format(record('1.1.1.1', here)))).toMatchObject({ IP: '1.1.1.1', CITY_NAME: 'Here' });
      expect(JSON.parse(format(record('1.1.1.2', there)))).toMatchObject({
        IP: '1.1.1.2',
        CITY_NAME: 'There',
      });
      expect(JSON.parse(format(record('1.1.1.3', here)))).toMatchObject({ IP: '1.1.1.3', CITY_NAME: 'Here' });
    }
  });
});

describe('/json', () => {
  it('is exactly the documented keys, in order', () => {
    const body = fullJson(record('1.1.1.1'), { hostname: 'one.one.one.one', userAgent: 'curl/8.5.0' });
    expect(body).toMatch(/\}\n$/);
    expect(Object.entries(JSON.parse(body) as object)).toEqual([
      ['ip', '1.1.1.1'],
      ['ip_decimal', 16_843_009],
      ['ip_version', 4],
      ['network', '1.1.1.0/24'],
      ['country', 'Australia'],
      ['country_iso', 'AU'],
      ['country_eu', false],
      ['continent', 'Oceania'],
      ['continent_code', 'OC'],
      ['region_name', 'Queensland'],
      ['region_code', 'QLD'],
      ['city', 'South Brisbane'],
      ['postal_code', '4101'],
      ['latitude', -27.4766],
      ['longitude', 153.0166],
      ['time_zone', 'Australia/Brisbane'],
      ['asn', 'AS13335'],
      ['asn_org', 'Cloudflare, Inc.'],
      ['hostname', 'one.one.one.one'],
      ['user_agent', 'curl/8.5.0'],
      ['database', 'GeoLite2-City 2026-06-05, GeoLite2-ASN 2026-06-07'],
    ]);
  });

  it('has only the keys that are known, and the kind of a bogon', () => {
    expect(JSON.parse(fullJson(record('fe80::1', nothing), {}))).toEqual({
      ip: 'fe80::1',
      ip_decimal: Number(0xfe80_0000_0000_0000_0000_0000_0000_0001n),
      ip_version: 6,
      bogon: 'link-local',
      database: 'GeoLite2-City 2026-06-05, GeoLite2-ASN 2026-06-07',
    });
  });

  it.each([
    ['2606:4700:4700::1111', '50543257694033307102031451402929180945'],
    ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', '340282366920938463463374607431768211455'],
    ['2001:db8::1', '42540766411282592856903984951653826561'],
    ['::1', '1'],
    ['255.255.255.255', '4294967295'],
  ])('gives %s with all its digits', (text, digits) => {
    expect(fullJson(record(text), {})).toContain(`"ip_decimal":${digits},`);
  });

  it('escapes what the caller says', () => {
    const userAgent = '","ip":"6.6.6.6\u0000\n\\';
    expect(JSON.parse(fullJson(record('1.1.1.1'), { userAgent }))).toMatchObject({
      ip: '1.1.1.1',
      user_agent: userAgent,
    });
  });
});

describe('the answers of one line', () => {
  it('are what the path names', () => {
    const of = record('2606:4700:4700::1111', { ...known, prefixLength: 44 });
    expect(Object.fromEntries(Object.entries(textFields).map(([path, field]) => [path, field(of)]))).toEqual({
      '/ip': '2606:4700:4700::1111',
      '/country': 'Australia',
      '/country-iso': 'AU',
      '/city': 'South Brisbane',
      '/region': 'Queensland',
      '/asn': 'AS13335',
      '/asn-org': 'Cloudflare, Inc.',
      '/coordinates': '-27.4766,153.0166',
      '/network': '2606:4700:4700::/44',
    });
  });

  it('are nothing but the address where nothing is known', () => {
    const of = record('1.1.1.1', nothing);
    const answers = Object.entries(textFields).flatMap(([path, field]) =>
      field(of) === undefined ? [] : [path],
    );
    expect(answers).toEqual(['/ip']);
  });

  it('have no coordinates where one is missing, and have them at zero', () => {
    const at = (place: GeoRecord['place']) =>
      textFields['/coordinates']!(record('1.1.1.1', { ...nothing, place }));
    expect(at({ latitude: 1 })).toBeUndefined();
    expect(at({ longitude: 1 })).toBeUndefined();
    expect(at({ latitude: 0, longitude: 0 })).toBe('0,0');
  });
});

describe('the time of building', () => {
  it.each([
    ['2026-06-05T13:42:02Z', '05 Jun 2026 13:42:02 UTC'],
    ['2024-02-29T00:00:00Z', '29 Feb 2024 00:00:00 UTC'],
    ['2026-12-31T23:59:59.999Z', '31 Dec 2026 23:59:59 UTC'],
  ])('%s is written %s', (iso, expected) => {
    expect(builtAtText(new Date(iso))).toBe(expected);
  });
});
