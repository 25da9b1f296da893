import type { IpAddress } from '../core/ip-address.ts';
import type { GeoDatabase, GeoRecord } from '../ports/geo-database.ts';
import { bogonKind } from './bogon.ts';
import { whoamiFormatter } from './formats.ts';
import type { WhoamiRecord } from './record.ts';

/** A record with the answer that is asked for most often, made once. */
export interface Remembered {
  readonly record: WhoamiRecord;
  /** The body of `GET /whoami`. */
  readonly whoamiBody: string;
}

export interface Lookup {
  (address: IpAddress): Remembered;
  readonly counts: { lookups: number; cacheHits: number };
}

/**
 * Looks addresses up and remembers at most `maxRemembered` of them, by their canonical text, which no two
 * addresses of any family share. Two halves: what was not asked for while the young half filled is forgotten
 * with the old one. That is nearly as good as least-recently-used at a fraction of its cost.
 */
export function createLookup(geo: GeoDatabase, maxRemembered = 10_000): Lookup {
  const half = Math.floor(maxRemembered / 2);
  const whoamiJson = whoamiFormatter();
  const counts = { lookups: 0, cacheHits: 0 };
  let young = new Map<string, Remembered>();
  let old = new Map<string, Remembered>();

  const remember = (key: string, entry: Remembered): Remembered => {
    if (young.size >= half) {
      old = young;
      young = new Map();
    }
    young.set(key, entry);
    return entry;
  };

  const lookup = (address: IpAddress): Remembered => {
    counts.lookups++;
    const key = address.text;
    const fresh = young.get(key);
    if (fresh !== undefined) {
      counts.cacheHits++;
      return fresh;
    }
    const stale = old.get(key);
    if (stale !== undefined) {
      counts.cacheHits++;
      return remember(key, stale);
    }
    const record = recordOf({ ...address, text: ownText(key) }, geo);
    return remember(record.address.text, { record, whoamiBody: whoamiJson(record) });
  };
  return Object.assign(lookup, { counts });
}

/** Text that was cut out of a longer one keeps all of that in memory: for an address, a whole header line. */
function ownText(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}

const unknown: GeoRecord = { prefixLength: undefined, place: {}, operator: {} };

function recordOf(address: IpAddress, geo: GeoDatabase): WhoamiRecord {
  const bogon = bogonKind(address);
  return {
    address,
    databases: geo.editions,
    bogon,
    geo: bogon === undefined ? geo.lookup(address) : unknown,
  };
}
