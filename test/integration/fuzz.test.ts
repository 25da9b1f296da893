import { connect } from 'node:net';
import { expect, it } from 'vitest';
import { startAppliance, type Appliance } from '../support/appliance.ts';
import { madeUpRequests } from '../support/made-up-requests.ts';
import { randomNumbers } from '../support/random-numbers.ts';
import { exchange, send, statusesIn } from '../support/raw-http.ts';

const seed = Number(process.env['FUZZ_SEED'] ?? 20_261_122);
const cases = Number(process.env['FUZZ_CASES'] ?? 100_000);
/** The last request of a connection may be anything: the server may have to close after it. */
const perConnection = 10;
const connectionsAtOnce = 32;
/** What a request that has no end waits for an answer. */
const patienceMs = 50;

for (const header of ['x-forwarded-for', 'forwarded'] as const) {
  it(`made-up requests get answers below 500 from workers that live on (${header})`, async () => {
    const appliance = await startAppliance({
      environment: { APP_WORKERS: '2', APP_CLIENT_ADDRESS_HEADER: header },
    });
    const workers = appliance.workers();
    try {
      const connections = cases / 2 / perConnection;
      let next = 0;
      await Promise.all(
        Array.from({ length: connectionsAtOnce }, async () => {
          while (next < connections) await oneConnection(appliance, next++);
        }),
      );
      for (let count = 0; count < 8; count++) {
        const plain = await exchange(
          appliance.port,
          'GET /ip?ip=9.9.9.9 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
        );
        expect(plain.statuses).toEqual([200]);
        expect(plain.received).toMatch(/\r\n\r\n9\.9\.9\.9\n$/);
      }
      expect(appliance.workers()).toEqual(workers);
      expect(appliance.log()).not.toMatch(/worker ended|a request failed/);
    } finally {
      await appliance.stop();
    }
  });
}

/** Sends requests that follow from the seed and `number` on one connection, and looks at the answers. */
async function oneConnection(appliance: Appliance, number: number): Promise<void> {
  const requests = madeUpRequests(randomNumbers(seed + number));
  const readable = Array.from({ length: perConnection - 1 }, requests.readable);
  const wild = requests.wild();
  let received = '';
  let unanswered = readable;
  // A server may close with requests of a pipeline unanswered; they are to be sent again (RFC 9112 §9.3.2). This
  // one does so when an answer before them is larger than what the client has taken in yet.
  for (let progress = true; progress;) {
    const last = unanswered.length === 0;
    const answers = await sendAll(appliance, last ? [wild] : unanswered, last ? patienceMs : 10_000);
    received += answers;
    const count = statusesIn(answers).length;
    unanswered = unanswered.slice(count);
    progress = !last && count > 0;
  }

  const good = unanswered.length === 0 && statusesIn(received).every((status) => status < 500);
  if (good) return;
  const sent = JSON.stringify([...readable, wild], undefined, 1);
  throw new Error(
    `with FUZZ_SEED=${seed}, connection ${number}: sent ${sent}, got ${JSON.stringify(received)}`,
  );
}

/** Sends requests at once on a new connection; gives what came back until all were answered, it was closed, or time is up. */
async function sendAll(
  appliance: Appliance,
  requests: readonly string[],
  timeoutMs: number,
): Promise<string> {
  const socket = connect(appliance.port, '127.0.0.1');
  let received = '';
  const over = Promise.withResolvers<void>();
  const timer = setTimeout(over.resolve, timeoutMs);
  socket.on('error', () => {});
  socket.on('close', () => over.resolve());
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1');
    if (statusesIn(received).length >= requests.length) over.resolve();
  });
  socket.on('connect', () => send(socket, requests.join('')));
  await over.promise;
  clearTimeout(timer);
  socket.destroy();
  return received;
}
