import type { IpAddress } from '../core/ip-address.ts';
import type { GeoDatabase, GeoRecord } from '../ports/geo-database.ts';
import { bogonKind } from '../core/bogon.ts';
import { whoamiFormatter } from './formats.ts';
import type { WhoamiRecord } from './record.ts';
import type { VisitGroup } from './visit-tally.ts';

/** A record with the answer that is asked for most often, made once. */
export interface Remembered {
  readonly record: WhoamiRecord;
  /** The body of `GET /whoami`. */
  readonly whoamiBody: string;
  /** Where visits from this address are counted, once it has visited. */
  visits: VisitGroup | undefined;
}

export interface Lookup {
  (address: IpAddress): Remembered;
  readonly counts: { lookups: number; cacheHits: number };
}

/**
 * Looks addresses up and remembers at most `maxRemembered` of them. Each has one place, by a hash of its bits, and
 * is known there by its canonical text, which no two addresses of any family share. A place that is taken goes to
 * another address when that asks twice in a row, or when many others asked since its holder did: a crowd of strangers
 * drives out nobody who keeps coming back, and what is made for each of them dies young, which saves most of what
 * remembering them all would cost.
 */
export function createLookup(geo: GeoDatabase, maxRemembered = 10_000): Lookup {
  const whoamiJson = whoamiFormatter();
  const counts = { lookups: 0, cacheHits: 0 };
  const places = new Array<Remembered | undefined>(maxRemembered).fill(undefined);
  // Who has a place and who was turned away last: side by side, so that a stranger touches little memory.
  const holders = new Int32Array(maxRemembered);
  const turnedAway = new Int32Array(maxRemembered);
  const turns = new Uint8Array(maxRemembered);

  const make = (address: IpAddress): Remembered => {
    const record = recordOf(address, geo);
    return { record, whoamiBody: whoamiJson(record), visits: undefined };
  };

  const lookup = (address: IpAddress): Remembered => {
    counts.lookups++;
    const hash = hashOf(address);
    const place = (hash >>> 0) % maxRemembered;
    if (holders[place] === hash) {
      const held = places[place];
      if (held?.record.address.text === address.text) {
        counts.cacheHits++;
        turns[place] = 0;
        return held;
      }
    }
    if (turnedAway[place] !== hash && turns[place]! < patience && places[place] !== undefined) {
      turnedAway[place] = hash;
      turns[place]!++;
      return make(address);
    }
    holders[place] = hash;
    turns[place] = 0;
    return (places[place] = make({ ...address, text: ownText(address.text) }));
  };
  return Object.assign(lookup, { counts });
}

/** So many others may ask before a holder that is silent has to go. */
const patience = 32;

function hashOf({ version, words }: IpAddress): number {
  let hash: number = version;
  for (const word of words) {
    hash = Math.imul(hash ^ word, 0x9e37_79b1);
    hash ^= hash >>> 15;
  }
  return hash;
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
