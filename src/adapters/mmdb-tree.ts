import type { Reader, Response } from 'maxmind';
import type { IpAddress } from '../core/ip-address.ts';

/** The search tree of a MaxMind DB file, walked with addresses that are parsed already. */
export interface MmdbTree {
  /**
   * Where the record of an address lies in the file, and after how many bits of the address it was found;
   * undefined where there is none. `found` is reused by the next call.
   */
  find(address: IpAddress): { readonly offset: number; readonly prefixLength: number } | undefined;
  /** Throws where a record of the tree points outside the file; gives the places of some data records, spread evenly. */
  check(samples: number): number[];
}

/**
 * Reads the tree in place (MaxMind DB format 2.0, "Binary Search Tree Section"). The reader of the `maxmind`
 * package parses the text of an address again and calls a function for each of its bits; this takes a fifth of
 * that. What a record says is still decoded there.
 */
export function openMmdbTree(bytes: Buffer, metadata: Reader<Response>['metadata']): MmdbTree {
  const { nodeCount, recordSize, searchTreeSize, nodeByteSize, ipVersion } = metadata;
  if (ipVersion !== 4 && ipVersion !== 6)
    throw new Error(`its ip_version is ${String(ipVersion)}, not 4 or 6`);
  if (!Number.isSafeInteger(nodeCount) || nodeCount < 1) {
    throw new Error(`its node_count is ${String(nodeCount)}`);
  }
  const dataEnd = nodeCount + (bytes.length - searchTreeSize);
  if (searchTreeSize + 16 > bytes.length) throw new Error('its search tree is cut short');

  const record = (node: number, bit: number): number => {
    const at = node * nodeByteSize;
    if (recordSize === 24) {
      const start = at + bit * 3;
      return (bytes[start]! << 16) | (bytes[start + 1]! << 8) | bytes[start + 2]!;
    }
    if (recordSize === 32) return bytes.readUInt32BE(at + bit * 4);
    const middle = bytes[at + 3]!;
    const start = at + bit * 4;
    const high = bit === 0 ? middle >>> 4 : middle & 15;
    return (high << 24) | (bytes[start]! << 16) | (bytes[start + 1]! << 8) | bytes[start + 2]!;
  };

  /** IPv4 lies in the IPv6 tree below 96 zero bits. */
  let ipv4Start = 0;
  for (let depth = 0; ipVersion === 6 && depth < 96 && ipv4Start < nodeCount; depth++) {
    ipv4Start = record(ipv4Start, 0);
  }
  const found = { offset: 0, prefixLength: 0 };

  return {
    find({ version, words }) {
      if (version === 6 && ipVersion === 4) return undefined;
      let node = version === 4 ? ipv4Start : 0;
      let depth = 0;
      for (const word of words) {
        for (let shift = 31; shift >= 0 && node < nodeCount; shift--, depth++) {
          node = record(node, (word >>> shift) & 1);
        }
      }
      if (node <= nodeCount) return undefined;
      found.offset = node - nodeCount + searchTreeSize;
      found.prefixLength = depth;
      return found;
    },
    check(samples) {
      const places: number[] = [];
      const every = Math.max(1, Math.floor(nodeCount / samples));
      for (let node = 0; node < nodeCount; node++) {
        for (const bit of [0, 1]) {
          const value = record(node, bit);
          if (value >= dataEnd) throw new Error(`node ${node} of its search tree points outside the file`);
          if (value > nodeCount && node % every === 0) places.push(value - nodeCount + searchTreeSize);
        }
      }
      return places;
    },
  };
}
