import { join } from 'node:path';
import { writeCallers } from './callers.ts';
import { atMost, type Findings } from './figure.ts';
import { memoryOf, type Memory } from './process-usage.ts';
import { serveProduct, type Product } from './product.ts';
import { scratchFolder } from './scratch.ts';
import { load } from './wrk.ts';

const manyWorkers = 3;

interface Measured {
  readonly supervisor: Memory;
  readonly workers: readonly Memory[];
}

/** What the processes hold after both kinds of load, shared pages in proportion (PSS). */
export async function memory(product: Product, seconds: number): Promise<Findings> {
  const callers = join(scratchFolder(), 'callers');
  writeCallers(callers);
  const one = await measure(product, 1, callers, seconds);
  const many = await measure(product, manyWorkers, callers, seconds);
  const further = (total(many) - total(one)) / (manyWorkers - 1);
  return {
    figures: [
      atMost('memory after load: supervisor and one worker', total(one) / 1e6, 170, 'MB'),
      atMost('memory after load: each further worker', further / 1e6, 60, 'MB'),
    ],
    details: {
      columns: ['memory after load', 'PSS MB', 'of it in no file'],
      rows: [...rows('of 1', one), ...rows(`of ${manyWorkers}`, many)],
    },
    notes: product.packaged
      ? []
      : ['The sources were measured: PSS leaves out what other processes share of the same `node`.'],
  };
}

async function measure(
  product: Product,
  workers: number,
  callers: string,
  seconds: number,
): Promise<Measured> {
  const { origin, pid, workers: pids, stop } = await serveProduct(product, { workers });
  try {
    // as much for each worker, however many there are
    const each = { origin, path: '/whoami', seconds: seconds * workers };
    await load(each);
    await load({ ...each, callers });
    return { supervisor: memoryOf(pid), workers: pids.map(memoryOf) };
  } finally {
    await stop();
  }
}

function total({ supervisor, workers }: Measured): number {
  return [supervisor, ...workers].reduce((sum, { pssBytes }) => sum + pssBytes, 0);
}

function rows(which: string, { supervisor, workers }: Measured): string[][] {
  const row = (name: string, { pssBytes, anonymousBytes }: Memory): string[] => [
    name,
    (pssBytes / 1e6).toFixed(1),
    (anonymousBytes / 1e6).toFixed(1),
  ];
  return [
    row(`supervisor ${which}`, supervisor),
    ...workers.map((worker, index) => row(`worker ${index + 1} ${which}`, worker)),
  ];
}
