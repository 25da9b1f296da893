import type { Database, Queries } from '../ports/database.ts';
import type {
  KeptAddressesTable,
  OperatorDaysTable,
  VisitDaysTable,
  VisitsTable,
} from '../ports/database-tables.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** Rows of one statement: few sizes, so that the statements of a batch are few texts, which a database prepares once. */
const statementSizes = [500, 50, 5, 1];

/** How often somebody of one country and network came in an hour and got an answer of that class. Never an address. */
export interface VisitCount {
  /** Any moment of the hour, milliseconds since 1970. */
  readonly atMs: number;
  /** ISO 3166-1 alpha-2; empty where it is not known. */
  readonly country: string;
  /** 0 where it is not known. */
  readonly asn: number;
  /** The network operator's name; empty where it is not known. */
  readonly operator: string;
  /** 2 for 200 to 299, and so on. */
  readonly statusClass: number;
  readonly visits: number;
}

/** A caller's whole address, where addresses are kept. */
export interface AddressCount {
  /** Any moment of the day, milliseconds since 1970. */
  readonly atMs: number;
  /** In its canonical text. */
  readonly address: string;
  readonly visits: number;
}

/** Who adds, and which of its batches this is: numbers grow. */
export interface BatchMark {
  readonly writer: string;
  readonly number: number;
}

/**
 * Adds them to what is there, all or none, with one upsert for each table. Several processes may do that at once. Rejects as
 * `Database.transaction` does; then the same batch may be added again under its mark, and is added once, even where the first
 * attempt was committed without anybody knowing.
 */
export async function addVisits(
  database: Database,
  batch: readonly VisitCount[],
  { mark, addresses = [] }: { readonly mark?: BatchMark; readonly addresses?: readonly AddressCount[] } = {},
): Promise<void> {
  if (batch.length === 0 && addresses.length === 0) return;
  await database.transaction(async (transaction) => {
    if (mark !== undefined && !(await isNew(transaction, mark))) return;
    // the rows of one table after those of the other: a batch of strangers from all over the world is large
    for (const rows of statementsOf(hoursOf(batch))) await upsertHours(transaction, rows);
    for (const rows of statementsOf(daysOf(batch))) await upsertDays(transaction, rows);
    for (const rows of statementsOf(operatorDaysOf(batch))) await upsertOperatorDays(transaction, rows);
    for (const rows of statementsOf(namesOf(batch))) await upsertNames(transaction, rows);
    for (const rows of statementsOf(keptOf(addresses))) await upsertAddresses(transaction, rows);
  });
}

function hoursOf(batch: readonly VisitCount[]): ReadonlyMap<string, VisitsTable> {
  const rows = new Map<string, VisitsTable>();
  for (const { atMs, country, asn, statusClass: status_class, visits } of batch) {
    const hour_ms = startOf(atMs, hourMs);
    addTo(rows, `${hour_ms} ${country} ${asn} ${status_class}`, {
      hour_ms,
      country,
      asn,
      status_class,
      visits,
    });
  }
  return rows;
}

function daysOf(batch: readonly VisitCount[]): ReadonlyMap<string, VisitDaysTable> {
  const rows = new Map<string, VisitDaysTable>();
  for (const { atMs, country, statusClass: status_class, visits } of batch) {
    const day_ms = startOf(atMs, dayMs);
    addTo(rows, `${day_ms} ${country} ${status_class}`, { day_ms, country, status_class, visits });
  }
  return rows;
}

function operatorDaysOf(batch: readonly VisitCount[]): ReadonlyMap<string, OperatorDaysTable> {
  const rows = new Map<string, OperatorDaysTable>();
  for (const { atMs, asn, visits } of batch) {
    const day_ms = startOf(atMs, dayMs);
    addTo(rows, `${day_ms} ${asn}`, { day_ms, asn, visits });
  }
  return rows;
}

/** The last that was told of each. */
function namesOf(batch: readonly VisitCount[]): ReadonlyMap<string, { asn: number; name: string }> {
  return new Map(
    batch
      .filter(({ operator }) => operator !== '')
      .map(({ asn, operator: name }) => [String(asn), { asn, name }] as const),
  );
}

