import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

/** The kernel gives a port that was closed again at will: whoever starts five servers must not get one twice. */
const given = new Set<number>();

/** A TCP port of 127.0.0.1 that nobody listened on a moment ago, and that was not given to anybody in this process before. */
export async function freePort(): Promise<number> {
  for (;;) {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    if (given.has(port)) continue;
    given.add(port);
    return port;
  }
}
