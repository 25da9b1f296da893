import type { QueryCreator, QueryExecutorProvider } from 'kysely';
import type { Failure } from '../core/errors.ts';
import type { DatabaseShape } from './database-shape.ts';
import type { Tables } from './database-tables.ts';

/** Typed queries; `` sql`…`.execute(queries) `` for what they cannot say. */
export type Queries<T = Tables> = QueryCreator<T> & QueryExecutorProvider;

export interface PendingMigration {
  readonly name: string;
  /** The oldest release that can still work on what it leaves, `MAJOR.MINOR.PATCH`. */
  readonly oldestRelease: string;
}

export interface DatabaseState {
  /** `unknown` until it is first asked. */
  readonly status: 'unknown' | 'up' | 'down' | 'closed';
  /** For people: `up`, or what is wrong, since when, and when it is tried again. */
  readonly words: string;
  /** Why it is down, or what it refuses although it is up: it is full, or may only be read. */
  readonly failure: Failure | undefined;
  /** Since when it has had this status; milliseconds since 1970. */
  readonly sinceMs: number;
}

/**
 * The database, PostgreSQL or SQLite, with the same behaviour: docs/adr/0007. Nothing here blocks the loop.
 *
 * Values. An integer is a `number`; one that a number cannot hold exactly is refused (`database-number`), never rounded.
 * Text and JSON hold no NUL. Parameters are null, boolean, number, bigint, string or bytes; JSON is written as text.
 *
 * Failures. All rejections are a `Failure`; `retryable` says whether the same call can succeed later by itself:
 * - `database-down` (away, or the connection broke: what was under way may or may not be done), `database-busy` (all connections
 *   or a lock are taken), `database-timeout`, `database-conflict`, `database-full`: retryable;
 * - `database-password`, `database-missing`, `database-pooler`, `database-rights`, `database-tls`, `database-read-only`,
 *   `database-damaged`, `database-unopenable`, `database-schema-newer`: somebody has to do what the remedy says;
 * - `duplicate-key`, `database-reference`, `database-value`, `database-number`: the data does not fit;
 * - `database-statement`, `database-transaction`, `database-closed`: a fault of the caller.
 */
export interface Database<T = Tables> {
  readonly kind: 'postgres' | 'sqlite';
  /** Each query is a transaction of its own. */
  readonly queries: Queries<T>;
  /**
   * Does all of it or, when `work` rejects or any of its statements failed, nothing. Serializable: what two at once do is what
   * one after the other would. One that lost against another (`database-conflict`) is done again from the start, so
   * `work` must do nothing that lasts outside the database. Only `transaction`'s own queries belong to it.
   */
  transaction<R>(work: (transaction: Queries<T>) => Promise<R>): Promise<R>;
  /** Reads everything as it was at one moment, however long it takes; writing is refused. Others go on meanwhile. */
  snapshot<R>(work: (snapshot: Queries<T>) => Promise<R>): Promise<R>;
  /**
   * Brings the tables to what this release needs; gives the names of what was done. Processes that start at once wait for each
   * other. Rejects with `database-schema-newer` where a newer release left tables that this one cannot work on.
   */
  migrate(): Promise<readonly string[]>;
  /** What `migrate` would do now, without doing any of it. Rejects as that does. */
  pendingMigrations(): Promise<readonly PendingMigration[]>;
  /**
   * What its tables are, as `queries` sees them (those of a snapshot as it saw them). What is in the same database beside the
   * state is not told: the embedded cache, tables of extensions. Rejects with `database-foreign` where somebody added a table or a
   * column that the appliance would not know how to keep, and with `database-schema-newer` as `migrate` does.
   */
  shape(queries?: Queries<T>): Promise<DatabaseShape>;
  /** What is known of it, without asking it. */
  state(): DatabaseState;
  /** Asks it now. Never rejects. */
  probe(): Promise<DatabaseState>;
  /** Ends all connections, within a few seconds. Never rejects; may be called again. */
  close(): Promise<void>;
}
