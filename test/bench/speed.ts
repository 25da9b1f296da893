import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { callerCount, writeCallers } from './callers.ts';
import { makeCertificate } from './certificate.ts';
import { hold, type Contest, type Contestant, type Standing } from './contest.ts';
import { atLeast, type Figure, type Findings, type Table } from './figure.ts';
import { startNginx } from './nginx.ts';
import { startNodeHttp } from './node-http.ts';
import { serveProduct, type Product } from './product.ts';
import { scratchFolder } from './scratch.ts';
import { sampleAnswer, type SampleAnswer } from './sample-answer.ts';

export interface SpeedOptions {
  readonly product: Product;
  readonly rounds: number;
  readonly seconds: number;
  /** The servers share one core, the client has another to itself. */
  readonly serverCore: number;
  readonly clientCore: number;
}

export const path = '/whoami';

/** One caller that asks again and again: what the server itself costs. */
export function oneCaller(options: SpeedOptions): Promise<Findings> {
  const contest = { ...options, load: () => ({ path, core: options.clientCore }) };
  return compare(options, contest, (url) => sampleAnswer(url), { what: 'one caller', ofNginx: 0.9 });
}

/** A million callers behind a trusted proxy, no address twice in a run: every answer is looked up and made anew. */
export async function randomCallers(options: SpeedOptions): Promise<Findings> {
  const callers = join(scratchFolder(), 'callers');
  writeCallers(callers);
  const contest = {
    ...options,
    load: (round: number) => ({
      path,
      core: options.clientCore,
      callers,
      firstCaller: Math.floor(((round % options.rounds) / options.rounds) * callerCount),
    }),
  };
  const some = readFileSync(callers, 'utf8').split('\n', 501).slice(0, -1);
  const sample = (url: string): Promise<SampleAnswer> => sampleAnswer(url, some);
  return compare(options, contest, sample, { what: 'random callers', ofNginx: 0.5 });
}

/**
 * As `oneCaller`, over connections with TLS 1.3 that stay open, both servers with the same certificate. The client's half
 * of TLS takes as long as the server's, so that its core may be full first: CPU time is compared, not the rate.
 */
export async function overHttps(options: SpeedOptions): Promise<Findings> {
  const { product, serverCore, clientCore } = options;
  const certificate = await makeCertificate();
  const contestants: Contestant[] = [];
  try {
    const serve = { workers: 1, core: serverCore, certificate };
    const { httpsPort, workers, stop } = await serveProduct(product, serve);
    const origin = `https://127.0.0.1:${httpsPort}`;
    contestants.push({ name: 'appliance', origin, pid: workers[0]!, stop });
    const answer = await sampleAnswer(`${origin}${path}`);
    contestants.push(await startNginx(answer, { core: serverCore, certificate }));
    const contest = { ...options, leastBusy: 0.8, load: () => ({ path, core: clientCore }) };
    const [ours, nginx] = (await hold(contest, contestants)) as [Standing, Standing];
    return {
      figures: [perCpuTime("HTTPS, one caller: requests per CPU time by nginx's", ours, nginx, 1.1)],
      details: details('HTTPS, one caller', [ours, nginx]),
      notes: [
        'wrk has to encrypt as much as the server, on one core as well: where it is the limit, rates come out alike. So CPU time\nper request is what is compared, and a run counts from 80 % busy on.',
      ],
    };
  } finally {
    await Promise.all(contestants.map(({ stop }) => stop()));
  }
}

async function compare(
  options: SpeedOptions,
  contest: Contest,
  sample: (url: string) => Promise<SampleAnswer>,
  { what, ofNginx }: { readonly what: string; readonly ofNginx: number },
): Promise<Findings> {
  const { product, serverCore } = options;
  const contestants: Contestant[] = [];
  try {
    const { origin, workers, stop } = await serveProduct(product, { workers: 1, core: serverCore });
    contestants.push({ name: 'appliance', origin, pid: workers[0]!, stop });
    const url = `${origin}${path}`;
    contestants.push(await startNginx(await sample(url), { core: serverCore }));
    contestants.push(await startNodeHttp(await sampleAnswer(url), serverCore));
    const [ours, nginx, node] = (await hold(contest, contestants)) as [Standing, Standing, Standing];
    return {
      figures: [
        ratio(`${what}: rate by nginx's`, ours, nginx, ofNginx),
        ratio(`${what}: rate by Node http's`, ours, node, 1.5),
      ],
      details: details(what, [ours, nginx, node]),
    };
  } finally {
    await Promise.all(contestants.map(({ stop }) => stop()));
  }
}

export function ratio(what: string, ours: Standing, theirs: Standing, least: number): Figure {
  const value = ours.requestsPerSecond / theirs.requestsPerSecond;
  const byCpu = theirs.cpuMicrosecondsPerRequest / ours.cpuMicrosecondsPerRequest;
  const measured = `${value.toFixed(2)} (by CPU per request ${byCpu.toFixed(2)})`;
  return atLeast(what, value, least, measured, ours.valid && theirs.valid);
}

function perCpuTime(what: string, ours: Standing, theirs: Standing, least: number): Figure {
  const value = theirs.cpuMicrosecondsPerRequest / ours.cpuMicrosecondsPerRequest;
  const measured = `${value.toFixed(2)} (by rate ${(ours.requestsPerSecond / theirs.requestsPerSecond).toFixed(2)})`;
  return atLeast(what, value, least, measured, ours.valid && theirs.valid);
}

export function details(what: string, standings: readonly Standing[]): Table {
  return {
    columns: [what, 'requests/s', 'CPU µs/request', 'busy', 'p99 ms', 'runs', 'void'],
    rows: standings.map(row),
  };
}

function row(standing: Standing): string[] {
  const { name, runs } = standing;
  return [
    name,
    String(Math.round(standing.requestsPerSecond)),
    standing.cpuMicrosecondsPerRequest.toFixed(1),
    `${Math.round(standing.busy * 100)} %`,
    standing.p99Ms.toFixed(2),
    String(runs.length),
    String(runs.filter((run) => run.void).length),
  ];
}
