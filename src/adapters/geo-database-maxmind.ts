import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Reader, type Response } from 'maxmind';
import { readAsset } from '../core/assets.ts';
import { Failure, reasonOf } from '../core/errors.ts';
import type { IpAddress } from '../core/ip-address.ts';
import { openMmdbTree } from './mmdb-tree.ts';
import type { GeoDatabase, GeoEdition, Operator, Place } from '../ports/geo-database.ts';

/** A database file that cannot be trusted; `path` names it. */
export class GeoDatabaseError extends Failure {
  constructor(path: string, why: string, cause?: unknown) {
    super(`the GeoIP database ${path} cannot be used: ${why}`, {
      code: 'geoip-unreadable',
      remedy: `Make ${path} a whole MaxMind DB file that the service may read, or remove it to use the built-in data.`,
      cause,
    });
  }
}

interface Edition extends GeoEdition {
  /** What the database says of an address, made into `Known` and shared by all addresses with the same record. */
  reads<Known extends object>(convert: (record: Loose) => Known): Find<Known>;
}

type Find<Known> = (
  address: IpAddress,
) => { readonly known: Known; readonly prefixLength: number } | undefined;

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

  const findPlace = place.reads(placeOf);
  const findOperator = operator.reads(operatorOf);

  let unreadable = 0;
  const attempt = <Known>(find: Find<Known>, address: IpAddress) => {
    try {
      return find(address);
    } catch {
      unreadable++;
      return undefined;
    }
  };

  return {
    editions: [place, operator],
    unreadable: () => unreadable,
    lookup(address) {
      const where = attempt(findPlace, address);
      const who = attempt(findOperator, address);
      return {
        prefixLength: who?.prefixLength ?? where?.prefixLength,
        place: where?.known ?? nothing,
        operator: who?.known ?? nothing,
      };
    },
  };
}

const nothing = {};

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
    // A pipe would be waited for and a device be read for ever.
    if (!statSync(path).isFile()) throw new Error('it is no regular file');
    return readFileSync(path);
  } catch (error) {
    throw new GeoDatabaseError(path, reasonOf(error), error);
  }
}

function openEdition(source: string, bytes: Buffer): Edition {
  try {
    const reader = new Reader<Response>(bytes);
    const { databaseType, buildEpoch, binaryFormatMajorVersion } = reader.metadata;
    if (binaryFormatMajorVersion !== 2) {
      throw new Error(`its format is ${String(binaryFormatMajorVersion)}, and 2 is needed`);
    }
    if (typeof databaseType !== 'string') throw new Error('it does not say what kind of database it is');
    if (Number.isNaN(buildEpoch.getTime())) throw new Error('it does not say when it was built');
    const tree = openMmdbTree(bytes, reader.metadata);
    // Not declared, but it is what get() ends with: the record at a place in the file, decoded.
    const { decoder } = reader as unknown as { decoder: { decodeFast(offset: number): { value: unknown } } };
    const decode = (offset: number) => decoder.decodeFast(offset).value as Loose;
    // A file cut short, or whose tree is broken, is found here and not by a caller.
    if (source !== 'embedded') tree.check(2000).forEach(decode);
    return {
      type: databaseType,
      builtAt: buildEpoch,
      source,
      reads: (convert) => {
        const records = new Map<number, ReturnType<typeof convert>>();
        return (address) => {
          const found = tree.find(address);
          if (found === undefined) return undefined;
          let known = records.get(found.offset);
          if (known === undefined) {
            if (records.size >= maxRecords) records.clear();
            known = convert(decode(found.offset));
            records.set(found.offset, known);
          }
          return { known, prefixLength: found.prefixLength };
        };
      },
    };
  } catch (error) {
    throw new GeoDatabaseError(
      source,
      `it is damaged or not in MaxMind's format (${reasonOf(error)})`,
      error,
    );
  }
}

/** Decoded records that are remembered, of each database: few distinct ones are asked for often. */
const maxRecords = 8192;

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

function placeOf(record: Loose): Place {
  const continent = child(record, 'continent');
  const country = child(record, 'country') ?? child(record, 'registered_country');
  const region = child(child(record, 'subdivisions'), '0');
  const location = child(record, 'location');
  const countryIso = text(country, 'iso_code');
  return {
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
  };
}

function operatorOf(record: Loose): Operator {
  const asn = number(record, 'autonomous_system_number');
  return {
    asn: asn !== undefined && Number.isInteger(asn) && asn >= 0 ? asn : undefined,
    asnOrg: text(record, 'autonomous_system_organization'),
  };
}
