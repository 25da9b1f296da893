import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Reader, type Response } from 'maxmind';
import { readAsset } from '../core/assets.ts';
import { Failure, reasonOf } from '../core/errors.ts';
import { networkText, type IpAddress } from '../core/ip-address.ts';
import type { GeoDatabase, GeoEdition, GeoRecord } from '../ports/geo-database.ts';

/** A database file that cannot be trusted; `path` names it. */
export class GeoDatabaseError extends Failure {
  constructor(path: string, why: string, cause?: unknown) {
    super(`the GeoIP database ${path} cannot be used: ${why}`, {
      code: 'geoip-unreadable',
      remedy: `Replace ${path} with a whole MaxMind DB file, or remove it to use the built-in data.`,
      cause,
    });
  }
}

interface Edition extends GeoEdition {
  readonly reader: Reader<Response>;
  readonly ipVersion: number;
}

/**
 * The databases in MaxMind's format: every `*.mmdb` of `folder` (the newest of a kind counts), and the
 * built-in ones for what the folder lacks. A database of places is one whose type names a City, Country or
 * Enterprise edition; one of operators names ASN or ISP.
 *
 * Throws GeoDatabaseError where a file is damaged: a database that answers nonsense is worse than none.
 */
export function openGeoDatabase(folder: string): GeoDatabase {
  const installed = mmdbFiles(folder).map((path) => openEdition(path, readFile(path)));
  const newest = (kind: RegExp) =>
    installed
      .filter(({ type }) => kind.test(type))
      .toSorted((a, b) => b.builtAt.getTime() - a.builtAt.getTime())
      .at(0);
  const builtIn = (name: 'geoip-country.mmdb' | 'geoip-asn.mmdb') => openEdition('embedded', readAsset(name));
  const place = newest(/City|Enterprise/i) ?? newest(/Country/i) ?? builtIn('geoip-country.mmdb');
  const operator = newest(/ASN|ISP/i) ?? builtIn('geoip-asn.mmdb');

  let unreadable = 0;
  const find = (edition: Edition, address: IpAddress): [Response, number] | undefined => {
    if (edition.ipVersion === 4 && address.version === 6) return undefined;
    try {
      const [record, prefixLength] = edition.reader.getWithPrefixLength(address.text);
      return record === null || typeof record !== 'object' ? undefined : [record, prefixLength];
    } catch {
      unreadable++;
      return undefined;
    }
  };

  return {
    editions: [place, operator],
    unreadable: () => unreadable,
    lookup(address) {
      const where = find(place, address);
      const who = find(operator, address);
      const prefixLength = who?.[1] ?? where?.[1];
      return {
        ...(prefixLength === undefined ? {} : { network: networkText(address, prefixLength) }),
        ...(where === undefined ? {} : placeOf(where[0])),
        ...(who === undefined ? {} : operatorOf(who[0])),
      };
    },
  };
}

function mmdbFiles(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.mmdb'))
      .toSorted()
      .map((name) => join(folder, name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new GeoDatabaseError(folder, reasonOf(error), error);
  }
}

function readFile(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new GeoDatabaseError(path, reasonOf(error), error);
  }
}

function openEdition(source: string, bytes: Buffer): Edition {
  try {
    const reader = new Reader<Response>(bytes, { cache: recordCache() });
    const { databaseType, buildEpoch, ipVersion } = reader.metadata;
    if (source !== 'embedded') checkTree(reader, bytes);
    return { type: databaseType, builtAt: buildEpoch, source, reader, ipVersion };
  } catch (error) {
    if (error instanceof GeoDatabaseError) throw error;
    throw new GeoDatabaseError(
      source,
      `it is damaged or not in MaxMind's format (${reasonOf(error)})`,
      error,
    );
  }
}

