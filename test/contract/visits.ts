import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '../../src/ports/database.ts';
import { pruneVisits } from '../../src/visits/pruning.ts';
import { addVisits, tryWriting, type VisitCount } from '../../src/visits/visit-counts.ts';
import { summarizeVisits } from '../../src/visits/visit-summary.ts';
import { prune } from '../../src/wire/prune.ts';
import { type DatabasePlace, openDatabase } from '../support/open-database.ts';
import { randomNumbers } from '../support/random-numbers.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const start = Date.UTC(2026, 10, 1);

/** What counting visits has to do on every database. */
export function visitsContract(name: string, makeDatabase: () => Promise<DatabasePlace>): void {
  describe(`visits in ${name}`, () => {
    let place: DatabasePlace;
    let database: Database;
    const opened: Database[] = [];
    const open = (): Database => {
      const one = openDatabase(place);
      opened.push(one);
      return one;
    };
    beforeEach(async () => {
      place = await makeDatabase();
      database = open();
      await database.migrate();
    });
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((each) => each.close()));
    });
    const visit = (change: Partial<VisitCount> = {}): VisitCount => ({
      atMs: start,
      country: 'DE',
      asn: 64_496,
      operator: 'Example',
      statusClass: 2,
      visits: 1,
      ...change,
    });

    it('are nothing at first', async () => {
      await addVisits(database, []);
      expect(await summarizeVisits(database, start, start + dayMs)).toEqual({
        visits: 0,
        countries: [],
        operators: [],
        statusClasses: [],
        days: [],
      });
    });

    it('are added to those of the same hour, in one batch and in the next', async () => {
      const batch = [visit(), visit({ atMs: start + hourMs - 1, visits: 2 }), visit({ statusClass: 4 })];
      await addVisits(database, batch);
      await addVisits(database, [
        visit({ visits: 10 }),
        visit({ atMs: start + hourMs, country: '', asn: 0, operator: '' }),
      ]);
      expect(
        await database.queries
          .selectFrom('visits')
          .selectAll()
          .orderBy('hour_ms')
          .orderBy('status_class')
          .execute(),
      ).toEqual([
        { hour_ms: start, country: 'DE', asn: 64_496, status_class: 2, visits: 13 },
        { hour_ms: start, country: 'DE', asn: 64_496, status_class: 4, visits: 1 },
        { hour_ms: start + hourMs, country: '', asn: 0, status_class: 2, visits: 1 },
      ]);
      expect(await summarizeVisits(database, start, start + dayMs)).toEqual({
        visits: 15,
        countries: [
          { country: 'DE', visits: 14 },
          { country: '', visits: 1 },
        ],
        operators: [
          { asn: 64_496, name: 'Example', visits: 14 },
          { asn: 0, name: '', visits: 1 },
        ],
        statusClasses: [
          { statusClass: 2, visits: 14 },
          { statusClass: 4, visits: 1 },
        ],
        days: [{ dayMs: start, visits: 15 }],
      });
    });

    it('show an operator by its newest name', async () => {
      await addVisits(database, [visit(), visit({ operator: 'Example, Inc.' })]);
      await addVisits(database, [visit({ operator: 'O’Example "Ltd"' }), visit({ operator: '' })]);
      const { operators } = await summarizeVisits(database, start, start + dayMs);
      expect(operators).toEqual([{ asn: 64_496, name: 'O’Example "Ltd"', visits: 4 }]);
    });

    it('are summed for any span as if each hour were counted by hand', async () => {
      const next = randomNumbers(7);
      const pick = (below: number) => Math.floor(next() * below);
      const all = Array.from({ length: 6_000 }, () =>
        visit({
          atMs: start + pick(5 * dayMs),
          country: ['DE', 'FR', 'US', ''][pick(4)]!,
          asn: 64_496 + pick(300),
          operator: '',
          statusClass: 2 + pick(4),
          visits: 1 + pick(9),
        }),
      );
      await addVisits(database, all);
      const spans = [
        [0, 5 * dayMs],
        [dayMs, 2 * dayMs],
        [3 * hourMs, 4 * hourMs],
        [dayMs - hourMs, dayMs + hourMs],
        [dayMs - hourMs, 2 * dayMs],
        [hourMs / 2, 3 * dayMs + hourMs / 2],
        [2 * dayMs, dayMs],
      ];
      for (const [from, to] of [...spans, ...spans.map(() => [pick(2 * dayMs), pick(5 * dayMs)])]) {
        const [fromMs, toMs] = [start + from!, start + to!];
        const hourOf = (ms: number) => Math.floor(ms / hourMs);
        const counted = all.filter(
          ({ atMs }) => hourOf(atMs) >= hourOf(fromMs) && hourOf(atMs) < hourOf(toMs),
        );
        const by = <K>(key: (each: VisitCount) => K) => {
          const sums = new Map<K, number>();
          for (const each of counted) sums.set(key(each), (sums.get(key(each)) ?? 0) + each.visits);
          return sums;
        };
        const summary = await summarizeVisits(database, fromMs, toMs, 5);
        expect(summary.visits).toBe(counted.reduce((sum, { visits }) => sum + visits, 0));
        expect(new Map(summary.countries.map((each) => [each.country, each.visits]))).toEqual(
          by(({ country }) => country),
        );
        expect(new Map(summary.statusClasses.map((each) => [each.statusClass, each.visits]))).toEqual(
          by(({ statusClass }) => statusClass),
        );
        expect(new Map(summary.days.map((each) => [each.dayMs, each.visits]))).toEqual(
          by(({ atMs }) => Math.floor(atMs / dayMs) * dayMs),
        );
        const operators = [...by(({ asn }) => asn)]
          .toSorted((a, b) => b[1] - a[1] || a[0] - b[0])
          .slice(0, 5);
        expect(summary.operators.map(({ asn, visits }) => [asn, visits])).toEqual(operators);
      }
    });

    const marked = (number: number, writer = 'a') => ({ mark: { writer, number } });
    const addresses = (address: string, visits: number, atMs = start) => [{ atMs, address, visits }];
    const keptAddresses = () =>
      database.queries.selectFrom('kept_addresses').selectAll().orderBy('day_ms').orderBy('visits').execute();

    it('are added once under their mark, however often they are told', async () => {
      for (let again = 0; again < 3; again++)
        await addVisits(database, [visit({ visits: 5 })], {
          ...marked(1),
          addresses: addresses('192.0.2.1', 5),
        });
      await addVisits(database, [visit({ visits: 7 })], marked(2));
      // one that was overtaken has been added as well
      await addVisits(database, [visit({ visits: 5 })], marked(1));
      await addVisits(database, [visit({ visits: 100 })], marked(1, 'another'));
      const { visits } = await summarizeVisits(database, start, start + dayMs);
      expect(visits).toBe(112);
      expect(await keptAddresses()).toMatchObject([{ visits: 5 }]);
    });

    it('leave no mark where they could not be added', async () => {
      const bad = addVisits(database, [visit()], { ...marked(1), addresses: addresses('no address', 1) });
      await expect(bad).rejects.toMatchObject({ code: 'database-value', retryable: false });
      await addVisits(database, [visit()], marked(1));
      expect((await summarizeVisits(database, start, start + dayMs)).visits).toBe(1);
    });

    it('keep addresses of a day with how often and when each was seen last', async () => {
      await addVisits(database, [], { addresses: addresses('2001:db8::1', 2) });
      await addVisits(database, [visit()], { addresses: addresses('2001:db8::1', 3, start + hourMs) });
      await addVisits(database, [visit()], {
        addresses: [...addresses('192.0.2.1', 9), ...addresses('192.0.2.1', 1, start + dayMs)],
      });
      expect(await keptAddresses()).toEqual([
        { day_ms: start, address: '2001:db8::1', visits: 5, last_seen_ms: start + hourMs },
        { day_ms: start, address: '192.0.2.1', visits: 9, last_seen_ms: start },
        { day_ms: start + dayMs, address: '192.0.2.1', visits: 1, last_seen_ms: start + dayMs },
      ]);
    });

    it('lose addresses after as many days as they are kept, and all at once where they are not', async () => {
      const now = start + 10 * dayMs + 5 * hourMs;
      const daysLeft = async () => (await keptAddresses()).map(({ day_ms }) => (day_ms - start) / dayMs);
      for (let day = 0; day <= 10; day++)
        await addVisits(database, [visit()], { addresses: addresses('192.0.2.1', 1, start + day * dayMs) });
      await pruneVisits(database, now, 11);
      expect(await daysLeft()).toHaveLength(11);
      await pruneVisits(database, now, 2);
      expect(await daysLeft()).toEqual([9, 10]);
      await pruneVisits(database, now, 1);
      expect(await daysLeft()).toEqual([10]);
      // a clock that was ahead leaves days to come
      await addVisits(database, [], { addresses: addresses('192.0.2.1', 1, now + 50 * dayMs) });
      await pruneVisits(database, now, undefined);
      expect(await daysLeft()).toEqual([]);
      expect((await summarizeVisits(database, start, start + dayMs)).visits).toBe(11);
    });

    it('lose nothing for its age while nobody is sure of the time, but addresses where they are not kept', async () => {
      await addVisits(database, [visit()], { addresses: addresses('192.0.2.1', 1) });
      await prune(database, undefined, 1);
      expect(await keptAddresses()).toHaveLength(1);
      await prune(database, undefined, undefined);
      expect(await keptAddresses()).toEqual([]);
      expect(await database.queries.selectFrom('visits').select('hour_ms').execute()).toHaveLength(1);
    });

    it('lose addresses that are more than go in one go', async () => {
      const many = Array.from({ length: 21_000 }, (_, index) => ({
        atMs: start + (index % 2) * dayMs,
        address: `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`,
        visits: 1,
      }));
      await addVisits(database, [], { addresses: many });
      await pruneVisits(database, start + dayMs, 1);
      expect(await keptAddresses()).toHaveLength(10_500);
      await pruneVisits(database, start + dayMs, undefined);
      expect(await keptAddresses()).toEqual([]);
    });

    it('lose their hours after 400 days, and their days never', async () => {
      const now = start + 400 * dayMs + 3 * hourMs;
      for (const atMs of [start, start + 2 * hourMs, start + 3 * hourMs, now])
        await addVisits(database, [visit({ atMs })]);
      await pruneVisits(database, now, undefined);
      const hours = await database.queries
        .selectFrom('visits')
        .select('hour_ms')
        .orderBy('hour_ms')
        .execute();
      expect(hours).toEqual([{ hour_ms: start + 3 * hourMs }, { hour_ms: now }]);
      const days = await database.queries.selectFrom('visit_days').select(['day_ms', 'visits']).execute();
      expect(days).toContainEqual({ day_ms: start, visits: 3 });
    });

    it('are known by who wrote them for as long as the same might be told again', async () => {
      await tryWriting(database);
      await tryWriting(database);
      await addVisits(database, [visit()], marked(1));
      const writers = async () =>
        (await database.queries.selectFrom('visit_writers').select('writer').execute()).length;
      await pruneVisits(database, Date.now(), undefined);
      expect(await writers()).toBe(2);
      await pruneVisits(database, Date.now() + 91 * dayMs, undefined);
      expect(await writers()).toBe(0);
    });

    it('are all there when several processes add at once', async () => {
      const processes = [database, open(), open()];
      const batch = Array.from({ length: 40 }, (_, asn) => visit({ asn }));
      const flush = async (at: number): Promise<void> => {
        for (let again = 0; again < 8; again++)
          await addVisits(processes[at]!, at === 1 ? batch.toReversed() : batch);
      };
      await Promise.all([0, 1, 2].map(flush));
      const { visits, operators } = await summarizeVisits(database, start, start + dayMs);
      expect(visits).toBe(3 * 8 * 40);
      expect(operators.every((each) => each.visits === 24)).toBe(true);
    });
  });
}
