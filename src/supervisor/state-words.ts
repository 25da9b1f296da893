import type { Failure } from '../core/errors.ts';
import type { DatabaseState } from '../ports/database.ts';

/** What is known of the database beside what its adapter tells. Times are milliseconds. */
export interface DatabaseView {
  readonly state: DatabaseState;
  /** Whether the tables are as this release needs them. */
  readonly migrated: boolean;
  /** For how long it has not answered the question that it was asked. */
  readonly silentMs: number;
  /** How long it took to answer the last one. */
  readonly answeredInMs: number | undefined;
  /** Why it is away, or what it cannot do although it is there. */
  readonly failure: Failure | undefined;
}

/** From then on a database that answers is called slow. */
const slowMs = 1000;
/** From then on one that has not answered is taken for one that is not going to. */
const tooSilentMs = 3000;

/** For `status`: which database it is and how it is. */
export function databaseWords({ state, migrated, ...view }: DatabaseView): string {
  const where = whereOf(state);
  if (isSilent(view)) return `${where}: has not answered for ${Math.round(view.silentMs / 1000)} s`;
  if (state.status !== 'up') return state.words;
  const slow = isSlow(view) ? `, but slow: it took ${view.answeredInMs} ms to answer` : '';
  if (view.failure === undefined) {
    const tables = migrated ? '' : '; waits for its tables to be brought up to date';
    return `${where}: up${tables}${slow}`;
  }
  const tables = migrated ? '' : 'its tables cannot be used: ';
  return `${where}: up, but ${tables}${view.failure.message.replace(`${where}: `, '')}${slow}`;
}

/** For `/health/ready`: what goes on after "the database"; undefined where all is well. */
export function databaseLack(view: DatabaseView): string | undefined {
  const { state, migrated, failure } = view;
  if (isSilent(view)) return 'does not answer';
  if (state.status === 'up' && failure === undefined) {
    if (!migrated) return 'is being brought up to date';
    return isSlow(view) ? 'is slow' : undefined;
  }
  // no lock, which only one who was let in meets: it has as many connections as it allows
  if (state.status !== 'up' && failure?.code === 'database-busy') return 'is busy';
  const known = lacks[failure?.code ?? ''];
  if (known !== undefined) return known;
  return state.status === 'up' ? 'has trouble' : 'is away';
}

/** Its kind and place: the words before what is said of them. */
export function whereOf({ words }: DatabaseState): string {
  return words.split(': ')[0]!;
}

export function isSilent({ silentMs }: Pick<DatabaseView, 'silentMs'>): boolean {
  return silentMs >= tooSilentMs;
}

function isSlow({ answeredInMs }: Pick<DatabaseView, 'answeredInMs'>): boolean {
  return answeredInMs !== undefined && answeredInMs >= slowMs;
}

/** By the failure's code. */
const lacks: Readonly<Record<string, string>> = {
  'database-busy': 'is locked',
  'database-timeout': 'is slow',
  'database-full': 'is full',
  'database-read-only': 'may only be read',
  'database-password': 'refuses the password',
  'database-missing': 'is not there',
  'database-pooler': 'is a pooler in its place',
  'database-rights': 'grants too few rights',
  'database-tls': 'cannot be trusted',
  'database-damaged': 'is damaged',
  'database-unopenable': 'cannot be opened',
  'database-schema-newer': 'belongs to a newer release',
};
