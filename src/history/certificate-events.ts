import type { Clock } from '../core/clock.ts';
import type { Database } from '../ports/database.ts';
import type { JsonValue } from '../ports/database-tables.ts';

/** What happened to a certificate. */
export interface CertificateEvent {
  /** `issued`, `failed`, `expiring`, `expired`. */
  readonly event: string;
  /** The first of its names. */
  readonly name: string;
  /** The URL of the authority's directory, or `import`. */
  readonly authority: string;
  /** When the certificate ends, milliseconds since 1970; undefined where there is none. */
  readonly notAfterMs: number | undefined;
  readonly error: string | undefined;
  readonly details: { readonly [key: string]: JsonValue };
}

export interface CertificateEventRecord extends CertificateEvent {
  readonly id: number;
  readonly atMs: number;
}

/** The history of certificates. All reject as the database does. */
export interface CertificateHistory {
  append(event: CertificateEvent): Promise<void>;
  /** The newest first: `limit` of them, of one name or of all, from before the event `beforeId` on. */
  read(page: {
    readonly limit: number;
    readonly name?: string;
    readonly beforeId?: number;
  }): Promise<readonly CertificateEventRecord[]>;
  /** Removes what is older than `beforeMs`; gives how many. */
  prune(beforeMs: number): Promise<number>;
}

export function createCertificateHistory(database: Database, clock: Pick<Clock, 'now'>): CertificateHistory {
  const { queries } = database;
  return {
    async append({ event, name, authority, notAfterMs, error, details }) {
      const row = { at_ms: clock.now(), event, name, authority, not_after_ms: notAfterMs ?? null };
      const rest = { error: error ?? null, details: JSON.stringify(details) };
      await queries
        .insertInto('certificate_events')
        .values({ ...row, ...rest })
        .execute();
    },
    async read({ limit, name, beforeId }) {
      let query = queries.selectFrom('certificate_events').selectAll().orderBy('id', 'desc').limit(limit);
      if (name !== undefined) query = query.where('name', '=', name);
      if (beforeId !== undefined) query = query.where('id', '<', beforeId);
      return (await query.execute()).map(({ at_ms, not_after_ms, error, details, ...same }) => ({
        ...same,
        atMs: at_ms,
        notAfterMs: not_after_ms ?? undefined,
        error: error ?? undefined,
        details: details as CertificateEvent['details'],
      }));
    },
    async prune(beforeMs) {
      const done = await queries
        .deleteFrom('certificate_events')
        .where('at_ms', '<', beforeMs)
        .executeTakeFirst();
      return Number(done.numDeletedRows);
    },
  };
}
