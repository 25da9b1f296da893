import { networkContains, parseNetwork, type IpAddress, type IpNetwork } from './ip-address.ts';

/** Why an address belongs to nobody on the public Internet. */
export type BogonKind =
  | 'unspecified'
  | 'private'
  | 'loopback'
  | 'link-local'
  | 'cgnat'
  | 'documentation'
  | 'benchmarking'
  | 'multicast'
  | 'broadcast'
  | 'reserved';

/**
 * IANA's special-purpose address registries (RFC 6890 and its updates), the ranges that are not globally
 * reachable, and what its registry of the IPv6 address space has given to nobody. The first match counts, so
 * narrower ranges stand before those they lie in.
 */
const registry: readonly (readonly [BogonKind | 'public', ...string[]])[] = [
  ['unspecified', '0.0.0.0/32', '::/128'],
  ['private', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
  ['loopback', '127.0.0.0/8', '::1/128'],
  ['link-local', '169.254.0.0/16', 'fe80::/10'],
  ['cgnat', '100.64.0.0/10'],
  ['documentation', '192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24', '2001:db8::/32', '3fff::/20'],
  ['benchmarking', '198.18.0.0/15', '2001:2::/48'],
  ['multicast', '224.0.0.0/4', 'ff00::/8'],
  ['broadcast', '255.255.255.255/32'],
  [
    'public',
    // Anycast of the Port Control Protocol and of TURN.
    '192.0.0.9/32',
    '192.0.0.10/32',
    // NAT64.
    '64:ff9b::/96',
    // In 2001::/23: Teredo, anycast of PCP, TURN and DNS-SD, AMT, AS112, ORCHIDv2, drone identifiers.
    '2001::/32',
    '2001:1::1/128',
    '2001:1::2/128',
    '2001:1::3/128',
    '2001:3::/32',
    '2001:4:112::/48',
    '2001:20::/28',
    '2001:30::/28',
  ],
  // ::/3 and with it ::/96, the deprecated IPv4-compatible addresses. A MaxMind-format tree keeps all of IPv4
  // there, so a look-up of ::909:909 would answer for 9.9.9.9: it must never reach one.
  ['reserved', '0.0.0.0/8', '192.0.0.0/24', '240.0.0.0/4', '2001::/23', '::/3', '4000::/2', '8000::/1'],
];

interface Range {
  readonly kind: BogonKind | 'public';
  readonly network: IpNetwork;
}

/** The ranges that an address can lie in by its first octet, in order: for most there are none to compare with. */
const rangesByOctet: { readonly [version in 4 | 6]: readonly (readonly Range[])[] } = {
  4: byOctet(4),
  6: byOctet(6),
};

function byOctet(version: 4 | 6): Range[][] {
  const octets = Array.from({ length: 256 }, (): Range[] => []);
  for (const [kind, ...networks] of registry) {
    for (const text of networks) {
      const network = parseNetwork(text);
      if (network === undefined) throw new Error(`not a network: ${text}`);
      if (network.version !== version) continue;
      const first = network.words[0]! >>> 24;
      const count = 2 ** Math.max(0, 8 - network.prefixLength);
      for (let octet = first; octet < first + count; octet++) octets[octet]!.push({ kind, network });
    }
  }
  return octets;
}

/** The kind of an address that is not globally reachable; undefined for one that is. */
export function bogonKind(address: IpAddress): BogonKind | undefined {
  const ranges = rangesByOctet[address.version][address.words[0]! >>> 24]!;
  const kind = ranges.find(({ network }) => networkContains(network, address))?.kind;
  return kind === 'public' ? undefined : kind;
}
