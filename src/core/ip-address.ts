import { isIP, isIPv6 } from 'node:net';

/** An IP address, parsed once at the edge. */
export interface IpAddress {
  readonly family: 4 | 6;
  readonly bits: bigint;
}

/** A range of addresses in CIDR form. */
export interface IpNetwork {
  readonly family: 4 | 6;
  readonly bits: bigint;
  readonly prefixLength: number;
}

/** The address that `text` writes, or undefined when it is not a plain IPv4 or IPv6 address (no zone, no port). */
export function parseIpAddress(text: string): IpAddress | undefined {
  if (isIP(text) === 0 || text.includes('%')) return undefined;
  if (!isIPv6(text)) {
    return { family: 4, bits: text.split('.').reduce((bits, part) => (bits << 8n) | BigInt(part), 0n) };
  }
  const plain = new URL(`http://[${text}]/`).hostname.slice(1, -1);
  const [head = '', tail] = plain.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right];
  return { family: 6, bits: groups.reduce((bits, group) => (bits << 16n) | BigInt(`0x${group}`), 0n) };
}

/** The network that `text` writes in CIDR form; a bare address is itself alone. Host bits that are set are refused. */
export function parseNetwork(text: string): IpNetwork | undefined {
  const [address = '', prefix, ...rest] = text.split('/');
  const parsed = parseIpAddress(address);
  if (!parsed || rest.length > 0) return undefined;
  const width = parsed.family === 4 ? 32 : 128;
  if (prefix !== undefined && !/^(0|[1-9]\d{0,2})$/.test(prefix)) return undefined;
  const prefixLength = prefix === undefined ? width : Number(prefix);
  if (prefixLength > width) return undefined;
  const hostMask = (1n << BigInt(width - prefixLength)) - 1n;
  return (parsed.bits & hostMask) === 0n ? { ...parsed, prefixLength } : undefined;
}
