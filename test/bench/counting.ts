import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/until.ts';
import { writeCallers } from './callers.ts';
import { hold, type Contestant, type Standing } from './contest.ts';
import { atLeast, atMost, type Figure, type Findings } from './figure.ts';
import { memoryOf } from './process-usage.ts';
import { serveProduct } from './product.ts';
import { scratchFolder } from './scratch.ts';
import { details, path, ratio, type SpeedOptions } from './speed.ts';
import { load } from './wrk.ts';

const sustainedSeconds = 60;
const settledAfterSeconds = 20;
const leastCounts = 10_000;

/**
 * What counting visits costs: the same product with and without it, asked by one caller; then a minute of callers from all
 * over the world, with every visit in the database at the end.
 */
export async function counting(options: SpeedOptions): Promise<Findings> {
  const { product, serverCore: core, clientCore } = options;
  const contestants: Contestant[] = [];
  const start = async (name: string, visits: 'on' | 'off'): Promise<void> => {
    const served = await serveProduct(product, { workers: 1, core, environment: { APP_VISITS: visits } });
    contestants.push({ name, origin: served.origin, pid: served.workers[0]!, stop: served.stop });
  };
  try {
    await start('counting visits', 'on');
    await start('not counting', 'off');
    const contest = { ...options, load: () => ({ path, core: clientCore }) };
    const [on, off] = (await hold(contest, contestants)) as [Standing, Standing];
    const sustained = await sustain(options);
    return {
      figures: [ratio('counting visits: rate by not counting', on, off, 0.97), ...sustained.figures],
      details: details('counting visits', [on, off]),
      notes: [sustained.note],
    };
  } finally {
    await Promise.all(contestants.map(({ stop }) => stop()));
  }
}

async function sustain({ product }: SpeedOptions): Promise<{ figures: readonly Figure[]; note: string }> {
  const callers = join(scratchFolder(), 'callers');
  writeCallers(callers);
  const metricsPort = await freePort();
  const served = await serveProduct(product, {
    workers: 1,
    environment: { APP_METRICS_LISTEN: `127.0.0.1:${metricsPort}` },
  });
  const pids = [served.pid, ...served.workers];
  const total = (): number => pids.reduce((sum, pid) => sum + memoryOf(pid).pssBytes, 0);
  const written = async (): Promise<number> => {
    const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    return Number(/^appliance_visits_written_total (\d+)$/m.exec(text)?.[1]);
  };
  try {
    const loading = load({ origin: served.origin, path, seconds: sustainedSeconds, callers });
    await wait(settledAfterSeconds * 1000);
    const settled = total();
    const result = await loading;
    const end = total();
    await until('all visits are in the database', async () => (await written()) >= result.requests);
    const rate = result.requests / result.seconds;
    const growth = (end - settled) / 1e6;
    return {
      figures: [
        atLeast('visits counted and written in a second, for a minute', rate, leastCounts, rate.toFixed(0)),
        atMost('growth of memory in its last 40 s', growth, 10, 'MB'),
      ],
      note: `In the minute ${result.requests} visits from a million addresses were counted and written, none lost, p99 ${result.p99Ms.toFixed(1)} ms; supervisor and worker held ${(settled / 1e6).toFixed(0)} MB after ${settledAfterSeconds} s and ${(end / 1e6).toFixed(0)} MB at the end.`,
    };
  } finally {
    await served.stop();
  }
}
