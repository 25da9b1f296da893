import { writeFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { exitCodes, Failure, UsageError } from '../../src/core/errors.ts';
import { backup } from './backup.ts';
import { counting } from './counting.ts';
import type { Findings } from './figure.ts';
import { handshake } from './handshake.ts';
import { expectTools, machineLines } from './machine.ts';
import { memory } from './memory.ts';
import { endAll } from './pinned-process.ts';
import { findProduct } from './product.ts';
import { resumption } from './resumption.ts';
import { removeScratch } from './scratch.ts';
import { oneCaller, overHttps, randomCallers, type SpeedOptions } from './speed.ts';
import { startTime } from './start-time.ts';
import { swap } from './swap.ts';
import { figuresTable, tableText } from './table.ts';
import { visitSummary } from './visit-summary.ts';
import { tlsMemory } from './tls-memory.ts';

const results = join(import.meta.dirname, 'RESULTS.md');

const usage = `npm run bench -- [--only NAME] [--rounds N] [--seconds N] [--no-write]
NAME: one-caller random-callers counting visit-summary backup https handshake resumption swap start memory tls-memory; may be given more than once`;

async function main(): Promise<number> {
  const { only, rounds, seconds, write } = options();
  expectTools();
  const product = findProduct();
  const loadAtStart = loadavg()[0]!;
  const cores = availableParallelism();
  const speed: SpeedOptions = { product, rounds, seconds, serverCore: cores - 1, clientCore: 0 };
  const benchmarks: { readonly [name: string]: () => Promise<Findings> } = {
    'one-caller': () => oneCaller(speed),
    'random-callers': () => randomCallers(speed),
    counting: () => counting(speed),
    'visit-summary': () => visitSummary(),
    backup: () => backup(product),
    https: () => overHttps(speed),
    handshake: () => handshake(speed),
    resumption: () => resumption(product),
    swap: () => swap(speed),
    start: () => startTime(product),
    memory: () => memory(product, seconds),
    'tls-memory': () => tlsMemory(product),
  };
  const unknown = only.find((name) => benchmarks[name] === undefined);
  if (unknown !== undefined) throw new UsageError(`there is no benchmark "${unknown}"`, usage);

  const found: Findings[] = [];
  for (const [name, run] of Object.entries(benchmarks)) {
    if (only.length > 0 && !only.includes(name)) continue;
    process.stderr.write(`${name}\n`);
    found.push(await run());
  }
  const figures = found.flatMap((findings) => findings.figures);
  const sections = [
    machineLines(product, loadAtStart).join('\n'),
    tableText(figuresTable(figures)),
    ...found.flatMap(({ details, notes = [] }) => [tableText(details), ...notes]),
  ];
  const text = `${sections.join('\n\n')}\n`;
  process.stdout.write(`\n${text}`);
  if (write && only.length === 0) writeFileSync(results, `${preface(rounds, seconds)}\n${text}`);
  return figures.every(({ verdict }) => verdict === 'met') ? exitCodes.done : exitCodes.checkFailed;
}

function options(): { only: readonly string[]; rounds: number; seconds: number; write: boolean } {
  let values;
  try {
    ({ values } = parseArgs({
      options: {
        only: { type: 'string', multiple: true, default: [] },
        rounds: { type: 'string', default: '3' },
        seconds: { type: 'string', default: '5' },
        'no-write': { type: 'boolean', default: false },
      },
    }));
  } catch (error) {
    throw new UsageError((error as Error).message, usage);
  }
  const [rounds, seconds] = [Number(values.rounds), Number(values.seconds)];
  if (![rounds, seconds].every((value) => Number.isInteger(value) && value >= 1 && value <= 60)) {
    throw new UsageError('rounds and seconds are whole numbers from 1 to 60', usage);
  }
  return { only: values.only, rounds, seconds, write: !values['no-write'] };
}

function preface(rounds: number, seconds: number): string {
  return `# What the product measures

Written by \`npm run bench\`. All on one machine over loopback: the servers share one core, one worker each, and
take turns, ${rounds} rounds or more of ${seconds} s; wrk has another core and 64 keep-alive connections; figures are medians.
nginx gives one fixed answer, the product's own body and headers (\`return 200\`). CPU is what the process that
answers used in user and kernel mode, and stays comparable when the machine is noisy. A run in which that process
was on its core for less than 95 % of the time is void; a round with such a run does not count and is repeated, for
two minutes at most. HTTPS is TLS 1.3 with one certificate for both (ECDSA P-256, chain of two).
`;
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));
process.on('exit', () => {
  endAll();
  removeScratch();
});

try {
  process.exitCode = await main();
} catch (error) {
  const remedy = error instanceof Failure && error.remedy !== undefined ? `\n${error.remedy}` : '';
  process.stderr.write(
    `${error instanceof Failure ? error.message : String((error as Error).stack)}${remedy}\n`,
  );
  process.exitCode = error instanceof Failure ? error.exitCode : exitCodes.fault;
}
