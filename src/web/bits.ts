import type { IpAddress } from '../core/ip-address.ts';

const cell = 8;
const pitch = 10;
const octetGap = 6;
const perRow = 32;
const width = perRow * pitch + 3 * octetGap - (pitch - cell);

/** Where each of 32 bits stands in its row, a small gap after each octet. */
const columns = Array.from({ length: perRow }, (_, bit) => bit * pitch + Math.floor(bit / 8) * octetGap);

/**
 * The address as a picture of its bits, filled for 1, in rows of 32; those of the network, the first
 * `prefixLength`, are told apart by colour. Without a network all look the same.
 */
export function bitsPicture(address: IpAddress, prefixLength: number | undefined): string {
  const { words } = address;
  const paths = ['', '', '', ''];
  for (let row = 0; row < words.length; row++) {
    for (let bit = 0; bit < perRow; bit++) {
      const ofHost = prefixLength === undefined || row * perRow + bit >= prefixLength ? 0 : 2;
      const set = (words[row]! >>> (31 - bit)) & 1;
      paths[ofHost + set] += `M${columns[bit]} ${row * pitch}h8v8h-8z`;
    }
  }
  const drawn = paths
    .map((path, kind) => (path === '' ? '' : `<path class="b${kind}" d="${path}"/>`))
    .join('');
  const height = words.length * pitch - (pitch - cell);
  const picture = `<svg viewBox="0 0 ${width} ${height}" aria-hidden="true">${drawn}</svg>`;
  const total = words.length * perRow;
  const caption =
    prefixLength === undefined
      ? `The ${total} bits of the address`
      : `The first ${prefixLength} of its ${total} bits are the network’s`;
  return `<figure>${picture}<figcaption>${caption}</figcaption></figure>`;
}
