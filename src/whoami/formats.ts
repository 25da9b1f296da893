import { decimalText } from '../core/ip-address.ts';
import type { WhoamiRecord } from './record.ts';

/** What only the request knows, for `GET /json`. */
export interface CallerDetail {
  readonly hostname?: string | undefined;
  readonly userAgent?: string | undefined;
}

/** The body of `GET /whoami`: one JSON object, only the keys that are known. */
export function whoamiJson({ address, geo, databases }: WhoamiRecord): string {
  return line({
    IP: address.text,
    AUTONOMOUS_SYSTEM_ORGANIZATION: geo.asnOrg,
    CONTINENT_NAME: geo.continent,
    COUNTRY_NAME: geo.country,
    CITY_NAME: geo.city,
    LATITUDE: geo.latitude,
    LONGITUDE: geo.longitude,
    CREATED_AT: builtAtText(databases[0].builtAt),
  });
}

/** The body of `GET /json`. `ip_decimal` is a JSON number of up to 39 digits, as other services answer it. */
export function fullJson({ address, bogon, geo, databases }: WhoamiRecord, caller: CallerDetail): string {
  const rest = line({
    ip_version: address.version,
    network: geo.network,
    bogon,
    country: geo.country,
    country_iso: geo.countryIso,
    country_eu: geo.countryEu,
    continent: geo.continent,
    continent_code: geo.continentCode,
    region_name: geo.regionName,
    region_code: geo.regionCode,
    city: geo.city,
    postal_code: geo.postalCode,
    latitude: geo.latitude,
    longitude: geo.longitude,
    time_zone: geo.timeZone,
    asn: geo.asn === undefined ? undefined : `AS${geo.asn}`,
    asn_org: geo.asnOrg,
    hostname: caller.hostname,
    user_agent: caller.userAgent,
    database: databases
      .map(({ type, builtAt }) => `${type} ${builtAt.toISOString().slice(0, 10)}`)
      .join(', '),
  });
  return `{"ip":"${address.text}","ip_decimal":${decimalText(address)},${rest.slice(1)}`;
}

/** The one-line text answers by path; each gives undefined where the databases do not know. */
export const textFields: { readonly [path: string]: (record: WhoamiRecord) => string | undefined } = {
  '/ip': ({ address }) => address.text,
  '/country': ({ geo }) => geo.country,
  '/country-iso': ({ geo }) => geo.countryIso,
  '/city': ({ geo }) => geo.city,
  '/region': ({ geo }) => geo.regionName,
  '/asn': ({ geo }) => (geo.asn === undefined ? undefined : `AS${geo.asn}`),
  '/asn-org': ({ geo }) => geo.asnOrg,
  '/coordinates': ({ geo }) =>
    geo.latitude === undefined || geo.longitude === undefined
      ? undefined
      : `${geo.latitude},${geo.longitude}`,
  '/network': ({ geo }) => geo.network,
};

/** `05 Jun 2026 13:42:02 UTC`. */
export function builtAtText(builtAt: Date): string {
  const [, day, month, year, time] = builtAt.toUTCString().split(' ');
  return `${day} ${month} ${year} ${time} UTC`;
}

/** JSON without the keys that are undefined, and a newline, so that a terminal's prompt stands on its own line. */
function line(value: { readonly [key: string]: string | number | boolean | undefined }): string {
  return `${JSON.stringify(value)}\n`;
}
