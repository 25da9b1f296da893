import { networkText, type IpAddress } from '../core/ip-address.ts';
import type { GeoEdition, GeoRecord } from '../ports/geo-database.ts';
import type { BogonKind } from '../core/bogon.ts';

/** Everything that is known of one address. */
export interface WhoamiRecord {
  readonly address: IpAddress;
  /** Why the address belongs to nobody on the public Internet; `geo` is empty then. */
  readonly bogon: BogonKind | undefined;
  readonly geo: GeoRecord;
  /** The databases that were asked, the one of places first. */
  readonly databases: readonly [GeoEdition, ...GeoEdition[]];
}

/** The network that the answer is known for, as `ADDRESS/LENGTH`. */
export function networkOf({ address, geo }: WhoamiRecord): string | undefined {
  return geo.prefixLength === undefined ? undefined : networkText(address, geo.prefixLength);
}
