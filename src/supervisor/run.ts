import type { Settings, Supervisor } from './supervisor.ts';
import { Stopped } from './supervisor.ts';

/**
 * Runs the supervisor for the life of this process: SIGHUP reloads, SIGTERM and SIGINT let open requests finish,
 * a second one ends at once. Resolves when everything has ended; throws what kept it from starting.
 */
export async function runUntilStopped(
  supervisor: Supervisor,
  ready: (settings: Settings) => void,
): Promise<void> {
  const stopped = Promise.withResolvers<void>();
  let stopAsked = false;
  const stop = (): void => {
    const first = !stopAsked;
    stopAsked = true;
    const stopping = supervisor.stop();
    if (first) stopping.then(stopped.resolve, stopped.reject);
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.on('SIGHUP', () => void supervisor.reload());
  try {
    ready(await supervisor.start());
  } catch (error) {
    if (!(error instanceof Stopped) && !stopAsked) throw error;
  }
  await stopped.promise;
}
