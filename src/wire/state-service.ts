import { setTimeout as wait } from 'node:timers/promises';
import type { Config } from '../config/schema.ts';
import { createClockWatch } from '../core/clock-watch.ts';
import { Failure, reasonOf } from '../core/errors.ts';
import type { CertificateEvent } from '../history/certificate-events.ts';
import { createCertificateRecorder } from '../history/certificate-recorder.ts';
import type { Database } from '../ports/database.ts';
import type { Logger } from '../ports/logger.ts';
import type { VisitBatch } from '../ports/visit-batch.ts';
import type { ServiceState } from '../supervisor/control-messages.ts';
import type { EditionInUse } from '../supervisor/messages.ts';
import { createStateKeeper, type StateKeeper } from '../supervisor/state-keeper.ts';
import { createVisitBuffer } from '../visits/visit-buffer.ts';
import { tryWriting } from '../visits/visit-counts.ts';
import { recordEditions } from './geoip-history.ts';
import { prune } from './prune.ts';

export interface StateServiceOptions {
  readonly log: Logger;
  /** The GeoIP databases that the workers answer from. */
  editions(): readonly EditionInUse[];
  /** False while another process does, or is about to. */
  mayPrune(): boolean;
  /** Told in words what is missing though answers go on, each time that this changes. */
  onDegraded(missing: readonly string[]): void;
  /** How long the start waits for both, milliseconds. */
  readonly startWithinMs?: number;
  /** How long the end waits until the last visits are written, milliseconds. */
  readonly lastWriteWithinMs?: number;
}

/** Database and cache of the running service, and what goes into them by itself. What waits for them outlives a reload. */
export interface StateService {
  /**
   * Opens what the configuration names, in place of what is open. Rejects with `database-schema-newer` where this release
   * must not run on it; where the database takes longer to say so, `onNewer` is told.
   */
  start(config: Config, onNewer: (failure: Failure) => void): Promise<void>;
  /** Closes them; what comes meanwhile waits. */
  stop(): Promise<void>;
  /** Writes what waits, once what is being opened is open, for a few seconds at most. */
  flush(): Promise<void>;
  addVisits(batch: VisitBatch): void;
  recordCertificate(event: CertificateEvent): void;
  /** Undefined while there are none. */
  status(): ServiceState | undefined;
}

export function createStateService(options: StateServiceOptions): StateService {
  const { log, editions, onDegraded, startWithinMs, lastWriteWithinMs = 3000 } = options;
  const visits = createVisitBuffer({ log });
  const certificates = createCertificateRecorder(log);
  const isClockBelieved = createClockWatch();
  let keeper: StateKeeper | undefined;
  let starting: Promise<void> | undefined;
  let stopped = false;

  const use = (database: Database | undefined): void => {
    visits.use(database);
    certificates.use(database);
    if (database === undefined) return;
    recordEditions(database, editions()).catch((error: unknown) =>
      log.warn({ reason: reasonOf(error) }, 'the GeoIP databases in use are not recorded'),
    );
  };
  const open = async (config: Config, onNewer: (failure: Failure) => void): Promise<StateKeeper> => {
    const { openCache, openDatabase } = await import('./state.ts');
    const { keepAddressesDays } = config;
    visits.keepAddresses(keepAddressesDays !== undefined);
    const database = await openDatabase(config);
    return createStateKeeper({
      database,
      cache: await openCache(config, log),
      log,
      onDegraded,
      onDatabase: (ready) => use(ready ? database : undefined),
      writeFailure: visits.failure,
      tryWriting: () => tryWriting(database),
      onNewer,
      startWithinMs,
      prune: async () => {
        if (options.mayPrune())
          await prune(database, isClockBelieved() ? Date.now() : undefined, keepAddressesDays);
      },
    });
  };

  const close = async (): Promise<void> => {
    const before = keeper;
    keeper = undefined;
    use(undefined);
    await before?.stop();
  };
  const reopen = async (config: Config, onNewer: (failure: Failure) => void): Promise<void> => {
    try {
      await close();
      const opened = await open(config, onNewer);
      if (stopped) return await opened.stop();
      keeper = opened;
      await opened.start();
    } catch (error) {
      if (error instanceof Failure && error.code === 'database-schema-newer') throw error;
      const remedy = error instanceof Failure ? error.remedy : undefined;
      log.error({ reason: reasonOf(error), remedy }, 'visits wait, and nobody can sign in');
      if (keeper === undefined) onDegraded(['the database and the cache cannot be used']);
    }
  };
  const writeWaiting = async (): Promise<void> => {
    if (visits.state().waiting > 0) await starting?.catch(() => {});
    await visits.flush();
  };

  return {
    addVisits: visits.add,
    recordCertificate: certificates.record,
    start(config, onNewer) {
      stopped = false;
      return (starting = reopen(config, onNewer));
    },
    async stop() {
      stopped = true;
      await close();
    },
    async flush() {
      await Promise.race([writeWaiting(), wait(lastWriteWithinMs, undefined, { ref: false })]);
      const { waiting } = visits.state();
      if (waiting > 0) log.warn({ visits: waiting }, 'visits that waited for the database are lost');
    },
    status: () => keeper && { ...keeper.status(), visits: visits.state() },
  };
}
