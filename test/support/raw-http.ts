import { connect, type Socket } from 'node:net';

/** What came back on a socket. */
export interface Exchange {
  /** As Latin-1, so that bytes are characters. */
  readonly received: string;
  /** Status codes of the answers, in order; interim ones (1xx) are left out. */
  readonly statuses: readonly number[];
  /** Whether the other side closed the connection. */
  readonly closed: boolean;
}

/**
 * Sends bytes (text as Latin-1) to a port of 127.0.0.1 and collects what comes back until the other side closes,
 * or until nothing more came for `quietMs`.
 */
export function exchange(port: number, bytes: string | Uint8Array, quietMs = 400): Promise<Exchange> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let received = '';
    let timer = setTimeout(settle, quietMs + 2000, false);
    function settle(closed: boolean): void {
      clearTimeout(timer);
      socket.destroy();
      resolve({ received, statuses: statusesIn(received), closed });
    }
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
      clearTimeout(timer);
      timer = setTimeout(settle, quietMs, false);
    });
    // A reset is a way to close.
    socket.on('error', () => {});
    socket.on('close', () => settle(true));
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
