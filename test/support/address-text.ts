/** The text of an address that is a number: IPv4 below 2^32, else IPv6 in full. */
export function addressText(address: bigint): string {
  if (address < 1n << 32n) return [24n, 16n, 8n, 0n].map((shift) => (address >> shift) & 0xffn).join('.');
  const digits = address.toString(16).padStart(32, '0');
  return (digits.match(/.{4}/g) as string[]).join(':');
}

/** The number of an IPv4 or IPv6 address in any text that `URL` takes in a host. */
export function addressNumber(text: string): bigint {
  if (!text.includes(':')) return text.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
  const [head = '', tail] = new URL(`http://[${text}]`).hostname.slice(1, -1).split('::');
  const words = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const left = words(head);
  const right = words(tail ?? '');
  const zeros = Array<string>(8 - left.length - right.length).fill('0');
  return BigInt(`0x${[...left, ...zeros, ...right].map((word) => word.padStart(4, '0')).join('')}`);
}
