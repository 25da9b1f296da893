import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import { connectToService } from '../../src/supervisor/control-client.ts';
import { makeCertificate } from './certificate.ts';
import type { Findings } from './figure.ts';
import { memoryOf } from './process-usage.ts';
import { serveProduct, type Product } from './product.ts';

const idle = 1000;
const swaps = 50;
const atOnce = 20;

/** What a worker holds for HTTPS: for connections that wait, and for certificates that were swapped. */
export async function tlsMemory(product: Product): Promise<Findings> {
  const certificates = [await makeCertificate(), await makeCertificate()] as const;
  const { httpsPort, runDir, workers, stop } = await serveProduct(product, {
    workers: 1,
    certificate: certificates[0],
  });
  const service = connectToService<never, unknown>(runDir);
  const rows: string[][] = [];
  const note = (what: string): void => {
    const { pssBytes, anonymousBytes } = memoryOf(workers[0]!);
    rows.push([what, (pssBytes / 1e6).toFixed(1), (anonymousBytes / 1e6).toFixed(1)]);
  };
  const whileIdle = async (what: string): Promise<void> => {
    const open = await openIdle(httpsPort);
    note(what);
    for (const socket of open) socket.destroy();
  };
  try {
    note('at the start');
    await whileIdle(`with ${idle} idle connections`);
    await whileIdle('with as many again');
    for (let count = 1; count <= swaps; count++) {
      const { chain, key } = certificates[count % 2]!;
      await service.importCertificate({ chain, key });
    }
    note(`after ${swaps} swaps`);
    await whileIdle(`with ${idle} idle connections then`);
  } finally {
    await stop();
  }
  return {
    figures: [],
    details: { columns: ['a worker with HTTPS', 'PSS MB', 'of it in no file'], rows },
  };
}

/** Idle ones are ended after ten seconds: they are opened quickly. */
async function openIdle(port: number): Promise<TLSSocket[]> {
  const open: TLSSocket[] = [];
  let begun = 0;
  const inTurn = async (): Promise<void> => {
    while (begun++ < idle) {
      const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
      socket.on('error', () => {});
      await once(socket, 'secureConnect');
      open.push(socket);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, inTurn));
  if (open.some(({ destroyed }) => destroyed)) throw new Error('a connection that was idle ended too early');
  return open;
}
