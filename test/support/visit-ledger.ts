import type { Database } from '../../src/ports/database.ts';
import type { ProbeRequest } from './whoami-probe.ts';

/** Visits in the database, by the address that they came from. */
export type VisitsFound = ReadonlyMap<string, number>;

/** Requests of a quarter of a second, which all come from one address that no others come from. */
interface Tick {
  readonly address: string;
  sent: number;
  answered: number;
  lastAnswerAt: number;
  /** Visits that were counted and then were no longer there, because something older was restored. */
  removed: number;
  /** As many have to be found: undefined where that is all that were answered. */
  floor: number | undefined;
}

/**
 * Knows of every visit that was made, so that the database can be held against it: `APP_KEEP_ADDRESSES` is on, and who asks
 * comes from another address every quarter of a second. Times are those of `performance.now()`.
 */
export interface VisitLedger {
  request(): ProbeRequest;
  /**
   * The service was killed; visits that were younger than two seconds may be lost, and as much older ones as processes were late on
   * this machine, and those from then until now.
   */
  serviceKilled(atMs: number): void;
  /** An archive took the place of what there was before it. */
  restored(before: VisitsFound, archive: VisitsFound): void;
  /** What is missing of those that were answered until then, and what was counted more often than it was sent. */
  judge(
    found: VisitsFound,
    answeredUntilMs: number,
  ): { readonly missing: readonly string[]; readonly surplus: readonly string[] };
  /** Of the visits that kills of the service lost since the last call: how old the oldest was then, milliseconds, without that lateness. */
  oldestLostMs(found: VisitsFound): number;
}

const tickMs = 250;
const mayBeLostMs = 2_000;
const lookMs = 50;
/** The timers of the worker and of the supervisor, and the commit. */
const stepsToDatabase = 3;

/** `octet` keeps the addresses of two ledgers apart. */
export function createVisitLedger(octet: number): VisitLedger {
  const ticks: Tick[] = [];
  const kills: { readonly atMs: number; readonly lateMs: number; readonly ticks: readonly Tick[] }[] = [];
  const late: { readonly atMs: number; readonly ms: number }[] = [];
  let due = performance.now() + lookMs;
  setInterval(() => {
    const atMs = performance.now();
    late.push({ atMs, ms: atMs - due });
    due = atMs + lookMs;
  }, lookMs).unref();
  /** How late all the steps to the database may have been, going by our own timers in the seconds before it. */
  const lateBefore = (killedAt: number): number => {
    const then = late.filter(({ atMs }) => atMs > killedAt - 2 * mayBeLostMs && atMs < killedAt + lookMs);
    return stepsToDatabase * Math.max(0, ...then.map(({ ms }) => ms));
  };
  let endsAt = -Infinity;
  let current: Tick;

  const tick = (): Tick => {
    const now = performance.now();
    if (now < endsAt) return current;
    const number = ticks.length;
    const address = `10.${octet}.${number >> 8}.${number & 255}`;
    current = { address, sent: 0, answered: 0, lastAnswerAt: now, removed: 0, floor: undefined };
    ticks.push(current);
    endsAt = now + tickMs;
    return current;
  };
  const floorOf = ({ floor, answered }: Tick): number => floor ?? answered;

  return {
    request() {
      const of = tick();
      of.sent++;
      return {
        address: of.address,
        answered() {
          of.answered++;
          of.lastAnswerAt = performance.now();
        },
      };
    },
    serviceKilled(atMs) {
      const lateMs = lateBefore(atMs);
      const young = ticks.filter(({ lastAnswerAt }) => lastAnswerAt > atMs - mayBeLostMs - lateMs);
      kills.push({ atMs, lateMs, ticks: young.filter(({ floor }) => floor === undefined) });
      for (const each of young) each.floor ??= 0;
      endsAt = -Infinity;
    },
    restored(before, archive) {
      for (const each of ticks) {
        const kept = archive.get(each.address) ?? 0;
        each.removed += (before.get(each.address) ?? 0) - kept;
        each.floor = kept;
      }
      endsAt = -Infinity;
    },
    judge(found, answeredUntilMs) {
      const now = performance.now();
      const line = (each: Tick) =>
        `${each.address}: ${each.sent} sent, ${each.answered} answered ${Math.round(now - each.lastAnswerAt)} ms ago, ` +
        `${found.get(each.address) ?? 0} found, of at least ${floorOf(each)} and at most ${each.sent - each.removed}`;
      const missing = ticks.filter(
        (each) => each.lastAnswerAt <= answeredUntilMs && (found.get(each.address) ?? 0) < floorOf(each),
      );
      const surplus = ticks.filter((each) => (found.get(each.address) ?? 0) > each.sent - each.removed);
      return { missing: missing.map(line), surplus: surplus.map(line) };
    },
    oldestLostMs(found) {
      const ages = kills
        .splice(0)
        .flatMap(({ atMs, lateMs, ticks: young }) =>
          young
            .filter(({ address, answered }) => (found.get(address) ?? 0) < answered)
            .map(({ lastAnswerAt }) => atMs - lateMs - lastAnswerAt),
        );
      return Math.max(0, ...ages);
    },
  };
}

/** Reads them, all as they were at one moment. Throws where the tables of visits do not agree with each other. */
export async function visitsIn(database: Database): Promise<VisitsFound> {
  const { found, sums } = await database.snapshot(async (queries) => {
    const sumOf = async (table: 'visits' | 'visit_days' | 'operator_days') => {
      const row = await queries
        .selectFrom(table)
        .select(({ fn }) => fn.sum<number | null>('visits').as('visits'))
        .executeTakeFirstOrThrow();
      return row.visits ?? 0;
    };
    const rows = await queries
      .selectFrom('kept_addresses')
      .select(({ fn }) => ['address', fn.sum<number>('visits').as('visits')])
      .groupBy('address')
      .execute();
    return {
      found: new Map(rows.map(({ address, visits }) => [address, visits])),
      sums: [await sumOf('visits'), await sumOf('visit_days'), await sumOf('operator_days')],
    };
  });
  const all = [...found.values()].reduce((sum, visits) => sum + visits, 0);
  if (sums.some((sum) => sum !== all))
    throw new Error(`the addresses have ${all} visits, and the tables of visits ${sums.join(', ')}`);
  return found;
}
