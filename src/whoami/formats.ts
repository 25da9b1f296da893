import { decimalText } from '../core/ip-address.ts';
import type { Operator, Place } from '../ports/geo-database.ts';
import { networkOf, type WhoamiRecord } from './record.ts';

/** What only the request knows, for `GET /json`. */
export interface CallerDetail {
  readonly hostname?: string | undefined;
  readonly userAgent?: string | undefined;
}

/**
 * Makes the body of `GET /whoami`: one JSON object, only the keys that are known. What is said of an operator,
 * a place and the data is written once and shared by all addresses that have it.
 */
export function whoamiFormatter(): (record: WhoamiRecord) => string {
  const ofOperator = onceFor(({ asnOrg }: Operator) => members({ AUTONOMOUS_SYSTEM_ORGANIZATION: asnOrg }));
  const ofPlace = onceFor(({ continent, country, city, latitude, longitude }: Place) =>
    members({
      CONTINENT_NAME: continent,
      COUNTRY_NAME: country,
      CITY_NAME: city,
      LATITUDE: latitude,
      LONGITUDE: longitude,
    }),
  );
  const ofData = onceFor(([{ builtAt }]: WhoamiRecord['databases']) =>
    members({ CREATED_AT: builtAtText(builtAt) }),
  );
  return ({ address, geo, databases }) =>
    `{"IP":"${address.text}"${ofOperator(geo.operator)}${ofPlace(geo.place)}${ofData(databases)}}\n`;
}

/** The body of `GET /json`. `ip_decimal` is a JSON number of up to 39 digits, as other services answer it. */
export function fullJson(record: WhoamiRecord, caller: CallerDetail): string {
  const { address, bogon, geo, databases } = record;
  const { place, operator } = geo;
  const rest = members({
    ip_version: address.version,
    network: networkOf(record),
    bogon,
    country: place.country,
    country_iso: place.countryIso,
    country_eu: place.countryEu,
    continent: place.continent,
    continent_code: place.continentCode,
    region_name: place.regionName,
    region_code: place.regionCode,
    city: place.city,
    postal_code: place.postalCode,
    latitude: place.latitude,
    longitude: place.longitude,
    time_zone: place.timeZone,
    asn: operator.asn === undefined ? undefined : `AS${operator.asn}`,
    asn_org: operator.asnOrg,
    hostname: caller.hostname,
    user_agent: caller.userAgent,
    database: databases
      .map(({ type, builtAt }) => `${type} ${builtAt.toISOString().slice(0, 10)}`)
      .join(', '),
  });
  // A newline, so that a terminal's prompt stands on a line of its own.
  return `{"ip":"${address.text}","ip_decimal":${decimalText(address)}${rest}}\n`;
}

/** The one-line text answers by path; each gives undefined where the databases do not know. */
export const textFields: { readonly [path: string]: (record: WhoamiRecord) => string | undefined } = {
  '/ip': ({ address }) => address.text,
  '/country': ({ geo: { place } }) => place.country,
  '/country-iso': ({ geo: { place } }) => place.countryIso,
  '/city': ({ geo: { place } }) => place.city,
  '/region': ({ geo: { place } }) => place.regionName,
  '/asn': ({ geo: { operator } }) => (operator.asn === undefined ? undefined : `AS${operator.asn}`),
  '/asn-org': ({ geo: { operator } }) => operator.asnOrg,
  '/coordinates': ({ geo: { place } }) =>
    place.latitude === undefined || place.longitude === undefined
      ? undefined
      : `${place.latitude},${place.longitude}`,
  '/network': networkOf,
};

/** `05 Jun 2026 13:42:02 UTC`. */
export function builtAtText(builtAt: Date): string {
  const [, day, month, year, time] = builtAt.toUTCString().split(' ');
  return `${day} ${month} ${year} ${time} UTC`;
}

type Members = { readonly [key: string]: string | number | boolean | undefined };

/** The members of a JSON object that are defined, each with a comma before it. */
function members(value: Members): string {
  const text = JSON.stringify(value).slice(1, -1);
  return text === '' ? '' : `,${text}`;
}

/** Remembers what was made of an object as long as the object lives. */
function onceFor<Key extends object>(make: (key: Key) => string): (key: Key) => string {
  const made = new WeakMap<Key, string>();
  return (key) => {
    let text = made.get(key);
    if (text === undefined) made.set(key, (text = make(key)));
    return text;
  };
}
