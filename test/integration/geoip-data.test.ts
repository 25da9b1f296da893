// needs: mmdblookup (mmdb-bin), python3-maxminddb
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Reader } from 'maxmind';
import type { Response } from 'maxmind';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { flatten } from '../../build/address-ranges.ts';
import { countryOf } from '../../build/countries.ts';
import { makeGeoipData } from '../../build/geoip-data.ts';
import { readMmdb } from '../../build/mmdb-networks.ts';
import type { DecodedValue } from '../../build/mmdb-networks.ts';
import { addressNumber, addressText } from '../support/address-text.ts';

const packages = join(import.meta.dirname, '../../node_modules/@ip-location-db');
const outDir = mkdtempSync(join(tmpdir(), 'geoip-data-'));
const files = { country: join(outDir, 'geoip-country.mmdb'), asn: join(outDir, 'geoip-asn.mmdb') };
type Database = keyof typeof files;
const databases: Database[] = ['country', 'asn'];
// Debian's package belongs to Debian's interpreter, which need not be the first one in PATH.
const python = '/usr/bin/python3';
const perFamily = 50_000;

/** A draw from 0 to below `limit`, the same sequence each run (mulberry32). */
let state = 20_260_601;
function draw(limit: number): number {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * limit);
}
function drawBelow(limit: bigint): bigint {
  let bits = 0n;
  for (let word = 0; word < 5; word++) bits = (bits << 32n) | BigInt(draw(2 ** 32));
  return bits % limit;
}

interface AsnRow {
  readonly start: bigint;
  readonly end: bigint;
  readonly number: number;
  readonly organization: string;
}

