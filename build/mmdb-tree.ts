import { Failure } from '../src/core/errors.ts';
import type { AddressRange } from './address-ranges.ts';

/**
 * A search tree whose equal sub-trees are one. The format allows a node to have many parents, and real tables repeat
 * themselves so much that this saves up to two thirds of the file.
 */
export interface SearchTree {
  readonly nodeCount: number;
  /**
   * The two records of each node, the root's first. From 0 on a record is the number of a node, below 0 it is `~value`,
   * where the value 0 says that nothing is known.
   */
  readonly left: Int32Array;
  readonly right: Int32Array;
}

/** IPv6 networks that carry an IPv4 address in the bits after the prefix. */
interface EmbeddedIPv4 {
  readonly prefix: bigint;
  readonly length: number;
}
const aliases: readonly EmbeddedIPv4[] = [
  { prefix: 0xffffn << 32n, length: 96 }, // ::ffff:0:0/96, IPv4-mapped (RFC 4291 §2.5.5.2)
  { prefix: 0x2002n << 112n, length: 16 }, // 2002::/16, 6to4 (RFC 3056)
];

/** The value of addresses that nothing is known of. */
export const empty = 0;
const mostRecords = 2 ** 26;

/**
 * Builds the tree of disjoint ranges in ascending order whose values are whole numbers from 1 to `values`. With
 * `aliasIPv4` the networks that embed IPv4 addresses lead to the IPv4 part, whatever the ranges say about them.
 * Teredo's 2001::/32 is not one of them: its next bits name the relay's server, not the caller.
 */
export function buildTree(
  ranges: Iterable<AddressRange<number>>,
  values: number,
  { aliasIPv4 }: { aliasIPv4: boolean },
): SearchTree {
  const lefts: number[] = [];
  const rights: number[] = [];
  const known = new Map<number, number>();
  const firstNode = values + 1;

  const fresh = (left: number, right: number): number => {
    const record = firstNode + lefts.push(left) - 1;
    rights.push(right);
    if (record >= mostRecords)
      throw new Failure(`More than ${mostRecords} nodes and values.`, { code: 'mmdb-too-large' });
    return record;
  };
  const join = (left: number, right: number): number => {
    if (left === right && left < firstNode) return left;
    const key = left * mostRecords + right;
    let record = known.get(key);
    if (record === undefined) known.set(key, (record = fresh(left, right)));
    return record;
  };
  const children = (record: number): [number, number] =>
    record < firstNode
      ? [record, record]
      : [lefts[record - firstNode] as number, rights[record - firstNode] as number];
  const replace = (record: number, prefix: bigint, length: number, by: number, depth = 0): number => {
    if (depth === length) return by;
    const [left, right] = children(record);
    return (prefix >> BigInt(127 - depth)) & 1n
      ? join(left, replace(right, prefix, length, by, depth + 1))
      : join(replace(left, prefix, length, by, depth + 1), right);
  };

  let root = fold(changesOf(ranges), join);
  if (aliasIPv4) {
    let ipv4 = root;
    for (let depth = 0; depth < 96; depth++) ipv4 = children(ipv4)[0];
    if (ipv4 >= firstNode) {
      // A node of its own: readers that list all networks know an alias by its leading to the IPv4 part's
      // first node, and would skip an IPv6 network that happened to share it.
      ipv4 = fresh(...children(ipv4));
      root = replace(root, 0n, 96, ipv4);
    }
    for (const { prefix, length } of aliases) root = replace(root, prefix, length, ipv4);
  }
  if (root < firstNode) root = fresh(root, root);
  return numbered(root, firstNode, lefts, rights);
}

/** Where the value changes: at each address (four 32-bit words) to another value. */
interface Changes {
  readonly words: readonly Uint32Array[];
  /** Zero bits at the end of each address. */
  readonly zeros: Uint8Array;
  readonly values: Int32Array;
}

function changesOf(ranges: Iterable<AddressRange<number>>): Changes {
  const starts: bigint[] = [0n];
  const values: number[] = [empty];
  const change = (at: bigint, value: number): void => {
    if (starts.at(-1) === at) values[values.length - 1] = value;
    else if (values.at(-1) !== value) {
      starts.push(at);
      values.push(value);
    }
  };
  for (const { start, end, value } of ranges) {
    change(start, value);
    if (end + 1n < 1n << 128n) change(end + 1n, empty);
  }
  const words = [96n, 64n, 32n, 0n].map((shift) =>
    Uint32Array.from(starts, (start) => Number((start >> shift) & 0xffff_ffffn)),
  );
  const zeros = Uint8Array.from(starts, (_, index) => {
    for (let word = 3, count = 0; word >= 0; word--, count += 32) {
      const bits = words[word]?.[index] as number;
      if (bits !== 0) return count + 31 - Math.clz32(bits & -bits);
    }
    return 128;
  });
  return { words, zeros, values: Int32Array.from(values) };
}

/** Joins the changes into one record, halving the address space at each step. */
function fold({ words, zeros, values }: Changes, join: (left: number, right: number) => number): number {
  const bitOf = (index: number, depth: number): number =>
    ((words[depth >> 5] as Uint32Array)[index] as number) & (0x8000_0000 >>> (depth & 31));

  // The changes first to past - 1 lie inside the block of this depth, `before` holds at its beginning.
  const block = (first: number, past: number, before: number, depth: number): number => {
    if (first === past) return before;
    let middle = first;
    for (let above = past; middle < above;) {
      const probe = (middle + above) >>> 1;
      if (bitOf(probe, depth) === 0) middle = probe + 1;
      else above = probe;
    }
    const left = block(first, middle, before, depth + 1);
    let beforeRight = middle > first ? (values[middle - 1] as number) : before;
    if (middle < past && (zeros[middle] as number) >= 127 - depth) beforeRight = values[middle++] as number;
    return join(left, block(middle, past, beforeRight, depth + 1));
  };
  return block(1, values.length, values[0] as number, 0);
}

/** Numbers the nodes in use parents first, left before right: a look-up then goes forward in few pages. */
function numbered(root: number, firstNode: number, lefts: number[], rights: number[]): SearchTree {
  const numbers = new Int32Array(lefts.length).fill(-1);
  const order: number[] = [];
  const pending = [root - firstNode];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (node < 0 || numbers[node] !== -1) continue;
    numbers[node] = order.push(node) - 1;
    pending.push((rights[node] as number) - firstNode, (lefts[node] as number) - firstNode);
  }
  const final = (record: number): number =>
    record < firstNode ? ~record : (numbers[record - firstNode] as number);
  return {
    nodeCount: order.length,
    left: Int32Array.from(order, (node) => final(lefts[node] as number)),
    right: Int32Array.from(order, (node) => final(rights[node] as number)),
  };
}
