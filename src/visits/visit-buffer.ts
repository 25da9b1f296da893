import { randomUUID } from 'node:crypto';
import { type Clock, systemClock } from '../core/clock.ts';
import { Failure, reasonOf } from '../core/errors.ts';
import type { Database } from '../ports/database.ts';
import type { Logger } from '../ports/logger.ts';
import type { VisitBatch } from '../ports/visit-batch.ts';
import { addVisits, type AddressCount, type BatchMark, type VisitCount } from './visit-counts.ts';

export interface VisitBufferState {
  /** Visits that are not in the database yet. */
  readonly waiting: number;
  /** Visits that were written since the start. */
  readonly written: number;
  /** Visits whose country and network operator were let go, because too much waited or the database refused them. */
  readonly blurred: number;
}

/**
 * Holds visits between the workers and the database, for as long as that is away. What it takes of memory is bounded: when it is
 * full, further visits are still counted by hour and status, but no longer by country and operator, nor are further addresses kept.
 */
export interface VisitBuffer {
  add(batch: VisitBatch): void;
  /** Where to write from now on; undefined: nowhere until told again. */
  use(database: Database | undefined): void;
  /** Whether addresses are kept from now on; if not, those that wait are forgotten. */
  keepAddresses(wanted: boolean): void;
  /** Writes what waits. Never rejects; says whether nothing waits any longer. */
  flush(): Promise<boolean>;
  state(): VisitBufferState;
  /** Why what waits could not be written when that was last tried. */
  failure(): Failure | undefined;
}

export interface VisitBufferOptions {
  readonly log: Logger;
  readonly clock?: Clock;
  /** How many different counts, and as many addresses, may wait. */
  readonly maxWaiting?: number;
}

/** Workers tell once a second; with this a crash loses less than two seconds. */
const writeAfterMs = 400;
const retryAfterMs = 1000;

interface Waiting {
  readonly visits: Map<string, VisitCount>;
  readonly addresses: Map<string, AddressCount>;
  count: number;
}

const nothing = (): Waiting => ({ visits: new Map(), addresses: new Map(), count: 0 });

export function createVisitBuffer(options: VisitBufferOptions): VisitBuffer {
  const { log, clock = systemClock, maxWaiting = 50_000 } = options;
  const writer = randomUUID();
  let waiting = nothing();
  /** Under way, or failed: it is written again as it is, under its own mark, before anything else. */
  let sealed: { readonly batch: Waiting; readonly mark: BatchMark; readonly isBlurred?: boolean } | undefined;
  let number = 0;
  let database: Database | undefined;
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<boolean> | undefined;
  let written = 0;
  let blurred = 0;
  let failure: Failure | undefined;
  let addressesWanted = true;

  const writeOne = async (into: Database): Promise<void> => {
    if (sealed === undefined) {
      sealed = { batch: waiting, mark: { writer, number: ++number } };
      waiting = nothing();
    }
    const { batch, mark } = sealed;
    await addVisits(into, [...batch.visits.values()], { mark, addresses: [...batch.addresses.values()] });
    written += batch.count;
    sealed = undefined;
  };
  const isEmpty = (): boolean => sealed === undefined && waiting.count === 0;

  const writeAll = async (): Promise<boolean> => {
    while (database !== undefined && !isEmpty()) {
      const into = database;
      try {
        await writeOne(into);
        if (failure !== undefined) log.info({}, 'visits are written to the database again');
        failure = undefined;
      } catch (error) {
        const met = failureOf(error);
        // one that is refused for what is in it would keep all others waiting for ever
        if (met.code === 'database-value' && blurSealed(met)) continue;
        if (into !== database) continue;
        if (failure === undefined) log.warn({ reason: met.message }, 'visits wait for the database');
        failure = met;
        later(retryAfterMs);
        return false;
      }
    }
    return isEmpty();
  };
  const flush = (): Promise<boolean> => {
    clearTimeout(timer);
    timer = undefined;
    writing ??= writeAll().finally(() => (writing = undefined));
    return writing;
  };
  const later = (ms: number): void => {
    if (database !== undefined) timer ??= setTimeout(() => void flush(), ms).unref();
  };

  /** Leaves of what is sealed its hours and statuses. False where that is all that it is. */
  const blurSealed = (why: Failure): boolean => {
    if (sealed === undefined || sealed.isBlurred === true) return false;
    const { batch, mark } = sealed;
    const visits = new Map<string, VisitCount>();
    for (const count of batch.visits.values()) addBlurred(visits, count);
    blurred += batch.count;
    sealed = { batch: { visits, addresses: new Map(), count: batch.count }, mark, isBlurred: true };
    log.error(
      { reason: why.message, visits: batch.count },
      'the database refuses visits as they are: they are counted without country and operator',
    );
    return true;
  };
  const addTo = <Count extends { readonly visits: number }>(
    counts: Map<string, Count>,
    key: string,
    count: Count,
  ): boolean => {
    const known = counts.get(key);
    if (known === undefined && counts.size >= maxWaiting) return false;
    counts.set(key, known === undefined ? count : { ...known, visits: known.visits + count.visits });
    return true;
  };

  return {
    add(batch) {
      const atMs = Number.isFinite(batch.atMs) ? batch.atMs : clock.now();
      for (const [country, asn, operator, statusClass, visits] of batch.visits) {
        waiting.count += visits;
        const count = { atMs, country, asn, operator, statusClass, visits };
        if (addTo(waiting.visits, keyOf(count), count)) continue;
        blurred += visits;
        addBlurred(waiting.visits, count);
      }
      for (const [address, visits] of addressesWanted ? batch.addresses : []) {
        addTo(waiting.addresses, `${Math.floor(atMs / dayMs)} ${address}`, { atMs, address, visits });
      }
      later(writeAfterMs);
    },
    use(next) {
      if (next !== database) failure = undefined;
      database = next;
      clearTimeout(timer);
      timer = undefined;
      if (!isEmpty()) later(0);
    },
    keepAddresses(wanted) {
      addressesWanted = wanted;
      if (wanted) return;
      waiting.addresses.clear();
      sealed?.batch.addresses.clear();
    },
    flush,
    state: () => ({ waiting: waiting.count + (sealed?.batch.count ?? 0), written, blurred }),
    failure: () => failure,
  };
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

function keyOf({ atMs, country, asn, statusClass }: Omit<VisitCount, 'visits' | 'operator'>): string {
  return `${Math.floor(atMs / hourMs)} ${country} ${asn} ${statusClass}`;
}

function addBlurred(counts: Map<string, VisitCount>, count: VisitCount): void {
  const blank = { ...count, country: '', asn: 0, operator: '', visits: 0 };
  const key = keyOf(blank);
  const known = counts.get(key) ?? blank;
  counts.set(key, { ...known, visits: known.visits + count.visits });
}

function failureOf(error: unknown): Failure {
  return error instanceof Failure ? error : new Failure(reasonOf(error), { code: 'fault', cause: error });
}
