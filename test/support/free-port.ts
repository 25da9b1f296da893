import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type ListenOptions, type Server } from 'node:net';

/** Below what the kernel gives to outgoing connections and to whoever listens on port 0 (ip_local_port_range, from 32768 on). */
const lowest = 20_000;
const count = 12_000;
let next = randomInt(count);

/**
 * A TCP port of 127.0.0.1 that nobody listens on, and that is given to nobody else while this process lives: whoever gets one
 * starts a server that listens on it later. An abstract Unix socket keeps it from other processes until then.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = lowest + (next++ % count);
    const claim = await listen({ path: `\0appliance-test-port:${port}` });
    if (claim === undefined) continue;
    const trial = await listen({ host: '127.0.0.1', port, exclusive: true });
    if (trial === undefined) {
      claim.close();
      continue;
    }
    trial.close();
    await once(trial, 'close');
    claim.unref();
    return port;
  }
}

function listen(options: ListenOptions): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(options, () => resolve(server));
  });
}
