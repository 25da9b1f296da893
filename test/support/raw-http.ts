import { connect, type Socket } from 'node:net';

/** What came back on a socket. */
export interface Exchange {
  /** As Latin-1, so that bytes are characters. */
  readonly received: string;
  /** Status codes of the answers, in order; interim ones (1xx) are left out. */
  readonly statuses: readonly number[];
}

/** A connection on which nothing comes is closed by the server too, but only after 10 s and more. */
const closedWithinMs = 8_000;

/**
 * Sends bytes (text as Latin-1) to a port of 127.0.0.1 and collects what comes back until the other side closes.
 * Rejects when it does not: a request that is answered on a connection that stays open needs `Connection: close`.
 */
export function exchange(port: number, bytes: string | Uint8Array): Promise<Exchange> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let received = '';
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`not closed within ${closedWithinMs} ms; received: ${JSON.stringify(received)}`));
    }, closedWithinMs);
    socket.on('data', (chunk) => (received += chunk.toString('latin1')));
    // A reset is a way to close.
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(timer);
      resolve({ received, statuses: statusesIn(received) });
    });
    send(socket, bytes);
  });
}

/** Writes text as Latin-1. */
export function send(socket: Socket, bytes: string | Uint8Array): void {
  socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
}

/** The status codes of all answers in a stream of them, interim ones left out. */
export function statusesIn(stream: string): number[] {
  return [...stream.matchAll(/HTTP\/1\.1 ([2-9]\d\d) /g)].map(([, status]) => Number(status));
}