/** The table in its other notation, dotted and colon text: not the files that the databases are made of. */
function asnRows(family: 'ipv4' | 'ipv6'): AsnRow[] {
  const text = readFileSync(join(packages, 'asn', `asn-${family}.csv`), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [, first = '', last = '', number, quoted, plain] =
        /^([^,]+),([^,]+),(\d+),(?:"(.*)"|([^"].*))$/.exec(line) ?? [];
      // Some organisations end in a space, which nobody wants to read.
      const organization = (quoted?.replaceAll('""', '"') ?? plain ?? '').trim();
      return { start: addressNumber(first), end: addressNumber(last), number: Number(number), organization };
    });
}

const embedded = (address: bigint): bigint => {
  if (address >> 32n === 0xffffn) return address & 0xffff_ffffn;
  if (address >> 112n === 0x2002n) return (address >> 80n) & 0xffff_ffffn;
  return address;
};

let rows: AsnRow[];
let sourceCountry: Reader<Response>;

/** What the source tables say of an address, as the databases should. */
const expected: Record<Database, (address: bigint) => unknown> = {
  country(address) {
    const found = sourceCountry.get(addressText(embedded(address))) as { country_code: string } | null;
    if (found === null) return null;
    const country = countryOf(found.country_code);
    return {
      continent: { code: country.continentCode, names: { en: country.continentName } },
      country: {
        iso_code: found.country_code,
        ...(country.inEuropeanUnion ? { is_in_european_union: true } : {}),
        names: { en: country.name },
      },
    };
  },
  asn(address) {
    const wanted = embedded(address);
    let low = 0;
    for (let high = rows.length; low < high;) {
      const middle = (low + high) >>> 1;
      if ((rows[middle] as AsnRow).start <= wanted) low = middle + 1;
      else high = middle;
    }
    // The table's few overlaps are of neighbours: the narrower row is the more specific statement.
    const hits = rows.slice(Math.max(0, low - 4), low).filter((row) => row.end >= wanted);
    const [row] = hits.toSorted((a, b) => (a.end - a.start < b.end - b.start ? -1 : 1));
    if (row === undefined) return null;
    return { autonomous_system_number: row.number, autonomous_system_organization: row.organization };
  },
};

/** Addresses inside what the table knows, at the edges of that and one beyond, and of IPv4 anywhere. */
function drawAddresses(database: Database, family: 'ipv4' | 'ipv6'): bigint[] {
  const known = rows.filter((row) => row.end < 1n << 32n === (family === 'ipv4'));
  const space = family === 'ipv4' ? 1n << 32n : 1n << 128n;
  const drawn: bigint[] = [];
  while (drawn.length < perFamily) {
    const row = known[draw(known.length)] as AsnRow;
    const inside = row.start + drawBelow(row.end - row.start + 1n);
    drawn.push(inside);
    if (family === 'ipv4') drawn.push(drawBelow(space));
    let { start, end } = row;
    if (database === 'country') {
      const bits = (family === 'ipv4' ? 32 : 128) - sourceCountry.getWithPrefixLength(addressText(inside))[1];
      start = (inside >> BigInt(bits)) << BigInt(bits);
      end = start + (1n << BigInt(bits)) - 1n;
    }
    for (const address of [start - 1n, start, end, end + 1n])
      if (address >= 0n && address < space) drawn.push(address);
  }
  const mapped = Array.from({ length: 1000 }, () => (0xffffn << 32n) | drawBelow(1n << 32n));
  const sixToFour = Array.from({ length: 1000 }, () => (0x2002n << 112n) | drawBelow(1n << 112n));
  return family === 'ipv4' ? drawn : [...drawn, ...mapped, ...sixToFour];
}

let addresses: Record<Database, bigint[]>;

beforeAll(() => {
  makeGeoipData({ outDir });
  rows = [...asnRows('ipv4'), ...asnRows('ipv6')];
  sourceCountry = new Reader<Response>(readFileSync(join(packages, 'dbip-country-mmdb/dbip-country.mmdb')));
  addresses = {
    country: [...drawAddresses('country', 'ipv4'), ...drawAddresses('country', 'ipv6')],
    asn: [...drawAddresses('asn', 'ipv4'), ...drawAddresses('asn', 'ipv6')],
  };
});

afterAll(() => rmSync(outDir, { recursive: true, force: true }));

/** Up to five addresses for which two lists of answers differ. */
function differences(asked: bigint[], answers: unknown[], wanted: unknown[]): unknown[] {
  return asked
    .map((address, index) => ({ address: addressText(address), got: answers[index], wanted: wanted[index] }))
    .filter(({ got, wanted }) => JSON.stringify(got) !== JSON.stringify(wanted))
    .slice(0, 5);
}

describe.each(databases)('the %s database', (database) => {
  it('answers like the source table for over 100,000 addresses, read with maxmind', () => {
    const reader = new Reader<Response>(readFileSync(files[database]));
    const asked = addresses[database];
    expect(asked.length).toBeGreaterThanOrEqual(100_000);
    const wanted = asked.map(expected[database]);
    expect(wanted.filter((value) => value === null).length).toBeGreaterThan(1000);
    expect(wanted.filter((value) => value !== null).length).toBeGreaterThan(80_000);
    const answers = asked.map((address) => reader.get(addressText(address)));
    expect(differences(asked, answers, wanted)).toEqual([]);
  });

  it.each(['extension', 'reader'])(
    "answers like the source table for these addresses, read with MaxMind's own maxminddb.%s",
    (module) => {
      // The reader in Python alone takes twenty times as long: it gets every tenth.
      const asked = addresses[database].filter((_, index) => module === 'extension' || index % 10 === 0);
      const lines = runPython(lookUp, [files[database], module], asked.map(addressText).join('\n'));
      expect(lines.shift()).toEqual({ reader: `maxminddb.${module}.Reader` });
      expect(lines).toHaveLength(asked.length);
      const reader = new Reader<Response>(readFileSync(files[database]));
      const wanted = asked.map((address) => [
        expected[database](address),
        reader.getWithPrefixLength(addressText(address))[1],
      ]);
      expect(differences(asked, lines, wanted)).toEqual([]);
    },
  );

  it('answers like the source table for some dozen addresses, read with mmdblookup', () => {
    const anywhere = addresses[database].filter((_, index) => index % 4001 === 0);
    const unknown = addresses[database].filter((address) => expected[database](address) === null);
    const sample = [...anywhere, ...unknown.slice(0, 12)];
    expect(sample.length).toBeGreaterThan(36);
    const answers = sample.map((address) => mmdblookup(files[database], addressText(address)));
    const wanted = sample.map((address) => expected[database](address));
    expect(differences(sample, answers, wanted)).toEqual([]);
  });

  it("holds as many networks as MaxMind's reader meets when it goes through the whole address space", () => {
    const [found] = runPython(goThrough, [files[database]], '') as [
      { networks: number; listed: number | null },
    ];
    let networks = 0;
    for (const _ of readMmdb(readFileSync(files[database])).networks()) networks++;
    expect(networks).toBeGreaterThan(500_000);
    expect(found.networks).toBe(networks);
    // Releases from 2.3 on can list a database themselves.
    if (found.listed !== null) expect(found.listed).toBe(networks);
  }, 240_000);
});

describe('every address', () => {
  const outside6to4 = (start: bigint): boolean => start >> 112n !== 0x2002n;

  function* labelled(file: string, label: (value: DecodedValue) => string) {
    for (const { start, end, value } of readMmdb(readFileSync(file)).networks())
      if (outside6to4(start)) yield { start, end, value: label(value) };
  }

  it('has the country that the source gives it', () => {
    const wanted = [
      ...flatten(
        labelled(
          join(packages, 'dbip-country-mmdb/dbip-country.mmdb'),
          (value) => (value as { country_code: string }).country_code,
        ),
      ),
    ];
    const made = [
      ...flatten(
        labelled(files.country, (value) => (value as { country: { iso_code: string } }).country.iso_code),
      ),
    ];
    expect(made.length).toBeGreaterThan(500_000);
    expect(firstDifference(made, wanted)).toBeUndefined();
  });

  it('has the autonomous system that the source gives it', () => {
    const wanted = [
      ...flatten(
        rows
          .filter(({ start }) => outside6to4(start))
          .map(({ start, end, number }) => ({ start, end, value: String(number) })),
      ),
    ];
    const made = [
      ...flatten(
        labelled(files.asn, (value) =>
          String((value as { autonomous_system_number: number }).autonomous_system_number),
        ),
      ),
    ];
    expect(made.length).toBeGreaterThan(300_000);
    expect(firstDifference(made, wanted)).toBeUndefined();
  });
});

describe('makeGeoipData', () => {
  it('says when the data is from, and what it is', () => {
    const { metadata } = new Reader<Response>(readFileSync(files.country));
    expect(metadata).toMatchObject({ databaseType: 'DBIP-Country-Lite', ipVersion: 6, languages: ['en'] });
    expect(metadata.buildEpoch).toEqual(sourceCountry.metadata.buildEpoch);
    const asn = new Reader<Response>(readFileSync(files.asn)).metadata;
    expect(asn).toMatchObject({ databaseType: 'RouteViews-DBIP-ASN', ipVersion: 6 });
    const { version } = JSON.parse(readFileSync(join(packages, 'asn/package.json'), 'utf8')) as {
      version: string;
    };
    expect(asn.buildEpoch.toISOString().replaceAll(/\D/g, '').slice(0, 10)).toBe(version.split('.')[2]);
  });

  it('keeps the files small: every worker holds a copy', () => {
    expect(statSync(files.country).size).toBeLessThan(3_500_000);
    expect(statSync(files.asn).size).toBeLessThan(10_000_000);
  });

  it('does nothing when run again, and makes the same bytes again when a file is damaged', () => {
    const before = databases.map((name) => ({
      bytes: readFileSync(files[name]),
      time: statSync(files[name]).mtimeMs,
    }));
    expect(makeGeoipData({ outDir })).toBe(false);
    for (const [index, name] of databases.entries())
      expect(statSync(files[name]).mtimeMs).toBe(before[index]?.time);

    truncateSync(files.country, 1_000_000);
    const lines: string[] = [];
    expect(makeGeoipData({ outDir, progress: (line) => lines.push(line) })).toBe(true);
    for (const [index, name] of databases.entries())
      expect(readFileSync(files[name]).equals(before[index]?.bytes as Buffer)).toBe(true);
    expect(lines.join('\n')).toMatch(
      /^geoip-country\.mmdb: [\d.]+ MB in .*\ngeoip-asn\.mmdb: [\d.]+ MB in .*$/,
    );
    expect(readdirSync(outDir).toSorted()).toEqual([
      'geoip-asn.mmdb',
      'geoip-country.mmdb',
      'geoip.stamp.json',
    ]);
  });
});

function firstDifference<Row extends { start: bigint; end: bigint; value: string }>(
  made: Row[],
  wanted: Row[],
): unknown {
  for (let index = 0; index < Math.max(made.length, wanted.length); index++) {
    const a = made[index];
    const b = wanted[index];
    if (a?.start !== b?.start || a?.end !== b?.end || a?.value !== b?.value) return { made: a, wanted: b };
  }
  return undefined;
}

const lookUp = `
import json, sys, maxminddb
from maxminddb import MODE_MMAP_EXT, MODE_MEMORY
path, module = sys.argv[1:]
reader = maxminddb.open_database(path, MODE_MMAP_EXT if module == 'extension' else MODE_MEMORY)
# The extension's class calls itself by another module name from release to release.
named = 'extension' if type(reader) is getattr(maxminddb.extension, 'Reader', None) else type(reader).__module__.split('.')[-1]
print(json.dumps({'reader': 'maxminddb.' + named + '.' + type(reader).__name__}))
for line in sys.stdin:
    print(json.dumps(reader.get_with_prefix_len(line.strip()), separators=(',', ':')))
`;

const goThrough = `
import json, socket, sys, maxminddb
reader = maxminddb.open_database(sys.argv[1])
address, networks, end = 0, 0, 1 << 128
aliases = {0xffff << 32: 1 << 32, 0x2002 << 112: 1 << 112}
while address < end:
    if address in aliases:
        address += aliases[address]
        continue
    value, prefix = reader.get_with_prefix_len(socket.inet_ntop(socket.AF_INET6, address.to_bytes(16, 'big')))
    networks += value is not None
    address += 1 << (128 - prefix)
listed = sum(1 for _ in reader) if hasattr(reader, '__iter__') else None
print(json.dumps({'networks': networks, 'listed': listed}))
`;

/** Runs a program of Debian's Python, one JSON value a line. */
function runPython(program: string, args: string[], input: string): unknown[] {
  const ran = spawnSync(python, ['-c', program, ...args], { input, maxBuffer: 2 ** 29, encoding: 'utf8' });
  expect(ran.stderr, String(ran.error ?? '')).toBe('');
  return ran.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
}

/** What mmdblookup prints, as the JSON that it nearly is; null where it says that there is no entry. */
function mmdblookup(file: string, address: string): unknown {
  const ran = spawnSync('mmdblookup', ['--file', file, '--ip', address], { encoding: 'utf8' });
  if (ran.status !== 0) {
    expect(ran.stderr).toContain('Could not find an entry for this IP address');
    return null;
  }
  const json = ran.stdout
    .replaceAll(/"(.*)" <utf8_string>$/gm, (_, text: string) => `${JSON.stringify(text)},`)
    .replaceAll(/ <(uint32|boolean)>$/gm, ',')
    .replaceAll(/^(\s*)\}$/gm, '$1},')
    .replaceAll(/,(\s*\})/g, '$1')
    .trim()
    .replace(/,$/, '');
  return JSON.parse(json) as unknown;
}
