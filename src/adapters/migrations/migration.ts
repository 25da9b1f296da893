import type { Kysely } from 'kysely';
import type { DatabaseKind } from './table.ts';

/** One step forward; there is none back. */
export interface Migration {
  /** Sorts after all that came before: `0001-what-it-does`. Never changes once it was released. */
  readonly name: string;
  /** The oldest release that can still work on what this leaves, `MAJOR.MINOR.PATCH`: at most the one before. */
  readonly oldestRelease: string;
  /** Does it with statements of `transaction` alone, so that all of it is done or nothing. */
  up(transaction: Kysely<unknown>, kind: DatabaseKind): Promise<void>;
}
