import { setTimeout as wait } from 'node:timers/promises';
import { createAuditLog } from '../../src/admin/audit-log.ts';
import { createSessions } from '../../src/admin/sessions.ts';
import { systemClock } from '../../src/core/clock.ts';
import { until } from './until.ts';
import type { Cache } from '../../src/ports/cache.ts';
import type { Database } from '../../src/ports/database.ts';
import type { ArchivedRows } from './archive-rows.ts';

export interface State {
  readonly database: Database;
  readonly cache: Cache;
}

/** Data of which somebody knows whether its writing was acknowledged. */
export interface KnownData {
  /** Writes no more until `resume`; resolves when nothing is under way. */
  pause(): Promise<void>;
  resume(): void;
  stop(): Promise<void>;
  /** A user is about to be added; call what it gives when the command says that he was. */
  addsUser(name: string): () => void;
  /** Names and subjects whose writing was acknowledged by now. */
  acknowledged(): Acknowledged;
  /** Why an archive that was begun after `then` does not hold all of it; empty where it does. */
  missingIn(rows: ArchivedRows, then: Acknowledged): readonly string[];
  /** An archive took the place of all: nobody is signed in any more. */
  restored(rows: ArchivedRows): void;
  /** What is wrong with what is there now; empty where all is well. */
  judge(): Promise<readonly string[]>;
}

export interface Acknowledged {
  readonly users: readonly string[];
  readonly entries: readonly string[];
  readonly tokens: readonly string[];
}

const entryAction = 'kill-run.entry';
const entryEveryMs = 40;
const sessionEvery = 15;
const sessionsOfACheck = 5;

/** Writes entries of the audit log and sessions of `user`, who is there already, from now on. `state` gives where. */
export function startKnownData(state: () => State, user: string): KnownData {
  const users = { tried: new Set([user]), sure: new Set([user]) };
  const entries = { tried: new Set<string>(), sure: new Set<string>() };
  /** Tokens of sessions that were acknowledged. */
  let tokens: string[] = [];
  let ended: string[] = [];
  let number = 0;
  let stopped = false;
  let paused = false;
  let resting = true;

  const sessions = () => createSessions({ ...state(), persistent: true, clock: systemClock });
  const writeEntry = async (): Promise<void> => {
    const subject = `entry-${++number}`;
    entries.tried.add(subject);
    await createAuditLog(state().database, systemClock).append({
      actor: { name: 'kill run' },
      action: entryAction,
      subject,
    });
    entries.sure.add(subject);
  };
  const signIn = async (): Promise<void> => {
    const { database } = state();
    const row = await database.queries
      .selectFrom('users')
      .select(['id', 'name', 'session_stamp'])
      .where('name', '=', user)
      .executeTakeFirstOrThrow();
    const { token } = await sessions().create({ ...row, role: 'owner', sessionStamp: row.session_stamp });
    tokens.push(token);
  };
  const write = async (): Promise<void> => {
    for (let round = 0; !stopped; round++) {
      if (!paused) {
        resting = false;
        // what is refused or broken off is not acknowledged
        await (round % sessionEvery === 0 ? signIn() : writeEntry()).catch(() => undefined);
      }
      resting = true;
      await wait(entryEveryMs);
    }
  };
  const writing = write();

  const foundIn = (database: Database) =>
    database.snapshot(async (queries) => ({
      names: (await queries.selectFrom('users').select('name').execute()).map(({ name }) => name),
      log: await queries
        .selectFrom('audit_log')
        .select(['action', 'subject'])
        .where('action', 'in', [entryAction, 'user.add'])
        .execute(),
    }));
  const judgeRows = async (): Promise<string[]> => {
    const sure = { users: [...users.sure], entries: [...entries.sure] };
    const { names, log } = await foundIn(state().database);
    const ofAction = (wanted: string) =>
      log.filter(({ action }) => action === wanted).map(({ subject }) => subject ?? '');
    const [added, subjects] = [ofAction('user.add'), ofAction(entryAction)];
    return [
      ...lost('the user', sure.users, names),
      ...lost('the entry', sure.entries, subjects),
      ...names.filter((name) => !users.tried.has(name)).map((name) => `nobody added the user ${name}`),
      ...subjects.filter((each) => !entries.tried.has(each)).map((each) => `nobody wrote the entry ${each}`),
      ...twice(subjects).map((each) => `the entry ${each} is there twice`),
      ...(names.toSorted().join() === added.toSorted().join()
        ? []
        : [`there are the users ${names.toSorted().join()} and entries of ${added.toSorted().join()}`]),
    ];
  };
  const judgeSessions = async (): Promise<string[]> => {
    const service = sessions();
    const problems: string[] = [];
    const some = (all: readonly string[]) => all.slice(-sessionsOfACheck);
    for (const token of some(tokens))
      if ((await service.find(token))?.user.name !== user) problems.push('a session was lost');
    for (const token of some(ended))
      if ((await service.find(token)) !== undefined) problems.push('a session outlived a restore');
    return problems;
  };

  return {
    async pause() {
      paused = true;
      await until('nothing is being written', () => resting, 60_000);
    },
    resume: () => void (paused = false),
    async stop() {
      stopped = true;
      await writing;
    },
    addsUser(name) {
      users.tried.add(name);
      return () => void users.sure.add(name);
    },
    acknowledged: () => ({ users: [...users.sure], entries: [...entries.sure], tokens: [...tokens] }),
    missingIn: (rows, then) => [
      ...lost('the user', then.users, rows.users),
      ...lost('the entry', then.entries, rows.entriesOf(entryAction)),
    ],
    restored(rows) {
      for (const [all, there] of [
        [users, rows.users],
        [entries, rows.entriesOf(entryAction)],
      ] as const) {
        all.tried = new Set(there);
        all.sure = new Set(there);
      }
      ended = tokens;
      tokens = [];
    },
    judge: async () => [...(await judgeRows()), ...(await judgeSessions())],
  };
}

function lost(what: string, wanted: readonly string[], found: readonly string[]): string[] {
  const there = new Set(found);
  return wanted.filter((each) => !there.has(each)).map((each) => `${what} ${each} was lost`);
}

function twice(all: readonly string[]): readonly string[] {
  const seen = new Set<string>();
  return all.filter((each) => seen.size === seen.add(each).size);
}
