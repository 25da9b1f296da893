import { join } from 'node:path';
import { Failure } from '../../src/core/errors.ts';
import { startPinned } from './pinned-process.ts';

export interface Load {
  readonly origin: string;
  readonly path: string;
  readonly seconds: number;
  readonly core?: number;
  /** A file of client addresses, one a line; each request takes the next one, from line `firstCaller` on. */
  readonly callers?: string;
  readonly firstCaller?: number;
}

export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Open at a time, each used for request after request. */
export const connections = 64;

const script = join(import.meta.dirname, 'wrk.lua');

/** Loads a server with wrk. Throws when a single answer was not 2xx or a connection failed. */
export async function load({ origin, path, seconds, core, callers, firstCaller }: Load): Promise<LoadResult> {
  const url = `${origin}${path}`;
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '-s', script, url];
  const environment = {
    PATH: process.env['PATH'],
    ...(callers === undefined
      ? {}
      : { BENCH_CALLERS: callers, BENCH_FIRST_CALLER: String(firstCaller ?? 0) }),
  };
  const wrk = startPinned('wrk', args, { environment, ...(core === undefined ? {} : { core }) });
  const status = await wrk.ended;
  const line = /^result (\d+) (\d+) (\d+) (\d+) (\d+)$/m.exec(wrk.output());
  if (status !== 0 || line === null) {
    throw new Failure(`wrk ended with ${status}:\n${wrk.output()}`, { code: 'bench-wrk' });
  }
  const [requests, microseconds, failed, p99, max] = line.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
  ];
  if (failed > 0) {
    throw new Failure(`${failed} of ${requests} requests to ${url} failed`, { code: 'bench-wrk' });
  }
  return { requests, seconds: microseconds / 1e6, p99Ms: p99 / 1000, maxMs: max / 1000 };
}
