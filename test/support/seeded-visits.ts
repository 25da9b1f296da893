import { sql } from 'kysely';
import type { Database } from '../../src/ports/database.ts';
import { randomNumbers } from './random-numbers.ts';

const hourMs = 3_600_000;
const operators = 20_000;
const rowsOfOneStatement = 6_000;

/**
 * Fills an empty database with `count` rows of visits, spread evenly over the hours from `fromMs` to `toMs`: few operators have
 * most of them, and 20,000 have some. The same for the same seed.
 */
export async function seedVisits(
  database: Database,
  { count, fromMs, toMs, seed = 1 }: { count: number; fromMs: number; toMs: number; seed?: number },
): Promise<void> {
  const next = randomNumbers(seed);
  const hours = (toMs - fromMs) / hourMs;
  let rows: { hour_ms: number; country: string; asn: number; status_class: number; visits: number }[] = [];
  const write = async (): Promise<void> => {
    if (rows.length > 0) await database.queries.insertInto('visits').values(rows).execute();
    rows = [];
  };
  for (let hour = 0; hour < hours; hour++) {
    const wanted = Math.floor(((hour + 1) * count) / hours) - Math.floor((hour * count) / hours);
    const keys = new Set<string>();
    while (keys.size < wanted) {
      const asn = Math.floor(operators ** next());
      const country = String.fromCharCode(65 + (asn % 20), 65 + Math.floor(next() * 10));
      const status_class = [2, 2, 2, 3, 4, 5][Math.floor(next() * 6)]!;
      const key = `${country} ${asn} ${status_class}`;
      if (keys.has(key)) continue;
      keys.add(key);
      rows.push({
        hour_ms: fromMs + hour * hourMs,
        country,
        asn,
        status_class,
        visits: 1 + Math.floor(next() * 100),
      });
      if (rows.length === rowsOfOneStatement) await write();
    }
  }
  await write();
  await sql`
    insert into visit_days (day_ms, country, status_class, visits)
    select hour_ms - hour_ms % 86400000, country, status_class, sum(visits) from visits group by 1, 2, 3
  `.execute(database.queries);
  await sql`
    insert into operator_days (day_ms, asn, visits)
    select hour_ms - hour_ms % 86400000, asn, sum(visits) from visits group by 1, 2
  `.execute(database.queries);
  await sql`insert into network_operators select asn, 'Operator ' || asn from visits group by asn`.execute(
    database.queries,
  );
  await sql`analyze`.execute(database.queries);
}
