import type { IpAddress } from '../core/ip-address.ts';

const cell = 8;
const pitch = 10;
const octetPitch = 8 * pitch + 6;
const width = 4 * octetPitch - 6 - (pitch - cell);

/** The squares of an octet's set bits, by the octet, drawn from where the pen stands. */
const squares = Array.from({ length: 256 }, (_, octet) => {
  let path = '';
  let pen = 0;
  for (let bit = 0; bit < 8; bit++) {
    if (((octet >> (7 - bit)) & 1) === 0) continue;
    path += `m${(bit - pen) * pitch} 0h${cell}v${cell}h-${cell}z`;
    pen = bit;
  }
  return path;
});

/** Where each octet of the longest address begins, four to a row. */
const starts = Array.from({ length: 16 }, (_, octet) => {
  return `M${(octet % 4) * octetPitch} ${Math.floor(octet / 4) * pitch}`;
});

/**
 * The address as a picture of its bits, dark for 1, in rows of 32; those of the network, the first
 * `prefixLength`, are told apart by colour. Without a network all look the same.
 */
export function bitsPicture(address: IpAddress, prefixLength: number | undefined): string {
  const { words } = address;
  const ofNetwork = prefixLength ?? 0;
  let [hostClear, hostSet, networkClear, networkSet] = ['', '', '', ''];
  for (let octet = 0; octet < words.length * 4; octet++) {
    const value = (words[octet >> 2]! >>> (24 - 8 * (octet & 3))) & 255;
    const mask = 255 & ~(255 >> Math.min(8, Math.max(0, ofNetwork - 8 * octet)));
    const start = starts[octet]!;
    if (mask !== 255) {
      hostClear += start + squares[~value & ~mask & 255]!;
      hostSet += start + squares[value & ~mask]!;
    }
    if (mask !== 0) {
      networkClear += start + squares[~value & mask]!;
      networkSet += start + squares[value & mask]!;
    }
  }
  const height = words.length * pitch - (pitch - cell);
  const total = words.length * 32;
  const caption =
    prefixLength === undefined
      ? `The ${total} bits of the address`
      : `The first ${prefixLength} of its ${total} bits are the network&rsquo;s`;
  return (
    `<figure><svg viewBox="0 0 ${width} ${height}" aria-hidden="true">` +
    `<path class="b0" d="${hostClear}"/><path class="b1" d="${hostSet}"/>` +
    `<path class="b2" d="${networkClear}"/><path class="b3" d="${networkSet}"/>` +
    `</svg><figcaption>${caption}</figcaption></figure>`
  );
}
