import { networkContains, parseIpAddress, type IpAddress, type IpNetwork } from '../core/ip-address.ts';

export type ClientAddressHeader = 'x-forwarded-for' | 'forwarded';

/** Decides who the client is. `lines` are all values of the configured header, in the order they came. */
export interface ClientAddressRule {
  (peer: IpAddress, lines: readonly string[]): IpAddress;
  /** Whether the header counts for requests of this peer. */
  trusts(peer: IpAddress): boolean;
}

/**
 * The client is the socket's peer, or, when that is a trusted proxy, the right-most entry of the header that is
 * not one. Entries are read from the right and only as far as they are needed, so nothing that a client sent
 * (it can only stand to the left of what a proxy appended) changes how the trusted part is read: not an
 * unclosed quote, not a comma, not a thousand entries. A host name with quotes in it that a proxy repeats in
 * its entry (RFC 7239 §5.3) stands there escaped, and is read as such.
 *
 * Where the reading meets an entry that is no address (`unknown`, an obfuscated name, nonsense), whoever stands
 * behind it is not known, and the answer is the trusted hop that reported it. Where every entry is trusted, it
 * is the left-most.
 */
export function clientAddressRule(
  header: ClientAddressHeader,
  trusted: readonly IpNetwork[],
): ClientAddressRule {
  const isTrusted = (address: IpAddress) => trusted.some((network) => networkContains(network, address));
  const entryAddress = header === 'forwarded' ? forwardedFor : parseEntry;

  const rule = (peer: IpAddress, lines: readonly string[]): IpAddress => {
    if (lines.length === 0 || !isTrusted(peer)) return peer;
    let hop = peer;
    for (const entry of entriesFromTheRight(lines)) {
      const address = entryAddress(entry);
      if (address === undefined) return hop;
      if (!isTrusted(address)) return address;
      hop = address;
    }
    return hop;
  };
  return Object.assign(rule, { trusts: isTrusted });
}

/** Comma-separated entries of all lines, last first; commas in quoted strings do not part, empty entries do not count (RFC 9110 §5.6.1). */
function* entriesFromTheRight(lines: readonly string[]): Generator<string> {
  for (let index = lines.length - 1; index >= 0; index--) {
    const line = lines[index]!;
    if (!line.includes(',') && !line.includes('"')) {
      const only = line.trim();
      if (only !== '') yield only;
      continue;
    }
    let end = line.length;
    let quoted = false;
    for (let at = end - 1; at >= -1; at--) {
      if (at >= 0 && line[at] === '"') quoted = quoted ? isEscaped(line, at) : true;
      if (at >= 0 && (quoted || line[at] !== ',')) continue;
      const entry = line.slice(at + 1, end).trim();
      end = at;
      if (entry !== '') yield entry;
    }
  }
}

/** Whether an odd number of backslashes stands before a character of a quoted string. */
function isEscaped(line: string, at: number): boolean {
  let start = at;
  while (line[start - 1] === '\\') start--;
  return (at - start) % 2 === 1;
}

/** `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`; a port may be obfuscated, `:_p1` (RFC 7239 §6.3). */
function parseEntry(entry: string): IpAddress | undefined {
  const plain = parseIpAddress(entry);
  if (plain !== undefined) return plain;
  const bracketed = /^\[([^\]]+)\](?::(?:\d{1,5}|_[\w.-]+))?$/.exec(entry);
  if (bracketed !== null) return bracketed[1]!.includes(':') ? parseIpAddress(bracketed[1]!) : undefined;
  const withPort = /^([\d.]+):(?:\d{1,5}|_[\w.-]+)$/.exec(entry);
  return withPort === null ? undefined : parseIpAddress(withPort[1]!);
}

/** The `for` parameter of a forwarded-element (RFC 7239 §4), exactly one of them. */
function forwardedFor(element: string): IpAddress | undefined {
  let node: string | undefined;
  for (const pair of splitPairs(element)) {
    const match = /^\s*([!#$%&'*+.^_`|~\w-]+)=("(?:[^"\\]|\\.)*"|[!#$%&'*+.^_`|~\w-]+)\s*$/.exec(pair);
    if (match === null) {
      if (pair.trim() === '') continue;
      return undefined;
    }
    if (match[1]!.toLowerCase() !== 'for') continue;
    if (node !== undefined) return undefined;
    node = match[2]!;
  }
  if (node === undefined) return undefined;
  // An IPv6 address has to be quoted and in brackets (RFC 7239 §6); an unquoted IPv4 address is a token.
  return parseEntry(node.startsWith('"') ? node.slice(1, -1).replaceAll(/\\(.)/g, '$1') : node);
}

function splitPairs(element: string): string[] {
  return element.match(/(?:[^;"]|"(?:[^"\\]|\\.)*"?)+/g) ?? [];
}
