import type { Database } from '../ports/database.ts';

/** A GeoIP database that was in use. */
export interface GeoipEdition {
  /** `GeoLite2-City`, `DBIP-City-Lite`, … */
  readonly edition: string;
  /** When its maker built it, and when it came here; milliseconds since 1970. */
  readonly builtMs: number;
  readonly fetchedMs: number;
  /** Where it came from: an address, a file, or `built in`. */
  readonly source: string;
  readonly sizeBytes: number;
  readonly sha256: Uint8Array;
}

/** The editions that were in use. All reject as the database does. */
export interface GeoipHistory {
  /** Records an edition the first time it is seen; true then. */
  record(edition: GeoipEdition): Promise<boolean>;
  /** All of them, the newest first. */
  list(): Promise<readonly GeoipEdition[]>;
}

export function createGeoipHistory({ queries }: Database): GeoipHistory {
  return {
    async record({ edition, builtMs, fetchedMs, source, sizeBytes, sha256 }) {
      const row = {
        edition,
        built_ms: builtMs,
        fetched_ms: fetchedMs,
        source,
        size_bytes: sizeBytes,
        sha256,
      };
      const done = await queries
        .insertInto('geoip_editions')
        .values(row)
        .onConflict((conflict) => conflict.columns(['edition', 'built_ms']).doNothing())
        .executeTakeFirst();
      return done.numInsertedOrUpdatedRows === 1n;
    },
    async list() {
      const rows = await queries
        .selectFrom('geoip_editions')
        .selectAll()
        .orderBy('built_ms', 'desc')
        .orderBy('edition')
        .execute();
      return rows.map(({ edition, built_ms, fetched_ms, source, size_bytes, sha256 }) => ({
        edition,
        builtMs: built_ms,
        fetchedMs: fetched_ms,
        source,
        sizeBytes: size_bytes,
        sha256,
      }));
    },
  };
}
