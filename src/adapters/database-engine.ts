import type { Dialect } from 'kysely';
import type { Failure } from '../core/errors.ts';

/** What the two databases do not have in common. */
export interface Engine {
  readonly kind: 'postgres' | 'sqlite';
  /** In words, without secrets: `PostgreSQL at db.example:5432`. */
  readonly where: string;
  /** Its driver ends within a second or so, whatever is under way. */
  readonly dialect: Dialect;
  /** How many statements or transactions may be under way at once. */
  readonly maxConnections: number;
  /** How long to wait for one of them to end, milliseconds. */
  readonly connectionMs: number;
  /** What any error of its driver means. */
  failureOf(error: unknown): Failure;
}
