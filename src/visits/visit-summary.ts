import type { Database, Queries } from '../ports/database.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

export interface VisitSummary {
  readonly visits: number;
  /** All of them, most visits first. Empty: not known. */
  readonly countries: readonly { readonly country: string; readonly visits: number }[];
  /** The `most` with the most visits. 0 and an empty name: not known. */
  readonly operators: readonly { readonly asn: number; readonly name: string; readonly visits: number }[];
  /** 2 for 200 to 299, and so on, in their order. */
  readonly statusClasses: readonly { readonly statusClass: number; readonly visits: number }[];
  /** Days (UTC) with visits, in their order; the first and the last may be parts of one. */
  readonly days: readonly { readonly dayMs: number; readonly visits: number }[];
}

/**
 * Visits from the start of the hour of `fromMs` to before the start of the hour of `toMs` (milliseconds since 1970). Whole
 * days are read from their sums, so that a month with a million rows takes a few thousand; the rest hour by hour. All of it as it
 * was at one moment. Rejects as `Database.snapshot` does.
 */
export async function summarizeVisits(
  database: Database,
  fromMs: number,
  toMs: number,
  most = 50,
): Promise<VisitSummary> {
  const span = spanOf(fromMs, toMs);
  return database.snapshot(async (queries) => {
    const operators = await operatorSums(queries, span, most);
    const names = await namesOf(queries, operators);
    const countries = await countrySums(queries, span);
    const answers = await answerSums(queries, span);
    const days = sums(answers, ({ start_ms }) => Math.floor(start_ms / dayMs) * dayMs);
    return {
      visits: days.reduce((sum, [, visits]) => sum + visits, 0),
      countries: countries.toSorted((a, b) => b.visits - a.visits),
      operators: operators.map(({ asn, visits }) => ({ asn, name: names.get(asn) ?? '', visits })),
      statusClasses: sums(answers, (row) => row.status_class).map(([statusClass, visits]) => ({
        statusClass,
        visits,
      })),
      days: days.map(([dayMs, visits]) => ({ dayMs, visits })),
    };
  });
}

/** Hours from `from` to `to`, of which those from `firstDay` to `lastDay` are whole days. */
interface Span {
  readonly from: number;
  readonly firstDay: number;
  readonly lastDay: number;
  readonly to: number;
}

function spanOf(fromMs: number, toMs: number): Span {
  const [from, to] = [fromMs, toMs].map((ms) => Math.floor(ms / hourMs) * hourMs) as [number, number];
  const firstDay = Math.ceil(from / dayMs) * dayMs;
  const lastDay = Math.floor(to / dayMs) * dayMs;
  // less than a day, or parts of two: no whole day at all
  return firstDay < lastDay ? { from, firstDay, lastDay, to } : { from, firstDay: to, lastDay: to, to };
}

/** By day and hour, and status class. */
async function answerSums(queries: Queries, span: Span) {
  const whole = await wholeDays(queries, span)
    .select(({ fn }) => ['day_ms as start_ms', 'status_class', fn.sum<number>('visits').as('visits')])
    .groupBy(['day_ms', 'status_class'])
    .execute();
  const parts = await hoursBeside(queries, span)
    .select(({ fn }) => ['hour_ms as start_ms', 'status_class', fn.sum<number>('visits').as('visits')])
    .groupBy(['hour_ms', 'status_class'])
    .execute();
  return [...whole, ...parts];
}

async function countrySums(queries: Queries, span: Span) {
  const whole = await wholeDays(queries, span)
    .select(({ fn }) => ['country', fn.sum<number>('visits').as('visits')])
    .groupBy('country')
    .execute();
  const parts = await hoursBeside(queries, span)
    .select(({ fn }) => ['country', fn.sum<number>('visits').as('visits')])
    .groupBy('country')
    .execute();
  return sums([...whole, ...parts], ({ country }) => country).map(([country, visits]) => ({
    country,
    visits,
  }));
}

/** Most visits first, and where there are as many by their numbers. There may be too many to be summed here. */
async function operatorSums(
  queries: Queries,
  span: Span,
  most: number,
): Promise<readonly { asn: number; visits: number }[]> {
  const whole = queries
    .selectFrom('operator_days')
    .select(['asn', 'visits'])
    .where('day_ms', '>=', span.firstDay)
    .where('day_ms', '<', span.lastDay);
  const hasParts = span.from < span.firstDay || span.lastDay < span.to;
  const rows = hasParts ? whole.unionAll(hoursBeside(queries, span).select(['asn', 'visits'])) : whole;
  return queries
    .selectFrom(rows.as('counts'))
    .select(({ fn }) => ['asn', fn.sum<number>('visits').as('visits')])
    .groupBy('asn')
    .orderBy('visits', 'desc')
    .orderBy('asn')
    .limit(most)
    .execute();
}

/** In the order of what they are summed by. */
function sums<Row extends { visits: number }, Key extends number | string>(
  rows: readonly Row[],
  by: (row: Row) => Key,
): readonly (readonly [Key, number])[] {
  const found = new Map<Key, number>();
  for (const row of rows) found.set(by(row), (found.get(by(row)) ?? 0) + row.visits);
  return [...found].toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function wholeDays(queries: Queries, { firstDay, lastDay }: Span) {
  return queries.selectFrom('visit_days').where('day_ms', '>=', firstDay).where('day_ms', '<', lastDay);
}

/** The hours that no whole day covers: at most two parts of a day, or all of a short span. */
function hoursBeside(queries: Queries, { from, firstDay, lastDay, to }: Span) {
  return queries
    .selectFrom('visits')
    .where(({ or, and, eb }) =>
      or([
        and([eb('hour_ms', '>=', from), eb('hour_ms', '<', firstDay)]),
        and([eb('hour_ms', '>=', lastDay), eb('hour_ms', '<', to)]),
      ]),
    );
}

async function namesOf(
  queries: Queries,
  of: readonly { asn: number }[],
): Promise<ReadonlyMap<number, string>> {
  if (of.length === 0) return new Map();
  const asns = of.map(({ asn }) => asn);
  const rows = await queries.selectFrom('network_operators').selectAll().where('asn', 'in', asns).execute();
  return new Map(rows.map(({ asn, name }) => [asn, name]));
}
