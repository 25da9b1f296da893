import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { Failure } from '../../src/core/errors.ts';
import type { Database } from '../../src/ports/database.ts';
import type { VisitBatch } from '../../src/ports/visit-batch.ts';
import { createVisitBuffer, type VisitBuffer } from '../../src/visits/visit-buffer.ts';
import { countedVisits } from '../support/counted-visits.ts';
import { logLines } from '../support/log-lines.ts';
import { openDatabase } from '../support/open-database.ts';
import { until } from '../support/until.ts';

const atMs = Date.UTC(2026, 10, 1, 12);
const hourMs = 3_600_000;
const down = new Failure('it is away', { code: 'database-down', retryable: true });

const batch = (
  visits: VisitBatch['visits'],
  addresses: VisitBatch['addresses'] = [],
  at = atMs,
): VisitBatch => ({
  atMs: at,
  visits,
  addresses,
});
const one = (country: string, asn: number, visits = 1) =>
  [country, asn, `Operator ${asn}`, 2, visits] as const;

let folder: string;
let database: Database;
let log: ReturnType<typeof logLines>;
let buffer: VisitBuffer;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'visit-buffer-'));
  database = openDatabase({ kind: 'sqlite', file: join(folder, 'state.sqlite') });
  await database.migrate();
  log = logLines();
  buffer = createVisitBuffer({ log, maxWaiting: 100 });
});
afterEach(async () => {
  buffer.use(undefined);
  await database.close();
  rmSync(folder, { recursive: true });
});

/** The real database, whose transactions end as told. */
function troubled(instead: (real: () => Promise<unknown>) => Promise<unknown>): Database {
  return {
    ...database,
    transaction: ((work) => instead(() => database.transaction(work))) as Database['transaction'],
  };
}

