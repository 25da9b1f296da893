import { escapeHtml } from './html.ts';

/** Both are HTML. */
interface Words {
  readonly name: string;
  /** Completes "This address is …". */
  readonly meaning: string;
}

/** By kind; where the families differ, IPv4's words stand first. */
const words: { readonly [kind: string]: readonly [Words, Words?] } = {
  unspecified: [
    {
      name: 'Unspecified',
      meaning: 'the placeholder for &ldquo;no address yet&rdquo; and belongs to nobody',
    },
  ],
  private: [
    {
      name: 'Private',
      meaning: 'an address of a local network (RFC 1918), used by millions of networks at once',
    },
    { name: 'Private', meaning: 'a unique local address (RFC 4193), for use inside one organisation' },
  ],
  loopback: [
    {
      name: 'Loopback',
      meaning: 'a machine&rsquo;s own address for talking to itself',
    },
  ],
  'link-local': [
    { name: 'Link-local', meaning: 'valid on one cable or wireless network only (RFC 3927)' },
    { name: 'Link-local', meaning: 'valid on one cable or wireless network only (RFC 4291)' },
  ],
  cgnat: [{ name: 'Shared', meaning: 'between a provider and its customers (RFC 6598, carrier-grade NAT)' }],
  documentation: [
    { name: 'Documentation', meaning: 'reserved for examples in books and manuals (RFC 5737)' },
    { name: 'Documentation', meaning: 'reserved for examples in books and manuals (RFC 3849, RFC 9637)' },
  ],
  benchmarking: [
    { name: 'Benchmarking', meaning: 'reserved for measuring network equipment (RFC 2544)' },
    { name: 'Benchmarking', meaning: 'reserved for measuring network equipment (RFC 5180)' },
  ],
  multicast: [
    { name: 'Multicast', meaning: 'the address of a group of receivers, not of one machine (RFC 5771)' },
    { name: 'Multicast', meaning: 'the address of a group of receivers, not of one machine (RFC 4291)' },
  ],
  broadcast: [{ name: 'Broadcast', meaning: 'the address of everybody on the local network (RFC 919)' }],
  reserved: [
    {
      name: 'Reserved',
      meaning: 'set aside by the Internet&rsquo;s registries and given to nobody (RFC 6890)',
    },
  ],
};

/** What a kind of address that is not on the public Internet means to people. */
export function bogonWords(kind: string, version: 4 | 6): Words {
  const [ipv4, ipv6] = (Object.hasOwn(words, kind) ? words[kind] : undefined) ?? [
    { name: escapeHtml(kind), meaning: 'not part of the public Internet' },
  ];
  return version === 6 ? (ipv6 ?? ipv4) : ipv4;
}
