import { get } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { atMost, type Findings } from './figure.ts';
import { median } from './median.ts';
import { launchProduct, type Product } from './product.ts';

const starts = 9;
const mostMs = 10_000;

/** How long it takes from the start of the program until it answers for the first time, with as many workers as cores. */
export async function startTime(product: Product): Promise<Findings> {
  const seconds: number[] = [];
  for (let count = 0; count < starts; count++) seconds.push(await startOnce(product));
  const sorted = seconds.toSorted((a, b) => a - b);
  return {
    figures: [atMost('start to first answer', median(seconds), 0.5, 's')],
    details: {
      columns: ['start to first answer', 'least s', 'median s', 'most s', 'starts'],
      rows: [
        [
          product.packaged ? 'packaged' : 'from the sources',
          ...[sorted[0]!, median(sorted), sorted.at(-1)!].map((value) => value.toFixed(3)),
          String(starts),
        ],
      ],
    },
  };
}

async function startOnce(product: Product): Promise<number> {
  const startedAt = performance.now();
  const { origin, process } = await launchProduct(product, { workers: 'auto' });
  try {
    while (!(await answers(`${origin}/whoami`))) {
      if (performance.now() - startedAt > mostMs) throw new Error(`no answer within ${mostMs} ms`);
      await wait(2);
    }
    return (performance.now() - startedAt) / 1000;
  } finally {
    await process.stop();
  }
}

function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    get(url, { agent: false }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode === 200));
    }).on('error', () => resolve(false));
  });
}
