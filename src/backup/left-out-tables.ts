import type { TableShape } from '../ports/database-shape.ts';

/**
 * Tables that no archive holds. A restored session would let somebody in again who had signed out, or was locked out, since the
 * backup: people sign in anew. `visit_writers` is about processes that run now. (The embedded cache and the record of migrations are not among the tables at all.)
 * Sums of visits stay: they are small, and once hours are thrown away nothing could be made of them any more.
 */
const leftOut: readonly string[] = ['sessions', 'visit_writers'];

export function keptTables(tables: readonly TableShape[]): readonly TableShape[] {
  return tables.filter(({ name }) => !leftOut.includes(name));
}
