import { connect } from 'node:net';
import { until } from './until.ts';

/** What became of the requests of a load. */
export interface Totals {
  answered: number;
  /** Requests on a connection that had been answered before, or whose answer had begun, that got no whole answer; by the PID that had served the connection. */
  cut: { pid: number | undefined; received: string }[];
  /** Connections that were refused. */
  refused: number;
  /** Connections that the kernel had taken but that were reset before any answer began: no worker had seen them. */
  unseen: number;
  /** Answers by the PID of the worker that gave them. */
  byPid: Map<number, number>;
  /** Answers other than 200. */
  bad: string[];
}

export interface Load {
  readonly totals: Totals;
  stop(): Promise<Totals>;
}

const request = 'GET /health/ready HTTP/1.1\r\nHost: localhost\r\n\r\n';

/**
 * Keeps `connections` keep-alive connections busy, one request at a time each, until stopped. Each answer tells
 * the PID of its worker. After a hundred answers, and when it ends, a connection is opened anew, so that new
 * workers get their share.
 */
export function startLoad(port: number, connections: number): Load {
  const totals: Totals = { answered: 0, cut: [], refused: 0, unseen: 0, byPid: new Map(), bad: [] };
  let stopped = false;
  let open = 0;

  const run = (): void => {
    if (stopped) return;
    open++;
    let pid: number | undefined;
    let received = '';
    let outstanding = false;
    let answeredHere = 0;
    let closing = false;
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const send = (): void => {
      if (stopped || closing || answeredHere === 100) return void socket.end();
      outstanding = true;
      socket.write(request);
    };
    socket.on('connect', send);
    socket.on('data', (chunk) => {
      received += String(chunk);
      const end = received.indexOf('\r\n\r\n');
      if (end < 0) return;
      const length = Number(/content-length: (\d+)/i.exec(received)?.[1] ?? 0);
      if (received.length < end + 4 + length) return;
      const answer = received;
      received = '';
      outstanding = false;
      answeredHere++;
      totals.answered++;
      closing = /\r\nconnection: close/i.test(answer);
      pid = Number(/"pid":(\d+)/.exec(answer)?.[1]) || pid;
      if (pid !== undefined) totals.byPid.set(pid, (totals.byPid.get(pid) ?? 0) + 1);
      const draining = answer.includes('503') && answer.includes('draining');
      if (!answer.startsWith('HTTP/1.1 200') && !draining) totals.bad.push(answer);
      send();
    });
    let refused = false;
    socket.on('error', (error: NodeJS.ErrnoException) => {
      refused = error.code === 'ECONNREFUSED';
    });
    socket.on('close', () => {
      open--;
      if (refused) totals.refused++;
      else if (outstanding && answeredHere === 0 && received === '') totals.unseen++;
      else if (outstanding) totals.cut.push({ pid, received });
      setTimeout(run, refused ? 20 : 0);
    });
  };
  for (let index = 0; index < connections; index++) run();
  return {
    totals,
    async stop() {
      stopped = true;
      await until('all connections of the load are closed', () => open === 0, 20_000);
      return totals;
    },
  };
}
