import type { SecureVersion } from 'node:tls';
import type { Findings } from './figure.ts';
import type { Product } from './product.ts';
import { startTlsPair } from './tls-pair.ts';
import { visit } from './tls-visits.ts';

const versions: readonly SecureVersion[] = ['TLSv1.3', 'TLSv1.2'];
const inTurns = 4;
const count = 300;

/** How many of the connections that offer the ticket of the one before are spared a full handshake. */
export async function resumption(product: Product): Promise<Findings> {
  const rows: string[][] = [];
  for (const workers of [1, 2]) {
    const pair = await startTlsPair(product, { workers });
    try {
      for (const { name, port } of [pair.ours, pair.nginx]) {
        const shares: string[] = [];
        for (const version of versions) {
          const resumed = await visit({ port, version, count, atOnce: inTurns, withTickets: true });
          // each turn's first has nothing to offer
          shares.push(`${Math.round((resumed / (count - inTurns)) * 100)} %`);
        }
        rows.push([`${name}, ${workers} worker${workers === 1 ? '' : 's'}`, ...shares]);
      }
    } finally {
      await pair.stop();
    }
  }
  return {
    figures: [],
    details: { columns: ['resumed sessions', 'TLS 1.3', 'TLS 1.2'], rows },
    notes: [
      "A ticket is good only where it was given: each worker's native app makes keys of its own, takes none from outside, and\na swap of certificates makes new ones. nginx's workers inherit one set. A client whose ticket is unknown makes a full\nhandshake, which costs the time above and no round trip more.",
    ],
  };
}
