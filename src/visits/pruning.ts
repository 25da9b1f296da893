import type { Database } from '../ports/database.ts';

const dayMs = 24 * 3_600_000;
/** Hours stay that long, to compare with a year ago; sums of days stay for good. */
const hoursStayMs = 400 * dayMs;
const writersStayMs = 90 * dayMs;
/** Deleted in one go, so that nobody waits long for the lock. */
const atOnce = 10_000;

/**
 * Deletes what is kept no longer: hours of visits after 400 days, addresses of callers after `keepAddressesDays` (today is one of
 * them), all of them where that is undefined. A little at a time. Rejects as `Database.queries` do; what was deleted until
 * then stays so.
 */
export async function pruneVisits(
  database: Database,
  nowMs: number,
  keepAddressesDays: number | undefined,
): Promise<void> {
  const today = Math.floor(nowMs / dayMs) * dayMs;
  const { queries } = database;
  const addressesFrom =
    keepAddressesDays === undefined ? Number.MAX_SAFE_INTEGER : today - (keepAddressesDays - 1) * dayMs;
  await untilFew(() => {
    const oldest = queries
      .selectFrom('kept_addresses')
      .select(['day_ms', 'address'])
      .where('day_ms', '<', addressesFrom)
      .orderBy('day_ms')
      .limit(atOnce);
    return queries
      .deleteFrom('kept_addresses')
      .where(({ eb, refTuple }) =>
        eb(refTuple('day_ms', 'address'), 'in', oldest.$asTuple('day_ms', 'address')),
      )
      .executeTakeFirst();
  });
  await untilFew(() => {
    const oldest = queries
      .selectFrom('visits')
      .select(['hour_ms', 'country', 'asn', 'status_class'])
      .where('hour_ms', '<', nowMs - hoursStayMs)
      .orderBy('hour_ms')
      .limit(atOnce);
    return queries
      .deleteFrom('visits')
      .where(({ eb, refTuple }) =>
        eb(
          refTuple('hour_ms', 'country', 'asn', 'status_class'),
          'in',
          oldest.$asTuple('hour_ms', 'country', 'asn', 'status_class'),
        ),
      )
      .executeTakeFirst();
  });
  await queries
    .deleteFrom('visit_writers')
    .where('at_ms', '<', nowMs - writersStayMs)
    .execute();
}

async function untilFew(deleteSome: () => Promise<{ readonly numDeletedRows: bigint }>): Promise<void> {
  while ((await deleteSome()).numDeletedRows === BigInt(atOnce));
}
