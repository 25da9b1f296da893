import { Stopped } from './supervisor.ts';

/** The whole service, as signals act on it. */
export interface Service {
  /** Throws a Failure when it cannot be started, with nothing left running. */
  start(): Promise<void>;
  /** Takes over a changed configuration; when that fails says why and changes nothing. */
  reload(): Promise<void>;
  /** Lets open requests finish and ends. Called again, it ends at once. */
  stop(): Promise<void>;
  /** Resolves when it has ended by itself, having handed over to another process. */
  readonly left: Promise<void>;
}

/**
 * Runs the service for the life of this process: SIGHUP reloads, SIGTERM and SIGINT let open requests finish,
 * a second one ends at once. Resolves when everything has ended; throws what kept it from starting.
 */
export async function runUntilStopped(service: Service, ready: () => void): Promise<void> {
  const stopped = Promise.withResolvers<void>();
  let stopAsked = false;
  const stop = (): void => {
    const first = !stopAsked;
    stopAsked = true;
    const stopping = service.stop();
    if (first) stopping.then(stopped.resolve, stopped.reject);
  };
  service.left.then(stopped.resolve, stopped.reject);
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.on('SIGHUP', () => void service.reload());
  try {
    await service.start();
    ready();
  } catch (error) {
    if (!(error instanceof Stopped) && !stopAsked) throw error;
  }
  await stopped.promise;
}
