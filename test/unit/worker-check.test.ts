import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { askWorker } from '../../src/supervisor/worker-check.ts';
import { freePort } from '../support/free-port.ts';

async function asked(timeoutMs: number, answer: (socket: Socket) => void): Promise<string> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => {}));
    answer(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    return await askWorker((server.address() as AddressInfo).port, timeoutMs);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}
const record = '{"IP":"8.8.8.8","COUNTRY_NAME":"United States"}\n';

it.each([
  ['answers with a record', 'answers', `HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n${record}`],
  ['answers with an error', 'silent', `HTTP/1.1 500 Internal Server Error\r\n\r\n${record}`],
  ['answers with another record', 'silent', 'HTTP/1.1 200 OK\r\n\r\n{"IP":"1.1.1.1"}\n'],
  ['ends the connection without an answer', 'silent', ''],
])('a worker that %s: %s', async (_what, expected, answer) => {
  expect(await asked(10_000, (socket) => void socket.once('data', () => socket.end(answer)))).toBe(expected);
});

it('a worker that takes the connection and stays silent: silent', async () => {
  expect(await asked(300, () => {})).toBe('silent');
});

it('a port that cannot be reached says nothing of the worker', async () => {
  expect(await askWorker(await freePort(), 10_000)).toBe('unreachable');
});
