import { createAuditLog } from '../admin/audit-log.ts';
import { systemClock } from '../core/clock.ts';
import { createCertificateHistory } from '../history/certificate-events.ts';
import type { Database } from '../ports/database.ts';
import { pruneVisits } from '../visits/pruning.ts';

/** What happened, and who did what, stays for two years. */
const historyStaysMs = 2 * 366 * 24 * 3_600_000;

const mostAuditEntries = 1_000_000;

/** Deletes what is kept no longer; nothing for its age where nobody is sure of the time. Rejects as the database does. */
export async function prune(
  database: Database,
  knownMs: number | undefined,
  keepAddressesDays: number | undefined,
): Promise<void> {
  // by the oldest of clocks nothing is old
  const nowMs = knownMs ?? 0;
  await pruneVisits(database, nowMs, keepAddressesDays);
  await createCertificateHistory(database, systemClock).prune(nowMs - historyStaysMs);
  await createAuditLog(database, systemClock).prune({
    beforeMs: nowMs - historyStaysMs,
    keep: mostAuditEntries,
  });
}
