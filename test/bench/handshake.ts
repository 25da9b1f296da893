import { join } from 'node:path';
import { Failure } from '../../src/core/errors.ts';
import { ratioAtMost, type Findings } from './figure.ts';
import { median } from './median.ts';
import { startPinned } from './pinned-process.ts';
import { cpuMicroseconds } from './process-usage.ts';
import { quiet } from './quiet.ts';
import type { SpeedOptions } from './speed.ts';
import { startTlsPair, type TlsServer } from './tls-pair.ts';
import type { Visits } from './tls-visits.ts';

const handshakes = 2000;
const warmUp = 500;
const leastRounds = 5;

/** The server's CPU for a connection with a full handshake of TLS 1.3 (ECDSA P-256, X25519) and one request. */
export async function handshake({
  product,
  rounds,
  serverCore,
  clientCore,
}: SpeedOptions): Promise<Findings> {
  const pair = await startTlsPair(product, { workers: 1, core: serverCore });
  const servers = [pair.ours, pair.nginx];
  const found: number[][] = [[], []];
  try {
    for (const { port } of servers) await shakeHands(port, warmUp, clientCore);
    for (let round = 0; round < Math.max(rounds, leastRounds); round++) {
      for (const [index, server] of servers.entries()) {
        await quiet();
        found[index]!.push(await cpuOfOne(server, clientCore));
      }
    }
  } finally {
    await pair.stop();
  }
  const [ours, nginx] = found.map(median) as [number, number];
  const measured = `${(ours / nginx).toFixed(2)} (${ours.toFixed(0)} µs of ${nginx.toFixed(0)} µs)`;
  return {
    figures: [ratioAtMost("full TLS 1.3 handshake: CPU by nginx's", ours / nginx, 0.7, measured)],
    details: {
      columns: ['full TLS 1.3 handshake', 'least µs', 'median µs', 'most µs', 'handshakes'],
      rows: servers.map(({ name }, index) => {
        const values = found[index]!.toSorted((a, b) => a - b);
        const texts = [values[0]!, median(values), values.at(-1)!].map((value) => value.toFixed(0));
        return [name, ...texts, `${values.length} × ${handshakes}`];
      }),
    },
  };
}

async function cpuOfOne({ name, port, pid }: TlsServer, clientCore: number): Promise<number> {
  const before = cpuMicroseconds(pid);
  await shakeHands(port, handshakes, clientCore);
  const each = (cpuMicroseconds(pid) - before) / handshakes;
  process.stderr.write(`  ${name}: ${each.toFixed(0)} µs of CPU for a handshake\n`);
  return each;
}

async function shakeHands(port: number, count: number, core: number): Promise<void> {
  const visits: Visits = { port, version: 'TLSv1.3', count, atOnce: 8, withTickets: false };
  const args = [join(import.meta.dirname, 'tls-visits.ts'), JSON.stringify(visits)];
  const client = startPinned(process.execPath, args, { core });
  const status = await client.ended;
  if (status !== 0 || !client.output().includes('resumed 0\n')) {
    throw new Failure(`the client of TLS ended with ${status}:\n${client.output()}`, { code: 'bench-tls' });
  }
}