/** Decoded records by their place in the file: few distinct ones are asked for often. */
function recordCache() {
  const limit = 4096;
  const records = new Map();
  return {
    get: (offset: string | number) => records.get(offset),
    set(offset: string | number, record: unknown) {
      if (records.size >= limit) records.clear();
      records.set(offset, record);
    },
  };
}

/**
 * Every record of the search tree must point into the file, and every data record that a spread of them
 * points to must decode. A file cut short or with a broken tree is found here and not by a caller.
 */
function checkTree(reader: Reader<Response>, bytes: Buffer): void {
  const { nodeCount, recordSize, searchTreeSize, nodeByteSize } = reader.metadata;
  const dataStart = searchTreeSize + 16;
  if (dataStart > bytes.length) throw new Error('its search tree is cut short');
  const limit = nodeCount + (bytes.length - searchTreeSize);
  const read = (offset: number, right: boolean): number => {
    if (recordSize === 24) return bytes.readUIntBE(offset + (right ? 3 : 0), 3);
    if (recordSize === 32) return bytes.readUInt32BE(offset + (right ? 4 : 0));
    const middle = bytes[offset + 3]!;
    return right
      ? ((middle & 0x0f) << 24) | bytes.readUIntBE(offset + 4, 3)
      : ((middle & 0xf0) << 20) | bytes.readUIntBE(offset, 3);
  };
  const sampleEvery = Math.max(1, Math.floor(nodeCount / 2000));
  for (let node = 0; node < nodeCount; node++) {
    for (const right of [false, true]) {
      const record = read(node * nodeByteSize, right);
      if (record >= limit) throw new Error(`record ${node} of its search tree points outside the file`);
      if (record > nodeCount && node % sampleEvery === 0) decode(reader, record);
    }
  }
}

function decode(reader: Reader<Response>, record: number): void {
  (reader as unknown as { resolveDataPointer(pointer: number): unknown }).resolveDataPointer(record);
}

/** A database may hold anything under a name: what is not of the expected type counts as unknown. */
type Loose = { readonly [name: string]: unknown } | undefined;
const child = (value: Loose, name: string): Loose => {
  const found = value?.[name];
  return typeof found === 'object' && found !== null ? (found as Loose) : undefined;
};
const text = (value: Loose, name: string): string | undefined => {
  const found = value?.[name];
  return typeof found === 'string' && found !== '' ? found : undefined;
};
const number = (value: Loose, name: string): number | undefined => {
  const found = value?.[name];
  return typeof found === 'number' && Number.isFinite(found) ? found : undefined;
};
const english = (value: Loose): string | undefined => text(child(value, 'names'), 'en');

function known(record: { [Key in keyof GeoRecord]: GeoRecord[Key] | undefined }): GeoRecord {
  for (const key of Object.keys(record) as (keyof GeoRecord)[]) {
    if (record[key] === undefined) delete record[key];
  }
  return record as GeoRecord;
}

function placeOf(response: Response): GeoRecord {
  const record = response as unknown as Loose;
  const continent = child(record, 'continent');
  const country = child(record, 'country') ?? child(record, 'registered_country');
  const region = child(child(record, 'subdivisions'), '0');
  const location = child(record, 'location');
  const countryIso = text(country, 'iso_code');
  return known({
    continent: english(continent),
    continentCode: text(continent, 'code'),
    country: english(country),
    countryIso,
    countryEu: countryIso === undefined ? undefined : country?.['is_in_european_union'] === true,
    regionName: english(region),
    regionCode: text(region, 'iso_code'),
    city: english(child(record, 'city')),
    postalCode: text(child(record, 'postal'), 'code'),
    latitude: number(location, 'latitude'),
    longitude: number(location, 'longitude'),
    timeZone: text(location, 'time_zone'),
  });
}

function operatorOf(response: Response): GeoRecord {
  const record = response as unknown as Loose;
  return known({
    asn: number(record, 'autonomous_system_number'),
    asnOrg: text(record, 'autonomous_system_organization'),
  });
}
