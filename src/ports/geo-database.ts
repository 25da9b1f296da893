import type { IpAddress } from '../core/ip-address.ts';

/** What the databases know of an address; a key is there only when it is known. */
export interface GeoRecord {
  /** The announced network of the operator, or else the one the place is known for, as `ADDRESS/LENGTH`. */
  readonly network?: string;
  readonly continent?: string;
  readonly continentCode?: string;
  readonly country?: string;
  readonly countryIso?: string;
  readonly countryEu?: boolean;
  readonly regionName?: string;
  readonly regionCode?: string;
  readonly city?: string;
  readonly postalCode?: string;
  readonly latitude?: number;
  readonly longitude?: number;
  readonly timeZone?: string;
  readonly asn?: number;
  readonly asnOrg?: string;
}

/** One database that takes part in the answers. */
export interface GeoEdition {
  /** The database's own name for its kind, such as `GeoLite2-City`. */
  readonly type: string;
  readonly builtAt: Date;
  /** Where it was read from: a path, or `embedded`. */
  readonly source: string;
}

export interface GeoDatabase {
  /** The databases in use, the one that knows places first. */
  readonly editions: readonly [GeoEdition, ...GeoEdition[]];
  /**
   * Synchronous and from memory alone. Never throws: a record that cannot be read counts as unknown and is
   * counted in `unreadable`.
   */
  lookup(address: IpAddress): GeoRecord;
  /** How many records could not be read since the start. */
  unreadable(): number;
}
