import { continents, countries } from 'countries-list';
import { Failure } from '../src/core/errors.ts';

export interface Country {
  /** ISO 3166-1 alpha-2, and XK for Kosovo. */
  readonly code: string;
  /** English, as GeoLite2 spells it. */
  readonly name: string;
  readonly continentCode: string;
  readonly continentName: string;
  readonly inEuropeanUnion: boolean;
}

/** Where countries-list differs from GeoLite2, whose spelling programs that read such files match on. */
const names: Readonly<Record<string, string>> = {
  AX: 'Åland Islands',
  BL: 'Saint Barthélemy',
  BQ: 'Bonaire, Sint Eustatius and Saba',
  CD: 'Congo (DRC)',
  CG: 'Congo Republic',
  CW: 'Curaçao',
  FM: 'Federated States of Micronesia',
  HM: 'Heard and McDonald Islands',
  RE: 'Réunion',
  SH: 'St. Helena',
  ST: 'São Tomé and Príncipe',
  TL: 'Timor-Leste',
  UM: 'United States Minor Outlying Islands',
};
const continentCodes: Readonly<Record<string, keyof typeof continents>> = { CX: 'OC', RU: 'EU' };

/** The 27 members; countries-list does not know them. */
export const europeanUnion: readonly string[] =
  'AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK'.split(' ');

/**
 * Parts of members that have a code of their own and belong to the Union's territory (Article 355(1) TFEU, and
 * Åland by Article 355(4)); GeoLite2 counts them in as well.
 */
export const europeanUnionTerritories: readonly string[] = 'AX GF GP MF MQ RE YT'.split(' ');

const union = new Set([...europeanUnion, ...europeanUnionTerritories]);

/** The country of an ISO 3166-1 alpha-2 code in capitals. Throws a Failure that names a code it does not know. */
export function countryOf(code: string): Country {
  if (!Object.hasOwn(countries, code))
    throw new Failure(`No country is known by the code ${JSON.stringify(code)}.`, {
      code: 'unknown-country',
      remedy: 'Update countries-list, or give the code a country in build/countries.ts.',
    });
  const listed = countries[code as keyof typeof countries];
  const continentCode = continentCodes[code] ?? listed.continent;
  return {
    code,
    name: names[code] ?? listed.name,
    continentCode,
    continentName: continents[continentCode],
    inEuropeanUnion: union.has(code),
  };
}