function keptOf(addresses: readonly AddressCount[]): ReadonlyMap<string, KeptAddressesTable> {
  const rows = new Map<string, KeptAddressesTable>();
  for (const { atMs, address, visits } of addresses) {
    const day_ms = startOf(atMs, dayMs);
    addTo(rows, `${day_ms} ${address}`, { day_ms, address, visits, last_seen_ms: atMs });
  }
  return rows;
}

/** Writes a row that means nothing, to see whether that is possible. Rejects as queries of the database do. */
export async function tryWriting({ queries }: Database): Promise<void> {
  await queries
    .insertInto('visit_writers')
    .values({ writer: 'trial', batch: 0, at_ms: Date.now() })
    .onConflict((conflict) =>
      conflict.column('writer').doUpdateSet((set) => ({ at_ms: set.ref('excluded.at_ms') })),
    )
    .execute();
}

/** Marks the batch as added; false where it was added before. */
async function isNew(queries: Queries, { writer, number }: BatchMark): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await queries
    .insertInto('visit_writers')
    .values({ writer, batch: number, at_ms: Date.now() })
    .onConflict((conflict) =>
      conflict
        .column('writer')
        .doUpdateSet((set) => ({ batch: set.ref('excluded.batch'), at_ms: set.ref('excluded.at_ms') }))
        .whereRef('visit_writers.batch', '<', 'excluded.batch'),
    )
    .executeTakeFirstOrThrow();
  return numInsertedOrUpdatedRows === 1n;
}

async function upsertHours(queries: Queries, rows: readonly VisitsTable[]): Promise<void> {
  await queries
    .insertInto('visits')
    .values(rows)
    .onConflict((conflict) =>
      conflict
        .columns(['hour_ms', 'country', 'asn', 'status_class'])
        .doUpdateSet((set) => ({ visits: set('visits.visits', '+', set.ref('excluded.visits')) })),
    )
    .execute();
}

async function upsertDays(queries: Queries, rows: readonly VisitDaysTable[]): Promise<void> {
  await queries
    .insertInto('visit_days')
    .values(rows)
    .onConflict((conflict) =>
      conflict
        .columns(['day_ms', 'country', 'status_class'])
        .doUpdateSet((set) => ({ visits: set('visit_days.visits', '+', set.ref('excluded.visits')) })),
    )
    .execute();
}

async function upsertOperatorDays(queries: Queries, rows: readonly OperatorDaysTable[]): Promise<void> {
  await queries
    .insertInto('operator_days')
    .values(rows)
    .onConflict((conflict) =>
      conflict
        .columns(['day_ms', 'asn'])
        .doUpdateSet((set) => ({ visits: set('operator_days.visits', '+', set.ref('excluded.visits')) })),
    )
    .execute();
}

async function upsertAddresses(queries: Queries, rows: readonly KeptAddressesTable[]): Promise<void> {
  await queries
    .insertInto('kept_addresses')
    .values(rows)
    .onConflict((conflict) =>
      conflict.columns(['day_ms', 'address']).doUpdateSet((set) => ({
        visits: set('kept_addresses.visits', '+', set.ref('excluded.visits')),
        last_seen_ms: set.ref('excluded.last_seen_ms'),
      })),
    )
    .execute();
}

/** An operator may have a new name with the next edition of the GeoIP database. */
async function upsertNames(queries: Queries, rows: readonly { asn: number; name: string }[]): Promise<void> {
  await queries
    .insertInto('network_operators')
    .values(rows)
    .onConflict((conflict) =>
      conflict
        .column('asn')
        .doUpdateSet((set) => ({ name: set.ref('excluded.name') }))
        .whereRef('network_operators.name', '!=', 'excluded.name'),
    )
    .execute();
}

function addTo<Row extends { visits: number }>(rows: Map<string, Row>, key: string, row: Row): void {
  const known = rows.get(key);
  if (known === undefined) rows.set(key, row);
  else known.visits += row.visits;
}

/** The rows of each statement. All who write at once go through them in one order, so that none waits for another in a ring. */
function* statementsOf<Row>(rows: ReadonlyMap<string, Row>): Generator<readonly Row[]> {
  const sorted = [...rows.keys()].toSorted().map((key) => rows.get(key)!);
  let at = 0;
  for (const size of statementSizes) {
    for (; sorted.length - at >= size; at += size) yield sorted.slice(at, at + size);
  }
}

function startOf(ms: number, unitMs: number): number {
  return Math.floor(ms / unitMs) * unitMs;
}
