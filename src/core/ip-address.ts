/**
 * An IP address, parsed once at the edge. `text` is the canonical form (dotted decimal, or RFC 5952) and is
 * unique over both families, so it may serve as a key. `words` holds the bits, most significant first, as
 * unsigned 32-bit numbers: one for IPv4, four for IPv6.
 */
export interface IpAddress {
  readonly version: 4 | 6;
  readonly text: string;
  readonly words: readonly number[];
}

/** A network in CIDR notation. */
export interface IpNetwork {
  readonly version: 4 | 6;
  readonly words: readonly number[];
  readonly prefixLength: number;
}

/**
 * Parses one address and nothing else: no port, no brackets, no white space. IPv4 is four decimal numbers
 * without leading zeros (which some programs read as octal); IPv6 is RFC 4291 §2.2, a zone (RFC 4007 §11) is
 * accepted and dropped because it means something on one machine only. An IPv4-mapped address
 * (`::ffff:192.0.2.1`) is the IPv4 address. Returns undefined for anything else; never throws.
 */
export function parseIpAddress(text: string): IpAddress | undefined {
  if (text.length > 64) return undefined;
  const value = parseIpv4(text, 0);
  if (value !== undefined) return { version: 4, text, words: [value] };
  return parseIpv6(text);
}

/** Whether a text is an address: among the names of a certificate, one that no client sends as server name (RFC 6066 §3). */
export function isIpAddress(text: string): boolean {
  return parseIpAddress(text) !== undefined;
}

/** The address in the 4 or 16 bytes of a socket address, network byte order. */
export function ipAddressFromBytes(bytes: ArrayBuffer): IpAddress {
  const view = new DataView(bytes);
  if (bytes.byteLength === 4) return ipv4(view.getUint32(0));
  return ipv6([view.getUint32(0), view.getUint32(4), view.getUint32(8), view.getUint32(12)]);
}

/**
 * Parses `ADDRESS/LENGTH`, or a bare address as a network of one. Host bits must be zero: `10.0.0.1/8` is
 * more likely a mistake than a wish. Returns undefined for anything else.
 */
export function parseNetwork(text: string): IpNetwork | undefined {
  const slash = text.indexOf('/');
  const address = parseIpAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined || text.includes('%')) return undefined;
  const { version, words } = address;
  const bits = words.length * 32;
  if (slash < 0) return { version, words, prefixLength: bits };
  const suffix = text.slice(slash + 1);
  if (!/^(?:0|[1-9]\d{0,2})$/.test(suffix)) return undefined;
  // `::ffff:10.0.0.0/104` is 10.0.0.0/8 written in the longer family.
  const prefixLength = Number(suffix) - (version === 4 && text.includes(':') ? 96 : 0);
  if (prefixLength < 0 || prefixLength > bits) return undefined;
  const network = { version, words, prefixLength };
  return words.every((word, index) => maskWord(word, prefixLength - 32 * index) === word)
    ? network
    : undefined;
}

/** Whether the address lies in the network; never across families. */
export function networkContains(network: IpNetwork, address: IpAddress): boolean {
  if (network.version !== address.version) return false;
  for (let index = 0, left = network.prefixLength; left > 0; index++, left -= 32) {
    if (maskWord(address.words[index]!, left) !== network.words[index]) return false;
  }
  return true;
}

/** The network of the given length that the address lies in, as `ADDRESS/LENGTH`. */
export function networkText(address: IpAddress, prefixLength: number): string {
  const words = address.words.map((word, index) => maskWord(word, prefixLength - 32 * index));
  const start = address.version === 4 ? ipv4Text(words[0]!) : ipv6Text(words);
  return `${start}/${prefixLength}`;
}

/** The address as a whole number in decimal digits; up to 39 of them for IPv6. */
export function decimalText(address: IpAddress): string {
  if (address.version === 4) return String(address.words[0]);
  return address.words.reduce((sum, word) => (sum << 32n) | BigInt(word), 0n).toString();
}

function maskWord(word: number, bits: number): number {
  if (bits >= 32) return word;
  if (bits <= 0) return 0;
  return (word & (-1 << (32 - bits))) >>> 0;
}

function ipv4(value: number): IpAddress {
  return { version: 4, text: ipv4Text(value), words: [value] };
}

function ipv6(words: readonly [number, number, number, number]): IpAddress {
  if (words[0] === 0 && words[1] === 0 && words[2] === 0xffff) return ipv4(words[3]);
  return { version: 6, text: ipv6Text(words), words };
}

function ipv4Text(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
}

/** Reads four decimal numbers from `from` to the end of the text. */
function parseIpv4(text: string, from: number): number | undefined {
  const end = text.length;
  if (end - from < 7 || end - from > 15) return undefined;
  let value = 0;
  let part = -1;
  let dots = 0;
  for (let index = from; index < end; index++) {
    const digit = text.charCodeAt(index) - 48;
    if (digit >= 0 && digit <= 9) {
      if (part === 0) return undefined;
      part = part < 0 ? digit : part * 10 + digit;
      if (part > 255) return undefined;
    } else if (digit === -2 && part >= 0) {
      value = value * 256 + part;
      part = -1;
      dots++;
    } else return undefined;
  }
  return dots === 3 && part >= 0 ? value * 256 + part : undefined;
}

function parseIpv6(text: string): IpAddress | undefined {
  const percent = text.indexOf('%');
  if (percent >= 0 && !/^[\w.~-]+$/.test(text.slice(percent + 1))) return undefined;
  const address = percent < 0 ? text : text.slice(0, percent);
  const gap = address.indexOf('::');
  if (gap < 0) {
    const groups = parseGroups(address, true);
    return groups?.length === 8 ? fromGroups(groups) : undefined;
  }
  const head = gap === 0 ? [] : parseGroups(address.slice(0, gap), false);
  const tail = gap + 2 === address.length ? [] : parseGroups(address.slice(gap + 2), true);
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  // "::" stands for at least one group (RFC 4291 §2.2 allows one or more).
  return missing < 1 ? undefined : fromGroups([...head, ...new Array<number>(missing).fill(0), ...tail]);
}

/** Colon-separated 16-bit groups; the last two may be written as an IPv4 address. */
function parseGroups(text: string, ipv4Last: boolean): number[] | undefined {
  const groups: number[] = [];
  const parts = text.split(':');
  if (parts.length > 8) return undefined;
  for (const [index, part] of parts.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16));
      continue;
    }
    const value = ipv4Last && index === parts.length - 1 ? parseIpv4(part, 0) : undefined;
    if (value === undefined) return undefined;
    groups.push(value >>> 16, value & 0xffff);
  }
  return groups;
}

function fromGroups(groups: readonly number[]): IpAddress {
  const word = (index: number) => ((groups[index]! << 16) | groups[index + 1]!) >>> 0;
  return ipv6([word(0), word(2), word(4), word(6)]);
}

/** RFC 5952: lower case, no leading zeros, the first longest run of two or more zero groups as `::`. */
function ipv6Text(words: readonly number[]): string {
  const groups = words.flatMap((word) => [word >>> 16, word & 0xffff]);
  let bestStart = -1;
  let bestLength = 1;
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length++;
    if (length > bestLength) {
      bestStart = start;
      bestLength = length;
    }
    start += length;
  }
  const hex = groups.map((group) => group.toString(16));
  if (bestStart < 0) return hex.join(':');
  return `${hex.slice(0, bestStart).join(':')}::${hex.slice(bestStart + bestLength).join(':')}`;
}
