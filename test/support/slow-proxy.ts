import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { until } from './until.ts';

/** A way to a TCP server that can be made slow, or broken, while it is in use. */
export interface SlowProxy {
  readonly port: number;
  /** How long each answer is kept back from now on, milliseconds. */
  delayMs: number;
  /** Connections that were made so far. */
  connections(): number;
  /** Breaks all connections; new ones are taken. */
  cut(): void;
  stop(): Promise<void>;
}

export async function startSlowProxy(target: number): Promise<SlowProxy> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((near) => {
    connections += 1;
    const far = connect(target, '127.0.0.1');
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.once('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    near.pipe(far);
    far.on('data', (chunk) => {
      if (proxy.delayMs === 0) near.write(chunk);
      else setTimeout(() => near.write(chunk), proxy.delayMs);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const proxy: SlowProxy = {
    port: (server.address() as AddressInfo).port,
    delayMs: 0,
    connections: () => connections,
    cut,
    async stop() {
      server.close();
      cut();
      await once(server, 'close');
    },
  };
  return proxy;
}

/** How often it is dialled in three seconds, or as long as it takes until it is, and how long that was. */
export async function dialsOf(
  proxy: SlowProxy,
): Promise<{ readonly dials: number; readonly spanMs: number }> {
  const before = proxy.connections();
  const since = performance.now();
  await wait(3_000);
  await until('it to be dialled', () => proxy.connections() > before);
  return { dials: proxy.connections() - before, spanMs: performance.now() - since };
}
