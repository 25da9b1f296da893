import { countries } from 'countries-list';
import { describe, expect, it } from 'vitest';
import { countryOf, europeanUnion, europeanUnionTerritories } from '../../build/countries.ts';

describe('countryOf', () => {
  // Checked against GeoLite2-Country's list of locations. MaxMind's public test databases are older: they say
  // "Czech Republic", "Turkey", "Hashemite Kingdom of Jordan" and "People's Republic of China".
  it.each([
    ['US', 'United States', 'NA', 'North America'],
    ['GB', 'United Kingdom', 'EU', 'Europe'],
    ['CZ', 'Czechia', 'EU', 'Europe'],
    ['TR', 'Türkiye', 'AS', 'Asia'],
    ['JO', 'Jordan', 'AS', 'Asia'],
    ['CN', 'China', 'AS', 'Asia'],
    ['KR', 'South Korea', 'AS', 'Asia'],
    ['RU', 'Russia', 'EU', 'Europe'],
    ['CX', 'Christmas Island', 'OC', 'Oceania'],
    ['TL', 'Timor-Leste', 'OC', 'Oceania'],
    ['CD', 'Congo (DRC)', 'AF', 'Africa'],
    ['CG', 'Congo Republic', 'AF', 'Africa'],
    ['CI', 'Ivory Coast', 'AF', 'Africa'],
    ['RE', 'Réunion', 'AF', 'Africa'],
    ['ST', 'São Tomé and Príncipe', 'AF', 'Africa'],
    ['CW', 'Curaçao', 'NA', 'North America'],
    ['BR', 'Brazil', 'SA', 'South America'],
    ['AQ', 'Antarctica', 'AN', 'Antarctica'],
    ['XK', 'Kosovo', 'EU', 'Europe'],
    ['NL', 'Netherlands', 'EU', 'Europe'],
  ])('%s is %s in %s, as GeoLite2 spells it', (code, name, continentCode, continentName) => {
    expect(countryOf(code)).toMatchObject({ code, name, continentCode, continentName });
  });

  it('has a name and a continent for every code', () => {
    for (const code of Object.keys(countries)) {
      const country = countryOf(code);
      expect(country.name).toMatch(/^[\p{Lu}Å].+/u);
      expect(country.continentName).toMatch(/^[A-Z][a-z]+/);
    }
  });

  it('the European Union has 27 members, and seven territories of theirs have codes of their own', () => {
    expect(new Set(europeanUnion).size).toBe(27);
    const inside = Object.keys(countries).filter((code) => countryOf(code).inEuropeanUnion);
    expect(inside.toSorted()).toEqual([...europeanUnion, ...europeanUnionTerritories].toSorted());
    expect(europeanUnionTerritories).toHaveLength(7);
    for (const outside of ['GB', 'NO', 'CH', 'GL', 'NC', 'IS'])
      expect(countryOf(outside).inEuropeanUnion).toBe(false);
  });

  it('refuses a code that it does not know, by name', () => {
    for (const code of ['ZZ', 'EU', 'us', '', 'toString'])
      expect(() => countryOf(code)).toThrow(`No country is known by the code "${code}".`);
  });
});
