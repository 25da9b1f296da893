import { connect, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { reasonOf } from '../../src/core/errors.ts';

/** A request that is about to be sent. */
export interface ProbeRequest {
  /** Whom it comes from: what `X-Forwarded-For` says, and what whoami has to answer. */
  readonly address: string;
  /** Called once it was answered as it should be. */
  answered(): void;
}

export interface ProbeTotals {
  asked: number;
  /** What was wrong with those that were not answered as they should be, while nothing kept the service from it. */
  readonly failed: string[];
  /** The longest that an answer took, milliseconds. */
  slowestMs: number;
  /** Requests that were under way while there was no service, which `asked` counts too. */
  readonly gap: { asked: number; failed: number };
}

/** Asks whoami all the time, over connections that stay open and over new ones. */
export interface Probe {
  readonly totals: ProbeTotals;
  /** From now on there is no service, until what it gives is called. */
  gap(): () => void;
  /** Asks no more; resolves when the last was answered. */
  stop(): Promise<void>;
}

const keptOpen = { lanes: 3, pauseMs: 15 };
const madeNew = { lanes: 2, pauseMs: 40 };
const timeoutMs = 10_000;

/** `next` gives each request. */
export function startProbe(port: number, next: () => ProbeRequest): Probe {
  const totals: ProbeTotals = { asked: 0, failed: [], slowestMs: 0, gap: { asked: 0, failed: 0 } };
  let gap = { from: -Infinity, to: -Infinity };
  let stopped = false;

  const one = async (socket: Socket, request: ProbeRequest): Promise<boolean> => {
    const from = performance.now();
    const isInGap = (): boolean => from <= gap.to && performance.now() >= gap.from;
    totals.asked++;
    try {
      const answer = await ask(socket, request.address);
      request.answered();
      if (isInGap()) totals.gap.asked++;
      else totals.slowestMs = Math.max(totals.slowestMs, performance.now() - from);
      return answer.staysOpen;
    } catch (error) {
      if (isInGap()) {
        totals.gap.asked++;
        totals.gap.failed++;
      } else totals.failed.push(`${new Date().toISOString()} ${reasonOf(error)}`);
      return false;
    }
  };
  const lane = async (staysOpen: boolean, pauseMs: number): Promise<void> => {
    let socket: Socket | undefined;
    while (!stopped) {
      if (socket === undefined || socket.destroyed || socket.readableEnded) socket = open(port);
      if (!(await one(socket, next())) || !staysOpen) {
        socket.destroy();
        socket = undefined;
      }
      await wait(pauseMs);
    }
    socket?.destroy();
  };
  const lanes = [
    ...Array.from({ length: keptOpen.lanes }, () => lane(true, keptOpen.pauseMs)),
    ...Array.from({ length: madeNew.lanes }, () => lane(false, madeNew.pauseMs)),
  ];
  return {
    totals,
    gap() {
      gap = { from: performance.now(), to: Infinity };
      return () => void (gap = { ...gap, to: performance.now() });
    },
    async stop() {
      stopped = true;
      await Promise.all(lanes);
    },
  };
}

function open(port: number): Socket {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  // whoever asks listens too; between two requests nobody does
  socket.on('error', () => undefined);
  return socket;
}

/** Rejects unless the whole answer comes, with 200 and the address. */
function ask(socket: Socket, address: string): Promise<{ readonly staysOpen: boolean }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ staysOpen: boolean }>();
  let received = '';
  const broken = (why: string) => reject(new Error(`${why} after ${received.length} bytes of the answer`));
  const onData = (chunk: Buffer): void => {
    received += chunk.toString();
    const head = received.indexOf('\r\n\r\n');
    const length = Number(/content-length: (\d+)/i.exec(received)?.[1] ?? 0);
    if (head < 0 || received.length < head + 4 + length) return;
    if (!received.startsWith('HTTP/1.1 200 ') || !received.includes(`"IP":"${address}"`))
      return reject(new Error(`answered ${received}`));
    resolve({ staysOpen: !/\r\nconnection: close/i.test(received) });
  };
  const onError = (error: Error) => broken(error.message);
  const onEnd = () => broken('closed');
  const timer = setTimeout(() => broken(`nothing for ${timeoutMs} ms,`), timeoutMs);
  socket.on('data', onData).on('error', onError).on('close', onEnd).on('end', onEnd);
  socket.write(`GET /whoami HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: ${address}\r\n\r\n`);
  return promise.finally(() => {
    clearTimeout(timer);
    socket.off('data', onData).off('error', onError).off('close', onEnd).off('end', onEnd);
  });
}
