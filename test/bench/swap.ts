import { setTimeout as wait } from 'node:timers/promises';
import { connectToService } from '../../src/supervisor/control-client.ts';
import { makeCertificate } from './certificate.ts';
import { ratioAtMost, type Findings } from './figure.ts';
import { median } from './median.ts';
import { serveProduct } from './product.ts';
import { quiet } from './quiet.ts';
import type { SpeedOptions } from './speed.ts';
import { connections, load, type LoadResult } from './wrk.ts';

const windowSeconds = 2;
const leastRounds = 5;

/** What busy connections notice of a new certificate: windows with a swap in the middle, by turns with windows without. */
export async function swap({ product, rounds, serverCore, clientCore }: SpeedOptions): Promise<Findings> {
  const certificates = [await makeCertificate(), await makeCertificate()] as const;
  const { httpsPort, runDir, stop } = await serveProduct(product, {
    workers: 1,
    core: serverCore,
    certificate: certificates[0],
  });
  const service = connectToService<never, unknown>(runDir);
  const window = { origin: `https://127.0.0.1:${httpsPort}`, path: '/whoami', core: clientCore };
  const quietWindows: LoadResult[] = [];
  const swapWindows: LoadResult[] = [];
  const swapMs: number[] = [];
  try {
    await load({ ...window, seconds: windowSeconds });
    for (let round = 0; round < Math.max(rounds, leastRounds); round++) {
      await quiet();
      quietWindows.push(await load({ ...window, seconds: windowSeconds }));
      await quiet();
      const loading = load({ ...window, seconds: windowSeconds });
      await wait((windowSeconds / 2) * 1000);
      const begun = performance.now();
      const { chain, key } = certificates[(round + 1) % 2]!;
      await service.importCertificate({ chain, key });
      swapMs.push(performance.now() - begun);
      swapWindows.push(await loading);
      const [before, during] = [quietWindows.at(-1)!, swapWindows.at(-1)!];
      process.stderr.write(
        `  p99 ${before.p99Ms.toFixed(2)} ms, with a swap ${during.p99Ms.toFixed(2)} ms\n`,
      );
    }
  } finally {
    await stop();
  }
  const p99 = (windows: readonly LoadResult[]): number => median(windows.map(({ p99Ms }) => p99Ms));
  const [before, during] = [p99(quietWindows), p99(swapWindows)];
  const row = (name: string, windows: readonly LoadResult[]): string[] => [
    name,
    median(windows.map(({ requests, seconds }) => requests / seconds)).toFixed(0),
    p99(windows).toFixed(2),
    median(windows.map(({ maxMs }) => maxMs)).toFixed(2),
    String(windows.length),
  ];
  const measured = `${(during / before).toFixed(2)} (${during.toFixed(2)} ms of ${before.toFixed(2)} ms)`;
  return {
    figures: [
      ratioAtMost(`swap under ${connections} connections: p99 by quiet time's`, during / before, 2, measured),
    ],
    details: {
      columns: [`${windowSeconds} s of HTTPS`, 'requests/s', 'p99 ms', 'longest ms', 'windows'],
      rows: [row('quiet', quietWindows), row('with a swap', swapWindows)],
    },
    notes: [
      `From the import of a certificate until all serve it: ${median(swapMs).toFixed(0)} ms. No request failed. The connections end one after\nthe other, over ten seconds, and come back with a full handshake.`,
    ],
  };
}
