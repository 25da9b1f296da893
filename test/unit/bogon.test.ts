import { describe, expect, it } from 'vitest';
import { ipAddressFromBytes, parseIpAddress, type IpAddress } from '../../src/core/ip-address.ts';
import { bogonKind, type BogonKind } from '../../src/core/bogon.ts';

type Answer = BogonKind | 'public';
const kindOf = (address: IpAddress): Answer => bogonKind(address) ?? 'public';
const kind = (text: string): Answer => kindOf(parseIpAddress(text)!);

/** A range, what its addresses are, and what the address before its first and the one after its last are; round at the ends. */
const ranges: readonly [first: string, last: string, is: Answer, before: Answer, after: Answer][] = [
  ['0.0.0.0', '0.0.0.0', 'unspecified', 'broadcast', 'reserved'],
  ['0.0.0.1', '0.255.255.255', 'reserved', 'unspecified', 'public'],
  ['10.0.0.0', '10.255.255.255', 'private', 'public', 'public'],
  ['100.64.0.0', '100.127.255.255', 'cgnat', 'public', 'public'],
  ['127.0.0.0', '127.255.255.255', 'loopback', 'public', 'public'],
  ['169.254.0.0', '169.254.255.255', 'link-local', 'public', 'public'],
  ['172.16.0.0', '172.31.255.255', 'private', 'public', 'public'],
  ['192.0.0.0', '192.0.0.8', 'reserved', 'public', 'public'],
  // Anycast of the Port Control Protocol and of TURN (RFC 7723, RFC 8155): globally reachable.
  ['192.0.0.9', '192.0.0.10', 'public', 'reserved', 'reserved'],
  ['192.0.0.11', '192.0.0.255', 'reserved', 'public', 'public'],
  ['192.0.2.0', '192.0.2.255', 'documentation', 'public', 'public'],
  ['192.168.0.0', '192.168.255.255', 'private', 'public', 'public'],
  ['198.18.0.0', '198.19.255.255', 'benchmarking', 'public', 'public'],
  ['198.51.100.0', '198.51.100.255', 'documentation', 'public', 'public'],
  ['203.0.113.0', '203.0.113.255', 'documentation', 'public', 'public'],
  ['224.0.0.0', '239.255.255.255', 'multicast', 'public', 'reserved'],
  ['240.0.0.0', '255.255.255.254', 'reserved', 'multicast', 'broadcast'],
  ['255.255.255.255', '255.255.255.255', 'broadcast', 'reserved', 'unspecified'],
  // AS112, AMT and the former 6to4 relays are routed like any other network.
  ['192.31.196.0', '192.31.196.255', 'public', 'public', 'public'],
  ['192.52.193.0', '192.52.193.255', 'public', 'public', 'public'],
  ['192.88.99.0', '192.88.99.255', 'public', 'public', 'public'],
  ['192.175.48.0', '192.175.48.255', 'public', 'public', 'public'],

  ['::', '::', 'unspecified', 'multicast', 'loopback'],
  ['::1', '::1', 'loopback', 'unspecified', 'reserved'],
  ['::2', '::ffff:ffff', 'reserved', 'loopback', 'reserved'],
  ['64:ff9b::', '64:ff9b::ffff:ffff', 'public', 'reserved', 'reserved'],
  ['64:ff9b:1::', '64:ff9b:1:ffff:ffff:ffff:ffff:ffff', 'reserved', 'reserved', 'reserved'],
  ['100::', '100::ffff:ffff:ffff:ffff', 'reserved', 'reserved', 'reserved'],
  ['100:0:0:1::', '100::1:ffff:ffff:ffff:ffff', 'reserved', 'reserved', 'reserved'],
  // IETF protocol assignments, 2001::/23, and those within that are globally reachable.
  ['2001::', '2001:0:ffff:ffff:ffff:ffff:ffff:ffff', 'public', 'public', 'reserved'],
  ['2001:1::', '2001:1::', 'reserved', 'public', 'public'],
  ['2001:1::1', '2001:1::3', 'public', 'reserved', 'reserved'],
  ['2001:1::4', '2001:1:ffff:ffff:ffff:ffff:ffff:ffff', 'reserved', 'public', 'benchmarking'],
  ['2001:2::', '2001:2:0:ffff:ffff:ffff:ffff:ffff', 'benchmarking', 'reserved', 'reserved'],
  ['2001:3::', '2001:3:ffff:ffff:ffff:ffff:ffff:ffff', 'public', 'reserved', 'reserved'],
  ['2001:4:112::', '2001:4:112:ffff:ffff:ffff:ffff:ffff', 'public', 'reserved', 'reserved'],
  ['2001:10::', '2001:1f:ffff:ffff:ffff:ffff:ffff:ffff', 'reserved', 'reserved', 'public'],
  ['2001:20::', '2001:3f:ffff:ffff:ffff:ffff:ffff:ffff', 'public', 'reserved', 'reserved'],
  ['2001:40::', '2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff', 'reserved', 'public', 'public'],
  ['2001:db8::', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff', 'documentation', 'public', 'public'],
  ['2002::', '2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'public', 'public', 'public'],
  ['2620:4f:8000::', '2620:4f:8000:ffff:ffff:ffff:ffff:ffff', 'public', 'public', 'public'],
  ['3fff::', '3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff', 'documentation', 'public', 'public'],
  // Outside 2000::/3 IANA has given nothing to anybody.
  ['4000::', '4000::', 'reserved', 'public', 'reserved'],
  [
    '1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
    '1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
    'reserved',
    'reserved',
    'public',
  ],
  ['5f00::', '5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'reserved', 'reserved', 'reserved'],
  ['fc00::', 'fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'private', 'reserved', 'reserved'],
  ['fe80::', 'febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'link-local', 'reserved', 'reserved'],
  ['fec0::', 'feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'reserved', 'link-local', 'multicast'],
  ['ff00::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'multicast', 'reserved', 'unspecified'],
];

describe('bogonKind', () => {
  it.each(ranges)('from %s to %s is %s, and not a step further', (first, last, is, before, after) => {
    expect({
      before: kindOf(step(first, -1)),
      first: kind(first),
      last: kind(last),
      after: kindOf(step(last, 1)),
    }).toEqual({ before, first: is, last: is, after });
  });

  it.each([
    '1.1.1.1',
    '8.8.8.8',
    '9.9.9.9',
    '223.255.255.255',
    '2606:4700::1111',
    '2a00::1',
    '2400:cb00::',
    '2001:4860::8888',
  ])('knows %s for public', (address) => {
    expect(kind(address)).toBe('public');
  });

  it('judges a mapped address by the IPv4 address in it', () => {
    expect(kind('::ffff:10.0.0.1')).toBe('private');
    expect(kind('::ffff:9.9.9.9')).toBe('public');
  });

  it('never takes an IPv4-compatible address for the IPv4 address', () => {
    expect(kind('::9.9.9.9')).toBe('reserved');
    expect(kind('::10.0.0.1')).toBe('reserved');
  });
});

/** The address after or before one of the same family; round at the ends. */
function step(text: string, by: 1 | -1): IpAddress {
  const words = [...parseIpAddress(text)!.words];
  for (let index = words.length - 1; index >= 0; index--) {
    words[index] = (words[index]! + by) >>> 0;
    if (words[index] !== (by === 1 ? 0 : 0xffff_ffff)) break;
  }
  const view = new DataView(new ArrayBuffer(words.length * 4));
  for (const [index, word] of words.entries()) view.setUint32(index * 4, word);
  return ipAddressFromBytes(view.buffer);
}
