import type { Database } from './database.ts';
import type { TableShape } from './database-shape.ts';

/**
 * Makes databases that nobody else looks at, of the kind of the real one and in its place: what proves an archive there proves
 * that it can be restored. One at a time on a host, by whoever holds the lock for it.
 */
export interface ScratchDatabases {
  /**
   * An empty one with the tables that those migrations leave; what killed runs left is removed first. Rejects with the Failures of
   * the database.
   */
  create(migrations: readonly string[]): Promise<ScratchDatabase>;
  /** Those that this release knows, in their order. */
  readonly migrations: readonly string[];
}

/** What a database takes for a column; JSON is its text. */
export type CellValue = null | boolean | number | bigint | string | Uint8Array;

export interface ScratchDatabase {
  readonly database: Database;
  /** Adds rows, their values in the order of the table's columns. What they refer to has to be there. */
  load(table: TableShape, rows: readonly (readonly CellValue[])[]): Promise<void>;
  /** Does the migrations that are still to be done. */
  upgrade(): Promise<void>;
  /**
   * Puts the rows of all its tables in the place of those of the real database, in one transaction: whoever is killed leaves all
   * of the old or all of the new. Both must have seen the same migrations. What is numbered by itself goes on behind the highest
   * number. Rejects with the Failures of the database; then nothing was changed.
   */
  replaceReal(): Promise<void>;
  /**
   * The same for a real database that a newer release left with tables of its own: all of that is kept aside, whole, and new tables of
   * this release get the rows, at once or not at all. `now` in milliseconds since 1970.
   */
  supersedeReal(now: number): Promise<void>;
  /** Where `supersedeReal(now)` keeps the old, in words. */
  superseded(now: number): string;
  /** Removes it. Never rejects: the next one removes what was left. */
  remove(): Promise<void>;
}
