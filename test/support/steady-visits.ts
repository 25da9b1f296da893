import { Agent, request } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';

/** Visitors that ask for whoami one after the other, all the time. */
export interface SteadyVisits {
  /** How many were answered as they should be, and so have to be counted, so far. */
  answered(): number;
  /** Requests on a new connection that the kernel reset before any answer began: no worker had seen them. */
  unseen(): number;
  /** What else came of requests, in words. */
  readonly failures: readonly string[];
  /** Milliseconds that answers took since the last call: how many, median and 99th percentile. */
  took(): { readonly answers: number; readonly p50: number; readonly p99: number };
  /** Waits for the last answers. */
  stop(): Promise<void>;
}

/** Addresses of several countries and network operators; the proxy in front is us. */
const visitors = ['8.8.8.8', '1.1.1.1', '9.9.9.9', '2606:4700:4700::1111', '194.25.0.60', '212.27.40.240'];

export interface SteadyOptions {
  /** Milliseconds between an answer and the next request of one visitor. */
  readonly pauseMs?: number;
  /** The address of the nth request. */
  readonly addressOf?: (index: number) => string;
}

/** Four visitors, each over a connection of its own. */
export function startSteadyVisits(port: number, options: SteadyOptions = {}): SteadyVisits {
  const { pauseMs = 15, addressOf = (index: number) => visitors[index % visitors.length]! } = options;
  const failures: string[] = [];
  let times: number[] = [];
  let answered = 0;
  let unseen = 0;
  let asked = 0;
  let stopped = false;

  const ask = (agent: Agent): Promise<void> =>
    new Promise((resolve) => {
      const since = performance.now();
      const fail = (why: string): void => {
        failures.push(why);
        resolve();
      };
      const headers = { 'x-forwarded-for': addressOf(asked++) };
      const sent = request({ agent, host: '127.0.0.1', port, path: '/whoami', headers }, (response) => {
        let body = '';
        response.on('data', (chunk) => (body += String(chunk)));
        response.once('error', (error) => fail(error.message));
        response.once('end', () => {
          if (response.statusCode !== 200 || !body.includes('"IP"'))
            return fail(`${response.statusCode} ${body}`);
          answered += 1;
          times.push(performance.now() - since);
          resolve();
        });
      });
      sent.setTimeout(5_000, () => sent.destroy(new Error('no answer for 5 s')));
      sent.once('error', (error: NodeJS.ErrnoException) => {
        // a worker that drains closes its listener, and with it what the kernel had just taken for it
        const reset = error.code === 'ECONNRESET' && error.message !== 'socket hang up';
        if (!reset || sent.reusedSocket || sent.socket?.bytesRead !== 0) return fail(error.message);
        unseen += 1;
        resolve();
      });
      sent.end();
    });
  const visit = async (): Promise<void> => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (!stopped) {
      await ask(agent);
      await wait(pauseMs);
    }
    agent.destroy();
  };
  const all = Promise.all(Array.from({ length: 4 }, visit));

  return {
    answered: () => answered,
    unseen: () => unseen,
    failures,
    took() {
      const sorted = times.toSorted((a, b) => a - b);
      times = [];
      const at = (part: number) => sorted[Math.floor(sorted.length * part)] ?? 0;
      return { answers: sorted.length, p50: at(0.5), p99: at(0.99) };
    },
    async stop() {
      stopped = true;
      await all;
    },
  };
}
