import { reasonOf } from '../../src/core/errors.ts';
import { visit, type VisitOptions } from './tls-visit.ts';

/** What became of one connection; times by `performance.now()`. */
export interface NewConnection {
  readonly startedAt: number;
  /** Empty where it failed. */
  readonly serial: string;
  /** Why it did not get its whole answer, or what was wrong with that or with the certificate. */
  readonly fault: string | undefined;
}

export interface Flood {
  readonly made: readonly NewConnection[];
  /** Starts no more, and resolves when the last has ended. */
  stop(): Promise<void>;
}

/**
 * Opens connection after connection, `perSecond` of them whether or not those before have ended, asks each for whoami
 * once, and holds its certificate against the root as a browser would.
 */
export function floodOfConnections(target: VisitOptions, perSecond: number): Flood {
  const made: NewConnection[] = [];
  const open = new Set<Promise<void>>();
  const one = async (): Promise<void> => {
    const startedAt = performance.now();
    try {
      const seen = await visit(target);
      const fault = !seen.trusted
        ? seen.distrust
        : seen.status !== 200 || !seen.body.includes('"IP":"127.0.0.1"')
          ? `answered ${seen.status}: ${seen.body}`
          : undefined;
      made.push({ startedAt, serial: seen.serial, fault });
    } catch (error) {
      made.push({ startedAt, serial: '', fault: reasonOf(error) });
    }
  };
  const timer = setInterval(() => {
    const connection = one().finally(() => open.delete(connection));
    open.add(connection);
  }, 1000 / perSecond);
  return {
    made,
    async stop() {
      clearInterval(timer);
      await Promise.all(open);
    },
  };
}
