import { type Clock, systemClock } from '../core/clock.ts';
import { reasonOf } from '../core/errors.ts';
import type { Database } from '../ports/database.ts';
import type { Logger } from '../ports/logger.ts';
import { type CertificateEvent, createCertificateHistory } from './certificate-events.ts';

/** Writes what happens to certificates into their history, later where the database is away. */
export interface CertificateRecorder {
  record(event: CertificateEvent): void;
  /** Where to write from now on; undefined: nowhere until told again. */
  use(database: Database | undefined): void;
}

const maxWaiting = 1000;
const retryAfterMs = 5000;

export function createCertificateRecorder(log: Logger, clock: Clock = systemClock): CertificateRecorder {
  const waiting: { readonly event: CertificateEvent; readonly atMs: number }[] = [];
  let database: Database | undefined;
  let writing = false;

  const write = async (): Promise<void> => {
    if (writing) return;
    writing = true;
    try {
      for (let next = waiting[0]; next !== undefined && database !== undefined; next = waiting[0]) {
        const { event, atMs } = next;
        await createCertificateHistory(database, { now: () => atMs }).append(event);
        waiting.shift();
      }
    } catch (error) {
      log.debug({ reason: reasonOf(error) }, 'the history of certificates waits for the database');
      setTimeout(() => void write(), retryAfterMs).unref();
    } finally {
      writing = false;
    }
  };

  return {
    record(event) {
      if (waiting.length >= maxWaiting) waiting.shift();
      waiting.push({ event, atMs: clock.now() });
      void write();
    },
    use(next) {
      database = next;
      void write();
    },
  };
}
