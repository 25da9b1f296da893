import { isAbsolute } from 'node:path';
import { domainToASCII } from 'node:url';

import { parseIpAddress, parseNetwork } from '../core/ip-address.ts';
import { type Kind, Refusal } from './kind.ts';
import { port } from './parsers.ts';

/** The address in the one form that RFC 5952 gives it, or undefined when `text` is not a bare address. */
function canonicalAddress(text: string): string | undefined {
  if (!/^[0-9A-Fa-f:.]+$/.test(text) || parseIpAddress(text) === undefined) return undefined;
  return text.includes(':') ? new URL(`http://[${text}]/`).hostname.slice(1, -1) : text;
}

/**
 * A DNS name in lower case, international letters as `xn--` (RFC 5890), without a dot at the end; or
 * undefined. A name that ends in a number is refused: it is a mistyped address.
 */
export function canonicalName(text: string, label = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/): string | undefined {
  const bare = text.replace(/\.$/, '');
  const ascii = (/^[\x20-\x7e]*$/.test(bare) ? bare : domainToASCII(bare)).toLowerCase();
  const labels = ascii.split('.');
  const fits = ascii.length <= 253 && labels.every((each) => label.test(each));
  return fits && !/^(\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? '') ? ascii : undefined;
}

/** Where to listen. `::` is every address of both families. */
export const listenHost: Kind<string> = {
  allowed: 'an IPv4 or IPv6 address (0.0.0.0 and :: are every address), or localhost',
  parse(text) {
    if (text.toLowerCase() === 'localhost') return 'localhost';
    return canonicalAddress(text) ?? new Refusal(text);
  },
  format: String,
};

/** A range of addresses; a bare address is itself alone. Kept as CIDR text. */
export const network: Kind<string> = {
  allowed: 'a network such as 10.0.0.0/8 or 2001:db8::/32, or one address',
  parse(text) {
    if (/^[0-9A-Fa-f:./]+$/.test(text) && parseNetwork(text) !== undefined) return text.toLowerCase();
    const [address = '', prefix] = text.split('/');
    const isAddress = prefix !== undefined && canonicalAddress(address) !== undefined;
    return new Refusal(text, isAddress ? 'its length does not fit, or bits are set behind it' : undefined);
  },
  format: String,
};

/** What a browser may be sent to: a DNS name or an IP address. */
export const serverName: Kind<string> = {
  allowed: 'a DNS name or an IP address, without scheme, port, path or brackets',
  parse: (text) => canonicalAddress(text) ?? canonicalName(text) ?? new Refusal(text),
  format: String,
};

/** A peer to connect to. Container names may carry an underscore. */
const peerLabel = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/;
const peerName = (text: string): string | undefined =>
  canonicalAddress(text) ?? canonicalName(text, peerLabel);

/** The PostgreSQL server: a name, an address, or the folder of its Unix socket. */
export const postgresHost: Kind<string> = {
  allowed: 'a host name, an IP address, or the absolute path of the folder of a Unix socket',
  parse: (text) => (isAbsolute(text) ? text : (peerName(text) ?? new Refusal(text))),
  format: String,
};

/** A Redis server: `HOST`, `HOST:PORT`, `[IPV6]:PORT`, or the path of its Unix socket. */
export const redisHost: Kind<string> = {
  allowed: 'a host name or an IP address, with or without :PORT, or the absolute path of a Unix socket',
  parse(text) {
    if (isAbsolute(text)) return text;
    const whole = peerName(text);
    if (whole !== undefined) return whole;
    const split = splitHostPort(text, peerName);
    return split === undefined ? new Refusal(text) : formatHostPort(split);
  },
  format: String,
};

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

function splitHostPort(text: string, hostOf: (host: string) => string | undefined): HostPort | undefined {
  const [, bracketed, bare, digits = ''] = /^(?:\[([^\]]*)\]|([^:]*)):(\d+)$/.exec(text) ?? [];
  const host = hostOf(bracketed ?? bare ?? '');
  const number = port.parse(digits);
  if (host === undefined || number instanceof Refusal) return undefined;
  return host.includes(':') === (bracketed !== undefined) ? { host, port: number } : undefined;
}

function formatHostPort(value: HostPort): string {
  return `${value.host.includes(':') ? `[${value.host}]` : value.host}:${value.port}`;
}

/** An address and a port to listen on. */
export const listenHostPort: Kind<HostPort> = {
  allowed: 'ADDRESS:PORT, as 127.0.0.1:9100, [::1]:9100 or localhost:9100',
  parse(text) {
    const hostOf = (host: string) =>
      host.toLowerCase() === 'localhost' ? 'localhost' : canonicalAddress(host);
    return splitHostPort(text, hostOf) ?? new Refusal(text);
  },
  format: formatHostPort,
};

/** An `https:` address. One with a name and password inside is refused, and never repeated. */
export const httpsUrl: Kind<string> = {
  allowed: 'an address that starts with https://',
  parse(text) {
    if (/^[^/]*\/\/[^/?#]*@/.test(text) || text.includes('@')) {
      const why = 'an @ in it: a name or password in an address would end up in logs';
      return new Refusal(text.replace(/^([a-z]*:\/\/)?.*@/is, '$1…@'), why);
    }
    if (/\s/.test(text) || !URL.canParse(text)) return new Refusal(text);
    return new URL(text).protocol === 'https:' ? text : new Refusal(text);
  },
  format: String,
};

/** An `https:` address, or a file of this host. */
export const httpsUrlOrFile: Kind<string> = {
  allowed: `${httpsUrl.allowed}, or the absolute path of a file`,
  offers: 'path',
  parse: (text) => (isAbsolute(text) ? text : httpsUrl.parse(text)),
  format: String,
};

/** The first parts of paths that the public site answers itself. */
const takenPaths = new Set(
  (
    'whoami json ip country country-iso city region asn asn-org coordinates network headers port ' +
    'openapi.json health robots.txt .well-known metrics'
  ).split(' '),
);

/** Where a part of the site lives: `/admin`, `/tools/admin`. */
export const sitePath: Kind<string> = {
  allowed:
    'a path such as /admin: letters, digits and . _ ~ - between slashes, none at the end, and not one that the ' +
    'public site uses',
  parse(text) {
    const parts = text.slice(1).split('/');
    if (!text.startsWith('/') || text.length > 200) return new Refusal(text);
    if (!parts.every((part) => /^[A-Za-z0-9._~-]+$/.test(part) && !/^\.+$/.test(part)))
      return new Refusal(text);
    return takenPaths.has(parts[0] ?? '') ? new Refusal(text, 'the public site uses it') : text;
  },
  format: String,
};
