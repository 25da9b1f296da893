/** A source that the built-in GeoIP data owes its mention to. */
export interface Attribution {
  readonly text: string;
  readonly url: string;
}

/**
 * What must be said wherever results of the built-in databases are shown or described; all three sources are under
 * CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/), and the files differ from them in form.
 */
export const attribution: readonly [Attribution, Attribution, Attribution] = [
  { text: 'IP Geolocation by DB-IP', url: 'https://db-ip.com' },
  { text: 'IP to AS number by Route Views', url: 'https://www.routeviews.org' },
  { text: 'Statistics by the Number Resource Organization', url: 'https://www.nro.net' },
];

const maxMind: Attribution = {
  text: 'This product includes GeoLite Data created by MaxMind',
  url: 'https://www.maxmind.com',
};

/** What is owed for databases of these types. For one that is not known, whoever put it there knows. */
export function attributionFor(types: readonly string[]): readonly Attribution[] {
  const [dbIp, routeViews, nro] = attribution;
  const owed = types.flatMap((type) => {
    if (type.startsWith('RouteViews-DBIP')) return [dbIp, routeViews, nro];
    if (type.startsWith('DBIP')) return [dbIp];
    return type.startsWith('GeoLite') ? [maxMind] : [];
  });
  return [...new Set(owed)];
}

/** The link that DB-IP's licence asks for, letter for letter, on pages that show or use its data. */
export const dbIpLink = "<a href='https://db-ip.com'>IP Geolocation by DB-IP</a>";
