import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Reader, type Response } from 'maxmind';
import { afterAll, describe, expect, it } from 'vitest';
import { encode } from '../../build/mmdb-data-section.ts';
import { double, int32, uint16, uint32, uint64, type MmdbValue } from '../../build/mmdb-value.ts';
import { writeMmdb, type MmdbOptions, type RecordSize } from '../../build/mmdb-writer.ts';
import { GeoDatabaseError, openGeoDatabase } from '../../src/adapters/geo-database-maxmind.ts';
import { openMmdbTree } from '../../src/adapters/mmdb-tree.ts';
import {
  decimalText,
  ipAddressFromBytes,
  networkContains,
  parseIpAddress,
  parseNetwork,
  type IpAddress,
} from '../../src/core/ip-address.ts';
import type { GeoDatabase } from '../../src/ports/geo-database.ts';
import { createLookup } from '../../src/whoami/lookup.ts';
import { fullJson, textFields } from '../../src/whoami/formats.ts';
import { randomNumbers } from '../support/random-numbers.ts';

const root = mkdtempSync(join(tmpdir(), 'geo-database-test-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const ip = (text: string): IpAddress => parseIpAddress(text)!;

/** A folder that holds just these files. */
function folderOf(files: { readonly [name: string]: Uint8Array }): string {
  const folder = mkdtempSync(join(root, 'geoip-'));
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes);
  return folder;
}

function database(
  databaseType: string,
  networks: { readonly [network: string]: MmdbValue },
  options: Partial<MmdbOptions> = {},
): Buffer {
  const ranges = Object.entries(networks).map(([text, value]) => {
    const { words, prefixLength } = parseNetwork(text)!;
    const start = words.reduce((sum, word) => (sum << 32n) | BigInt(word), 0n);
    return { start, end: start + (1n << BigInt(words.length * 32 - prefixLength)) - 1n, value };
  });
  const description = { en: 'made by a test' };
  return writeMmdb(ranges, {
    databaseType,
    description,
    languages: ['en'],
    buildEpoch: 1_780_000_000,
    ...options,
  });
}

const boxford: MmdbValue = {
  city: { names: { en: 'Boxford', de: 'Boxford am Lambourn' } },
  continent: { code: 'EU', names: { en: 'Europe' } },
  country: { iso_code: 'GB', names: { en: 'United Kingdom' } },
  location: { latitude: double(51.75), longitude: double(-1.25), time_zone: 'Europe/London' },
  postal: { code: 'OX1' },
  subdivisions: [
    { iso_code: 'ENG', names: { en: 'England' } },
    { iso_code: 'WBK', names: { en: 'West Berkshire' } },
  ],
};
const dijon: MmdbValue = {
  city: { names: { en: 'Dijon' } },
  country: { iso_code: 'FR', is_in_european_union: true, names: { en: 'France' } },
};
const cities = { '2.125.160.0/24': boxford, '2a00:1450::/32': dijon };
const operators = {
  '2.125.0.0/16': {
    autonomous_system_number: uint32(5607),
    autonomous_system_organization: 'Sky UK Limited',
  },
  '2a00:1450::/29': { autonomous_system_number: uint32(4_294_967_295) },
};

describe('openGeoDatabase', () => {
  it('reads places and operators of both families from the databases in the folder', () => {
    const folder = folderOf({
      'a.mmdb': database('GeoLite2-City', cities),
      'b.mmdb': database('GeoLite2-ASN', operators),
    });
    const geo = openGeoDatabase(folder);
    expect(geo.editions).toMatchObject([
      { type: 'GeoLite2-City', builtAt: new Date(1_780_000_000_000), source: join(folder, 'a.mmdb') },
      { type: 'GeoLite2-ASN', source: join(folder, 'b.mmdb') },
    ]);
    expect(geo.lookup(ip('2.125.160.216'))).toEqual({
      prefixLength: 16,
      place: {
        continent: 'Europe',
        continentCode: 'EU',
        country: 'United Kingdom',
        countryIso: 'GB',
        countryEu: false,
        regionName: 'England',
        regionCode: 'ENG',
        city: 'Boxford',
        postalCode: 'OX1',
        latitude: 51.75,
        longitude: -1.25,
        timeZone: 'Europe/London',
      },
      operator: { asn: 5607, asnOrg: 'Sky UK Limited' },
    });
    expect(geo.lookup(ip('2a00:1450::1'))).toMatchObject({
      prefixLength: 29,
      place: { city: 'Dijon', countryEu: true },
      operator: { asn: 4_294_967_295, asnOrg: undefined },
    });
    expect(geo.lookup(ip('2.126.0.1'))).toEqual({ prefixLength: undefined, place: {}, operator: {} });
    expect(geo.lookup(ip('2.125.160.1')).prefixLength).toBe(16);
    expect(geo.unreadable()).toBe(0);
  });

  it('prefers a city database to a country database, however old', () => {
    const geo = openGeoDatabase(
      folderOf({
        'a.mmdb': database('GeoIP2-Country', { '2.125.160.0/24': dijon }),
        'b.mmdb': database('GeoIP2-City', cities, { buildEpoch: 1 }),
        'c.mmdb': database('GeoIP2-ISP', operators),
      }),
    );
    expect(geo.editions.map(({ type }) => type)).toEqual(['GeoIP2-City', 'GeoIP2-ISP']);
    expect(geo.lookup(ip('2.125.160.1')).place.city).toBe('Boxford');
  });

  it.each([
    ['first', 1_780_000_001, 1_780_000_000],
    ['last', 1_780_000_000, 1_780_000_001],
  ])('takes the newest of two that know the same, here the %s by name', (_which, a, b) => {
    const geo = openGeoDatabase(
      folderOf({
        'a.mmdb': database('GeoLite2-City', cities, { buildEpoch: a }),
        'b.mmdb': database('GeoLite2-City', cities, { buildEpoch: b }),
      }),
    );
    expect(geo.editions[0].source).toMatch(a > b ? /a\.mmdb$/ : /b\.mmdb$/);
  });

  it('fills what the folder lacks with the built-in databases', () => {
    for (const folder of [
      join(root, 'missing'),
      folderOf({}),
      folderOf({ 'notes.txt': Buffer.from('hello') }),
    ]) {
      const geo = openGeoDatabase(folder);
      expect(geo.editions.map(({ source }) => source)).toEqual(['embedded', 'embedded']);
      expect(geo.lookup(ip('8.8.8.8'))).toMatchObject({
        place: { countryIso: 'US' },
        operator: { asn: 15_169 },
      });
      expect(geo.lookup(ip('2001:4860:4860::8888')).operator.asn).toBe(15_169);
    }
    const geo = openGeoDatabase(folderOf({ 'city.mmdb': database('GeoLite2-City', cities) }));
    expect(geo.editions.map(({ source }) => source)).toEqual([
      expect.stringMatching(/city\.mmdb$/),
      'embedded',
    ]);
  });

  it('says of IPv6 addresses nothing where the database is of IPv4 only', () => {
    const geo = openGeoDatabase(
      folderOf({ 'city.mmdb': ipv4Only(boxford), 'asn.mmdb': database('X-ASN', {}) }),
    );
    expect(geo.lookup(ip('1.2.3.4')).place.city).toBe('Boxford');
    expect(geo.lookup(ip('1.2.3.4')).prefixLength).toBe(1);
    expect(geo.lookup(ip('129.2.3.4')).place.city).toBeUndefined();
    expect(geo.lookup(ip('102:304::')).place.city).toBeUndefined();
    expect(geo.lookup(ip('::102:304')).place.city).toBeUndefined();
  });

  it('counts what is of another type than it should be as unknown', () => {
    const absurd: MmdbValue[] = [
      '',
      'text',
      true,
      uint16(7),
      int32(-7),
      double(NaN),
      double(Infinity),
      uint64(2n ** 63n),
    ];
    const composite: MmdbValue[] = [
      [],
      {},
      ['en'],
      { en: {} },
      { names: 'en' },
      { names: { en: uint16(1) } },
    ];
    const names = [
      'city',
      'continent',
      'country',
      'location',
      'postal',
      'subdivisions',
      'registered_country',
    ];
    const networks: { [network: string]: MmdbValue } = {};
    const values = [...absurd, ...composite, Buffer.from([1, 2])];
    for (const [index, value] of values.entries()) {
      networks[`2.0.${index}.0/24`] = value;
      networks[`2.1.${index}.0/24`] = Object.fromEntries(names.map((name) => [name, value]));
      networks[`2.2.${index}.0/24`] = {
        city: { names: value },
        continent: { code: value, names: value },
        country: { iso_code: value, names: { en: value } },
        location: { latitude: value, longitude: value, time_zone: value },
        postal: { code: value },
        subdivisions: [value],
        autonomous_system_number: value,
        autonomous_system_organization: value,
      };
    }
    const geo = openGeoDatabase(
      folderOf({ 'a.mmdb': database('A-City', networks), 'b.mmdb': database('B-ASN', networks) }),
    );
    for (const network of Object.keys(networks)) {
      const { place, operator } = geo.lookup(ip(network.slice(0, -3)));
      const strings = [
        place.continent,
        place.country,
        place.countryIso,
        place.city,
        place.regionName,
        place.regionCode,
      ];
      for (const value of [...strings, place.postalCode, place.timeZone, operator.asnOrg]) {
        if (value !== undefined) expect(value).toMatch(/^(text|en)$/);
      }
      for (const value of [place.latitude, place.longitude, operator.asn]) {
        if (value !== undefined) expect(value).toSatisfy(Number.isFinite);
      }
      if (operator.asn !== undefined) expect(operator.asn).toBe(7);
    }
    expect(geo.unreadable()).toBe(0);
    expectRenderable(
      geo,
      Object.keys(networks).map((network) => ip(network.slice(0, -3))),
    );
  });
});

describe('a damaged database', () => {
  const city = database('GeoLite2-City', cities);
  const asn = database('GeoLite2-ASN', operators);

  it.each([
    ['is empty', Buffer.alloc(0)],
    ['is all zeros', Buffer.alloc(10_000)],
    ['is all ones', Buffer.alloc(10_000, 0xff)],
    ['is text', Buffer.from('<html>rate limited</html>\n'.repeat(100))],
    ['holds the mark of its metadata only', Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1')],
    ['lacks its head', city.subarray(40)],
    ['has another format', withMetadata({ binary_format_major_version: uint16(3) })],
    ['has no type', withMetadata({ database_type: uint16(1) })],
    ['has no time of building', withMetadata({ build_epoch: 'yesterday' })],
    ['was built beyond all time', withMetadata({ build_epoch: uint64(2n ** 63n) })],
    ['has addresses of five bytes', withMetadata({ ip_version: uint16(5) })],
    ['has addresses of text', withMetadata({ ip_version: '4' })],
    ['holds data of no type', whole(Buffer.from([0, 0]))],
    ['holds data that points at itself', whole(Buffer.from([0x20, 0]))],
    ['has no nodes', withMetadata({ node_count: uint32(0) })],
    ['has more nodes than fit', withMetadata({ node_count: uint32(4_000_000_000) })],
    ['has text for a count of nodes', withMetadata({ node_count: '1' })],
    ['has records of 20 bits', withMetadata({ record_size: uint16(20) })],
  ])('is refused with its name and a remedy where it %s', (_how, bytes) => {
    const folder = folderOf({ 'broken.mmdb': bytes, 'asn.mmdb': asn });
    const error = errorOf(() => openGeoDatabase(folder));
    expect(error).toBeInstanceOf(GeoDatabaseError);
    expect(error).toMatchObject({ code: 'geoip-unreadable' });
    expect((error as GeoDatabaseError).message).toContain(join(folder, 'broken.mmdb'));
    expect((error as GeoDatabaseError).remedy).toContain(join(folder, 'broken.mmdb'));
  });

  it('is refused where it was cut off at any byte', () => {
    const folder = folderOf({ 'asn.mmdb': asn });
    const path = join(folder, 'cut.mmdb');
    for (let length = 0; length < city.length; length += length < city.length - 400 ? 13 : 1) {
      writeFileSync(path, city.subarray(0, length));
      const error = errorOf(() => openGeoDatabase(folder));
      expect(error, `cut after ${length} bytes`).toBeInstanceOf(GeoDatabaseError);
      expect((error as GeoDatabaseError).message).toContain(path);
    }
  });

  it('whose damage lies where nobody looked at opening answers without that record, and counts it', () => {
    const networks: { [network: string]: MmdbValue } = {};
    for (let id = 0; id < 6000; id++) {
      networks[`20.${id >>> 8}.${id & 255}.0/24`] = { country: { iso_code: id.toString(36) } };
    }
    const sound = database('GeoLite2-Country', networks);
    const { metadata } = new Reader<Response>(sound);
    const folder = folderOf({ 'asn.mmdb': asn });
    let opened = 0;
    for (let id = 0; id < 100; id++) {
      const address = ip(`20.0.${id}.1`);
      const bytes = Buffer.from(sound);
      const { offset } = openMmdbTree(bytes, metadata).find(address)!;
      // A type that there is not.
      bytes.fill(0, offset, offset + 2);
      writeFileSync(join(folder, 'country.mmdb'), bytes);
      let geo: GeoDatabase;
      try {
        geo = openGeoDatabase(folder);
      } catch {
        continue;
      }
      opened++;
      expect(geo.lookup(address)).toEqual({ prefixLength: undefined, place: {}, operator: {} });
      expect(geo.unreadable()).toBe(1);
      expect(geo.lookup(ip('20.1.0.1')).place.countryIso).toBe((256).toString(36));
    }
    expect(opened).toBeGreaterThan(0);
  });

  it('that cannot be read is refused with its name', () => {
    const folder = folderOf({ 'asn.mmdb': asn });
    const path = join(folder, 'asn.mmdb', 'below');
    expect(() => openGeoDatabase(path)).toThrow(path);
  });

  it(
    'is refused, or answers without ever throwing, whichever of its bytes are others',
    { timeout: 60_000 },
    () => {
      const random = randomNumbers(20_261_101);
      const folder = folderOf({});
      const addresses = [
        ...[
          '2.125.160.1',
          '2.125.1.1',
          '2a00:1450::1',
          '2a00:1457::1',
          '0.0.0.0',
          '255.255.255.255',
          '::',
          '8000::',
        ].map(ip),
        ...Array.from({ length: 12 }, () => anyAddress(random)),
      ];
      let refused = 0;
      let opened = 0;
      for (let turn = 0; turn < 3000; turn++) {
        const [name, whole] = turn % 2 === 0 ? (['city.mmdb', city] as const) : (['asn.mmdb', asn] as const);
        writeFileSync(join(folder, 'city.mmdb'), city);
        writeFileSync(join(folder, 'asn.mmdb'), asn);
        const bytes = Buffer.from(whole);
        // Two in three lie where a change says most: in data and metadata, behind the tree.
        const from = turn % 3 === 0 ? 0 : bytes.length - 600;
        for (let change = 1 + Math.floor(random() * 4); change > 0; change--) {
          bytes[from + Math.floor(random() * (bytes.length - from))] = Math.floor(random() * 256);
        }
        writeFileSync(join(folder, name), bytes);
        let geo: GeoDatabase;
        try {
          geo = openGeoDatabase(folder);
        } catch (error) {
          expect(error, `turn ${turn}`).toBeInstanceOf(GeoDatabaseError);
          expect((error as GeoDatabaseError).message).toMatch(new RegExp(`${folder}/${name}|embedded`));
          refused++;
          continue;
        }
        opened++;
        expectRenderable(geo, addresses);
      }
      expect(refused).toBeGreaterThan(200);
      expect(opened).toBeGreaterThan(200);
    },
  );
});

describe('the walk of the search tree', () => {
  it.each([24, 28, 32] as const)(
    'finds what the reader of the format finds, with records of %i bits',
    { timeout: 60_000 },
    (recordSize) => {
      const random = randomNumbers(recordSize);
      const bytes = someNetworks(random, recordSize);
      const reader = new Reader<Response>(bytes);
      const tree = openMmdbTree(bytes, reader.metadata);
      expect(reader.metadata.recordSize).toBe(recordSize);
      let known = 0;
      for (let count = 0; count < 100_000; count++) {
        const address = anyAddress(random);
        const found = tree.find(address);
        const [record, prefixLength] = reader.getWithPrefixLength(address.text);
        const same =
          found === undefined
            ? record === null
            : found.prefixLength === prefixLength &&
              idOf(reader, found.offset) === (record as { id?: number } | null)?.id;
        if (!same) expect.fail(`${address.text}: ${JSON.stringify({ found, record, prefixLength })}`);
        if (record !== null) known++;
      }
      expect(known).toBeGreaterThan(10_000);
      expect(known).toBeLessThan(99_000);
    },
  );
  it('reads the four high bits of both records of 28 bits', () => {
    // One record lies at the start of the data, one where 24 bits do not reach.
    const far = 2 ** 24;
    const data = Buffer.alloc(far + 64);
    encode({ id: uint32(1) }).copy(data);
    encode({ id: uint32(2) }).copy(data, far);
    for (const [left, right] of [
      [0, far],
      [far, 0],
    ] as const) {
      const [low, high] = [left + 1 + 16, right + 1 + 16];
      const node = Buffer.alloc(7);
      node.writeUIntBE(low % 2 ** 24, 0, 3);
      node[3] = ((low >>> 24) << 4) | (high >>> 24);
      node.writeUIntBE(high % 2 ** 24, 4, 3);
      const bytes = whole(data, { record_size: uint16(28) }, node);
      const reader = new Reader<Response>(bytes);
      const tree = openMmdbTree(bytes, reader.metadata);
      for (const text of ['1.2.3.4', '129.2.3.4']) {
        const id = idOf(reader, tree.find(ip(text))!.offset);
        expect(id).toBe((reader.get(text) as unknown as { id: number }).id);
        expect(id).toBe((left === 0) === (text === '1.2.3.4') ? 1 : 2);
      }
    }
  });
});

/** MaxMind's own, with the JSON they were made from; they lie beside the repository, not in it. */
const theirs = join(import.meta.dirname, '..', '..', '..', 'shared', 'geoip');
const haveTheirs = existsSync(join(theirs, 'GeoLite2-City-Test.mmdb'));
if (!haveTheirs) console.info(`left out: MaxMind's test databases, which are not in ${theirs}`);

describe.runIf(haveTheirs)("MaxMind's test databases", () => {
  interface TheirRecord {
    readonly city?: { names?: { en?: string } };
    readonly country?: { iso_code?: string; names?: { en?: string } };
    readonly registered_country?: { iso_code?: string };
    readonly location?: { latitude?: number; time_zone?: string };
    readonly autonomous_system_number?: number;
    readonly autonomous_system_organization?: string;
  }

  /** The networks of a source, each with its record and an address that no narrower network of the source has. */
  function sourceOf(name: string): [IpAddress, TheirRecord][] {
    const source = JSON.parse(readFileSync(join(theirs, `${name}.json`), 'utf8')) as {
      [network: string]: TheirRecord;
    }[];
    const all = source.flatMap((each) => Object.entries(each));
    return all.flatMap(([text, record]) => {
      const network = parseNetwork(text);
      if (network === undefined) return [];
      const address = ip(text.slice(0, text.indexOf('/')));
      const narrower = all.some(([other]) => {
        const its = parseNetwork(other);
        return its !== undefined && its.prefixLength > network.prefixLength && networkContains(its, address);
      });
      return narrower ? [] : [[address, record] as [IpAddress, TheirRecord]];
    });
  }
  const copy = (...names: string[]) =>
    folderOf(
      Object.fromEntries(names.map((name) => [`${name}.mmdb`, readFileSync(join(theirs, `${name}.mmdb`))])),
    );

  it('give the places and operators of their sources', () => {
    const geo = openGeoDatabase(copy('GeoLite2-City-Test', 'GeoLite2-ASN-Test', 'GeoLite2-Country-Test'));
    expect(geo.editions.map(({ type }) => type)).toEqual(['GeoLite2-City', 'GeoLite2-ASN']);
    const places = sourceOf('GeoLite2-City-Test');
    expect(places.length).toBeGreaterThan(100);
    for (const [address, { city, country, registered_country, location }] of places) {
      expect(geo.lookup(address).place, address.text).toMatchObject({
        city: city?.names?.en,
        countryIso: (country ?? registered_country)?.iso_code,
        latitude: location?.latitude,
        timeZone: location?.time_zone,
      });
    }
    const asns = sourceOf('GeoLite2-ASN-Test');
    expect(asns.length).toBeGreaterThan(100);
    for (const [address, record] of asns) {
      expect(geo.lookup(address).operator, address.text).toEqual({
        asn: record.autonomous_system_number,
        asnOrg: record.autonomous_system_organization,
      });
    }
    expect(geo.unreadable()).toBe(0);
  });

  it('give the countries of their source', () => {
    const geo = openGeoDatabase(copy('GeoLite2-Country-Test', 'GeoLite2-ASN-Test'));
    expect(geo.editions[0].type).toBe('GeoLite2-Country');
    for (const [address, { country, registered_country }] of sourceOf('GeoLite2-Country-Test')) {
      expect(geo.lookup(address).place.countryIso, address.text).toBe(
        (country ?? registered_country)?.iso_code,
      );
    }
  });
});

/** Asks for every answer that is made of a record. */
function expectRenderable(geo: GeoDatabase, addresses: readonly IpAddress[]): void {
  const lookup = createLookup(geo);
  for (const address of addresses) {
    const { record, whoamiBody } = lookup(address);
    const full = fullJson(record, {});
    const { ip: shown } = JSON.parse(full) as { ip: unknown };
    const { IP } = JSON.parse(whoamiBody) as { IP: unknown };
    const lines = Object.values(textFields).map((field) => field(record));
    const right =
      IP === address.text &&
      shown === address.text &&
      full.includes(`"ip_decimal":${decimalText(address)},`) &&
      lines.every((line) => line === undefined || typeof line === 'string');
    if (!right) expect.fail(`${address.text}: ${whoamiBody} ${full} ${String(lines)}`);
  }
}

function errorOf(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** A database of one node: the lower half of the IPv4 addresses has the record. */
function ipv4Only(record: MmdbValue, metadata: { readonly [key: string]: MmdbValue } = {}): Buffer {
  return whole(encode(record), metadata);
}

/** The same with any data, and, where given, another node. */
function whole(
  data: Uint8Array,
  metadata: { readonly [key: string]: MmdbValue } = {},
  node = Buffer.from([0, 0, 1 + 16, 0, 0, 1]),
): Buffer {
  return Buffer.concat([
    node,
    Buffer.alloc(16),
    data,
    Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1'),
    encode({
      binary_format_major_version: uint16(2),
      binary_format_minor_version: uint16(0),
      build_epoch: uint64(1_780_000_000n),
      database_type: 'Test-City',
      description: {},
      ip_version: uint16(4),
      languages: [],
      node_count: uint32(1),
      record_size: uint16(24),
      ...metadata,
    }),
  ]);
}

function withMetadata(metadata: { readonly [key: string]: MmdbValue }): Buffer {
  return ipv4Only(boxford, metadata);
}

/** Networks of all lengths in both families, each with a record of its own. */
function someNetworks(random: () => number, recordSize: RecordSize): Buffer {
  const networks: { [network: string]: MmdbValue } = {};
  for (let id = 0; id < 4000; id++) {
    const address = anyAddress(random);
    const length = 10 + Math.floor(random() * (address.words.length * 32 - 9));
    const view = new DataView(bytesOf(address.words));
    for (let bit = length; bit < address.words.length * 32; bit++) {
      view.setUint8(bit >>> 3, view.getUint8(bit >>> 3) & ~(0x80 >>> (bit & 7)));
    }
    networks[`${ipAddressFromBytes(view.buffer).text}/${length}`] = { id: uint32(id) };
  }
  return database('Any', networks, { recordSize });
}

function idOf(reader: Reader<Response>, offset: number): unknown {
  const { decoder } = reader as unknown as {
    decoder: { decodeFast(offset: number): { value: { id?: unknown } } };
  };
  return decoder.decodeFast(offset).value.id;
}

/** Half of them IPv4; those of IPv6 share a few first bits, so that networks lie close. */
function anyAddress(random: () => number): IpAddress {
  const word = (): number => Math.floor(random() * 2 ** 32);
  if (random() < 0.5) return ipAddressFromBytes(bytesOf([word()]));
  return ipAddressFromBytes(bytesOf([(0x2000_0000 | (word() & 0x0fff_0000)) >>> 0, word(), word(), word()]));
}

function bytesOf(words: readonly number[]): ArrayBuffer {
  const view = new DataView(new ArrayBuffer(words.length * 4));
  for (const [index, value] of words.entries()) view.setUint32(index * 4, value);
  return view.buffer;
}
