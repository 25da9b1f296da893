import type { Clock } from '../core/clock.ts';
import type { Failure } from '../core/errors.ts';
import type { DatabaseState } from '../ports/database.ts';

/** How long nobody dials again after that many failures in a row: at once, then longer and longer. */
const delaysMs = [0, 100, 250, 500, 1000, 2000, 5000, 10_000, 20_000, 30_000];

/** Failures of a database that answers: it stays up, but people have to know. */
const troubles = ['database-full', 'database-read-only'];

/** What is known of the way to a database, and when to dial again. */
export interface DatabaseLink {
  /** Throws the last failure again until it is time to dial again. */
  expectDialTime(): void;
  dialled(): void;
  /** Dialling failed. Gives the failure back. */
  notDialled(failure: Failure): Failure;
  /** What a statement met while there was a connection. Gives it back. */
  met(failure: Failure): Failure;
  wrote(): void;
  closed(): void;
  state(): DatabaseState;
}

/** `where`: the database in words, `PostgreSQL at db.example:5432`. */
export function createDatabaseLink(where: string, clock: Pick<Clock, 'now'>): DatabaseLink {
  let status: DatabaseState['status'] = 'unknown';
  let sinceMs = clock.now();
  let failure: Failure | undefined;
  let failures = 0;
  let dialAtMs = 0;
  const become = (next: typeof status): void => {
    if (status === next || status === 'closed') return;
    status = next;
    sinceMs = clock.now();
  };

  /** Failures say by themselves which database it was, for those who see nothing else. */
  const reason = (): string => failure?.message.replace(`${where}: `, '') ?? '';
  const words = (): string => {
    if (status === 'unknown') return `${where}: not asked yet`;
    if (status === 'closed') return `${where}: closed`;
    if (status === 'up') return failure === undefined ? `${where}: up` : `${where}: up, but ${reason()}`;
    const waitMs = dialAtMs - clock.now();
    const next = waitMs > 0 ? `in ${Math.ceil(waitMs / 1000)} s` : 'when it is next needed';
    return `${where}: down since ${new Date(sinceMs).toISOString()}: ${reason()}; tried again ${next}`;
  };

  return {
    expectDialTime() {
      // a clock that was set back must not keep us waiting
      const waitMs = dialAtMs - clock.now();
      if (status === 'down' && failure !== undefined && waitMs > 0 && waitMs <= delaysMs.at(-1)!)
        throw failure;
    },
    dialled() {
      if (status !== 'up') failure = undefined;
      failures = 0;
      become('up');
    },
    notDialled(met) {
      // several may have dialled at once: that is one failure
      if (clock.now() >= dialAtMs) {
        const delayMs = delaysMs[Math.min(++failures, delaysMs.length - 1)]!;
        dialAtMs = clock.now() + delayMs * (0.75 + Math.random() / 4);
      }
      failure = met;
      become('down');
      return met;
    },
    met(failed) {
      if (failed.code === 'database-down') {
        failure = failed;
        dialAtMs = 0;
        become('down');
      } else if (troubles.includes(failed.code)) failure = failed;
      return failed;
    },
    wrote() {
      if (status === 'up') failure = undefined;
    },
    closed: () => become('closed'),
    state: () => ({ status, words: words(), failure: status === 'closed' ? undefined : failure, sinceMs }),
  };
}
