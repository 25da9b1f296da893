import { sql } from 'kysely';
import type { Database } from '../../src/ports/database.ts';

/** What a database has of visits, in all of its tables. */
export interface CountedVisits {
  readonly total: number;
  /** Sums by country, by network operator and by status class. */
  readonly countries: Readonly<Record<string, number>>;
  readonly operators: Readonly<Record<string, number>>;
  readonly classes: Readonly<Record<string, number>>;
  /** Addresses and how often each was seen. */
  readonly addresses: Readonly<Record<string, number>>;
}

/** Throws where the sums of days are others than those of hours. */
export async function countedVisits(database: Database): Promise<CountedVisits> {
  return database.snapshot(async (queries) => {
    const by = async (query: string): Promise<Record<string, number>> => {
      const { rows } = await sql.raw<{ of: string | number; visits: number }>(query).execute(queries);
      return Object.fromEntries(rows.map(({ of, visits }) => [String(of), visits]));
    };
    const sums = (column: string, table: string) =>
      by(`select ${column} as "of", sum(visits) as visits from ${table} group by 1 order by 1`);
    const countries = await sums('country', 'visits');
    const operators = await sums('asn', 'visits');
    const classes = await sums('status_class', 'visits');
    for (const [column, table, expected] of [
      ['country', 'visit_days', countries],
      ['status_class', 'visit_days', classes],
      ['asn', 'operator_days', operators],
    ] as const) {
      const found = JSON.stringify(await sums(column, table));
      if (found !== JSON.stringify(expected))
        throw new Error(`${table} has ${found}, but visits ${JSON.stringify(expected)}`);
    }
    const total = Object.values(countries).reduce((sum, visits) => sum + visits, 0);
    return { total, countries, operators, classes, addresses: await sums('address', 'kept_addresses') };
  });
}
