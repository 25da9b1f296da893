import { once } from 'node:events';
import { createServer, type ListenOptions, type Server } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { freeIt, ListenError } from '../http/listen-error.ts';
import { portHolder } from '../core/port-holder.ts';

export interface PortClaim {
  readonly host: string;
  readonly port: number;
  /** What holds it, for a successor that is to hold it too (`heldPort`). */
  readonly holder: Server;
  release(): void;
}

/** Workers of a supervisor that was killed need this long to end themselves. */
const orphansMs = 2500;

/**
 * Workers share their port, so a second copy could join in and get half of the traffic. This claims the port
 * for one supervisor: an abstract Unix socket, which lives in the same network namespace as the port and goes
 * with the process, keeps other copies out; a trial bind without sharing keeps out of the way of anybody else.
 * Where workers of ours hold the port at another address (`isOurs`) they share it with their successors, which find out themselves.
 * Throws ListenError that names the holder.
 */
export async function claimPort(host: string, port: number, isOurs: boolean): Promise<PortClaim> {
  const claim = await listen({ path: `\0appliance:${host}:${port}` });
  if (claim instanceof Error) {
    const holder = portHolder(port);
    throw new ListenError(
      host,
      port,
      `another appliance is running there${holder ? `: ${holder}` : ''}`,
      freeIt,
    );
  }
  const giveUpAt = performance.now() + orphansMs;
  for (;;) {
    const trial = await listen({ host, port, exclusive: true });
    if (!(trial instanceof Error)) {
      trial.close();
      await once(trial, 'close');
      return heldPort(host, port, claim);
    }
    const busy = trial.code === 'EADDRINUSE';
    if (busy && isOurs) return heldPort(host, port, claim);
    if (!busy || performance.now() > giveUpAt) {
      claim.close();
      throw ListenError.from(host, port, trial, portHolder(port));
    }
    await wait(100);
  }
}

/**
 * The claim of a supervisor whose place this one takes: the same socket, which is there as long as one of the two holds it. So
 * the successor is let in, and nobody else between the two.
 */
export function heldPort(host: string, port: number, holder: Server): PortClaim {
  holder.unref();
  // anybody on this host may dial it, and each that is left open is a descriptor of ours
  holder.on('connection', (socket) => socket.destroy());
  return { host, port, holder, release: () => holder.close() };
}

function listen(options: ListenOptions): Promise<Server | NodeJS.ErrnoException> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', resolve);
    server.listen(options, () => resolve(server));
  });
}
