import type { IpAddress } from '../core/ip-address.ts';

/** Where an address is used, as far as it is known. */
export interface Place {
  readonly continent?: string | undefined;
  readonly continentCode?: string | undefined;
  readonly country?: string | undefined;
  readonly countryIso?: string | undefined;
  readonly countryEu?: boolean | undefined;
  readonly regionName?: string | undefined;
  readonly regionCode?: string | undefined;
  readonly city?: string | undefined;
  readonly postalCode?: string | undefined;
  readonly latitude?: number | undefined;
  readonly longitude?: number | undefined;
  readonly timeZone?: string | undefined;
}

/** Who announces an address, as far as it is known. */
export interface Operator {
  readonly asn?: number | undefined;
  readonly asnOrg?: string | undefined;
}

/** What the databases know of an address. Places and operators are shared by many addresses: nobody changes them. */
export interface GeoRecord {
  /** The length of the prefix that the operator is known for, or else the place; undefined where neither is. */
  readonly prefixLength: number | undefined;
  readonly place: Place;
  readonly operator: Operator;
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