describe('visits on their way to the database', () => {
  it('wait until there is one, and are written by themselves', async () => {
    buffer.add(batch([one('DE', 1), one('DE', 1, 2), one('FR', 2)], [['192.0.2.1', 4]]));
    expect(await buffer.flush()).toBe(false);
    expect(buffer.state()).toEqual({ waiting: 4, written: 0, blurred: 0 });
    buffer.use(database);
    await until('them to be written', () => buffer.state().written === 4);
    buffer.add(batch([one('DE', 1)]));
    await until('the next', () => buffer.state().written === 5, 2_000);
    expect(await countedVisits(database)).toMatchObject({
      countries: { DE: 4, FR: 1 },
      operators: { 1: 4, 2: 1 },
      addresses: { '192.0.2.1': 4 },
    });
    expect(buffer.state().waiting).toBe(0);
    expect(log.lines).toEqual([]);
  });

  it('are added once where the database did it and nobody saw', async () => {
    let blind = 3;
    buffer.use(
      troubled(async (real) => {
        const done = await real();
        if (blind-- > 0) throw down;
        return done;
      }),
    );
    buffer.add(batch([one('DE', 1, 7)], [['192.0.2.1', 7]]));
    expect(await buffer.flush()).toBe(false);
    expect((await countedVisits(database)).total).toBe(7);
    expect(buffer.failure()).toBe(down);
    buffer.add(batch([one('DE', 1, 5)]));
    for (let again = 0; again < 2; again++) expect(await buffer.flush()).toBe(false);
    expect(await buffer.flush()).toBe(true);
    expect(await countedVisits(database)).toMatchObject({ total: 12, addresses: { '192.0.2.1': 7 } });
    expect(buffer.state()).toEqual({ waiting: 0, written: 12, blurred: 0 });
    expect(buffer.failure()).toBeUndefined();
    // told at the beginning and at the end
    expect(log.lines).toHaveLength(2);
  });

  it('are added once where the other database is the first to answer', async () => {
    const slow = Promise.withResolvers<undefined>();
    buffer.use(troubled(() => slow.promise));
    buffer.add(batch([one('DE', 1)]));
    const first = buffer.flush();
    buffer.use(database);
    buffer.add(batch([one('DE', 1)]));
    slow.reject(down);
    expect(await first).toBe(true);
    expect((await countedVisits(database)).total).toBe(2);
    // what was wrong with the one before is no longer of interest
    expect(buffer.failure()).toBeUndefined();
    expect(log.lines).toEqual([]);
  });

  it('are tried again by themselves', async () => {
    let failures = 2;
    buffer.use(troubled((real) => (failures-- > 0 ? Promise.reject(down) : real())));
    buffer.add(batch([one('DE', 1)]));
    await until('them to be written', () => buffer.state().written === 1, 5_000);
    expect((await countedVisits(database)).total).toBe(1);
  });

  it('are one batch however slow the database is', async () => {
    let transactions = 0;
    const slow = Promise.withResolvers<undefined>();
    buffer.use(
      troubled(async (real) => {
        transactions += 1;
        await slow.promise;
        return real();
      }),
    );
    buffer.add(batch([one('DE', 1)]));
    const flushed = [buffer.flush()];
    for (let index = 0; index < 50; index++) {
      buffer.add(batch([one('FR', index)]));
      flushed.push(buffer.flush());
    }
    expect(buffer.state().waiting).toBe(51);
    slow.resolve(undefined);
    expect(new Set(await Promise.all(flushed))).toEqual(new Set([true]));
    expect(transactions).toBe(2);
    expect((await countedVisits(database)).total).toBe(51);
  });

  it('that are too many lose country and operator, and none is lost', async () => {
    for (let index = 0; index < 1_000; index++) {
      const address = `192.0.2.${index % 256}`;
      buffer.add(batch([one('DE', index, 2)], [[address, 2]], atMs + (index % 2) * hourMs));
    }
    // a known one still is counted as it is
    buffer.add(batch([one('DE', 0, 5)]));
    expect(buffer.state()).toEqual({ waiting: 2_005, written: 0, blurred: 1_800 });
    buffer.use(database);
    expect(await buffer.flush()).toBe(true);
    const { total, countries, operators, addresses } = await countedVisits(database);
    expect(total).toBe(2_005);
    expect(countries).toEqual({ '': 1_800, DE: 205 });
    expect(operators).toMatchObject({ 0: 1_807, 99: 2 });
    expect(Object.keys(addresses)).toHaveLength(100);
  });

  it('of a moment that is none count now', async () => {
    buffer = createVisitBuffer({ log, clock: { ...systemClock, now: () => atMs } });
    buffer.use(database);
    buffer.add(batch([one('DE', 1)], [], Number.NaN));
    await buffer.flush();
    expect(await database.queries.selectFrom('visits').select('hour_ms').execute()).toEqual([
      { hour_ms: atMs },
    ]);
  });

  it('that the database refuses for what is in them keep no others waiting, and count all the same', async () => {
    buffer.use(database);
    buffer.add(batch([one('DE', 1, 3)], [['no address', 3]]));
    expect(await buffer.flush()).toBe(true);
    buffer.add(batch([one('DE', 1)]));
    expect(await buffer.flush()).toBe(true);
    expect(await countedVisits(database)).toMatchObject({ countries: { '': 3, DE: 1 }, addresses: {} });
    expect(buffer.state()).toEqual({ waiting: 0, written: 4, blurred: 3 });
    expect(log.lines).toEqual([expect.stringMatching(/^error: the database refuses visits as they are/)]);
  });

  it('forget their addresses as soon as those are not kept, and take no more', async () => {
    buffer.use(troubled(() => Promise.reject(down)));
    buffer.add(batch([one('DE', 1)], [['192.0.2.1', 1]]));
    await buffer.flush();
    buffer.add(batch([one('DE', 1)], [['192.0.2.2', 1]]));
    buffer.keepAddresses(false);
    buffer.add(batch([one('DE', 1)], [['192.0.2.3', 1]]));
    buffer.use(database);
    await buffer.flush();
    expect(await countedVisits(database)).toMatchObject({ total: 3, addresses: {} });
  });
});
