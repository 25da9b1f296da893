import { state } from './0001-state.ts';
import type { Migration } from './migration.ts';

/** In the order in which they are done. New ones go to the end; those above stay as they were released. */
export const migrations: readonly Migration[] = [state];
