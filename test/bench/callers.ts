import { writeFileSync } from 'node:fs';
import { parseIpAddress } from '../../src/core/ip-address.ts';
import { bogonKind } from '../../src/core/bogon.ts';

/** How many addresses ask, each different from all others. */
export const callerCount = 1_000_000;

/**
 * Writes public addresses, one a line: the same ones each time. One in `ipv6Every` is IPv6, from the blocks that
 * the registries give out of.
 */
export function writeCallers(path: string, count = callerCount, ipv6Every = 4): void {
  const random = randomWords();
  const addresses = new Set<string>();
  while (addresses.size < count) {
    const text = addresses.size % ipv6Every === 0 ? ipv6(random) : ipv4(random);
    const address = parseIpAddress(text)!;
    if (bogonKind(address) === undefined) addresses.add(address.text);
  }
  writeFileSync(path, `${[...addresses].join('\n')}\n`);
}

function ipv4(random: () => number): string {
  const word = random();
  return [word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255].join('.');
}

const ipv6Blocks = ['2001', '2400', '2600', '2800', '2a00', '2c00'];

/** A host of a /64 as autoconfiguration makes them. */
function ipv6(random: () => number): string {
  const groups = Array.from({ length: 7 }, () => (random() & 0xffff).toString(16));
  const block = Number.parseInt(ipv6Blocks[random() % ipv6Blocks.length]!, 16) + (random() & 15);
  return [block.toString(16), ...groups].join(':');
}

/** Numbers of 32 bits that look random and are the same in every run (xorshift32). */
function randomWords(): () => number {
  let state = 0x9e37_79b9;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>>= 0);
  };
}
