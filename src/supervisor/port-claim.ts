import { once } from 'node:events';
import { createServer, type ListenOptions, type Server } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { freeIt, ListenError } from '../http/listen-error.ts';
import { portHolder } from './port-holder.ts';

export interface PortClaim {
  readonly host: string;
  readonly port: number;
  release(): void;
}

/** Workers of a supervisor that was killed need this long to end themselves. */
const orphansMs = 2500;

/**
 * Workers share their port, so a second copy could join in and get half of the traffic. This claims the port
 * for one supervisor: an abstract Unix socket, which lives in the same network namespace as the port and goes
 * with the process, keeps other copies out; a trial bind without sharing keeps out of the way of anybody else.
 * Throws ListenError that names the holder.
 */
export async function claimPort(host: string, port: number): Promise<PortClaim> {
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
  claim.unref();
  const giveUpAt = performance.now() + orphansMs;
  for (;;) {
    const trial = await listen({ host, port, exclusive: true });
    if (!(trial instanceof Error)) {
      trial.close();
      await once(trial, 'close');
      return { host, port, release: () => claim.close() };
    }
    const busy = trial.code === 'EADDRINUSE';
    if (!busy || performance.now() > giveUpAt) {
      claim.close();
      throw ListenError.from(host, port, trial, portHolder(port));
    }
    await wait(100);
  }
}

function listen(options: ListenOptions): Promise<Server | NodeJS.ErrnoException> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', resolve);
    server.listen(options, () => resolve(server));
  });
}
