import { Failure, reasonOf } from '../core/errors.ts';
import type { Cache, CacheState } from '../ports/cache.ts';
import type { Database } from '../ports/database.ts';
import type { Logger } from '../ports/logger.ts';
import { databaseLack, databaseWords, type DatabaseView, isSilent, whereOf } from './state-words.ts';

/** Database and cache as `appliance status` shows them. */
export interface StateStatus {
  readonly database: {
    readonly kind: Database['kind'];
    /** Whether it can be read and written. */
    readonly ok: boolean;
    /** Whether that is so because it is being opened for the first time, and nothing went wrong so far. */
    readonly opening?: boolean | undefined;
    readonly words: string;
    readonly remedy?: string | undefined;
    /** Milliseconds since 1970. */
    readonly since: number;
    /** How long it took to answer when it was last asked, milliseconds. */
    readonly answeredInMs?: number | undefined;
  };
  readonly cache: Pick<CacheState, 'kind' | 'ok' | 'words' | 'failures'> & {
    readonly remedy?: string | undefined;
  };
}

/** Keeps an eye on database and cache, so that others are told of what is missing and never have to ask. */
export interface StateKeeper {
  /**
   * Asks both for the first time, for a few seconds at most, and from then on by itself. Rejects with
   * `database-schema-newer` alone: this release must not run on that database.
   */
  start(): Promise<void>;
  status(): StateStatus;
  /** Ends the connections. */
  stop(): Promise<void>;
}

export interface StateKeeperOptions {
  readonly database: Database;
  readonly cache: Cache;
  readonly log: Logger;
  /** Told in words what is missing: at first, and each time that this changes. */
  onDegraded(missing: readonly string[]): void;
  /** True once the tables are as this release needs them; false when they may be so no longer. */
  onDatabase(ready: boolean): void;
  /** Why what waits for the database could not be written when that was last tried. */
  writeFailure(): Failure | undefined;
  /** Writes something that means nothing. */
  tryWriting(): Promise<void>;
  /** Called once an hour while the database is there. */
  prune(): Promise<void>;
  /** Told of what `start` would have rejected with, where the first answer took longer than that waits. */
  onNewer(failure: Failure): void;
  /** How long the start waits for both, milliseconds. */
  readonly startWithinMs?: number | undefined;
}

const askEveryMs = 2000;
/** While something is missing; how often it is dialled is the adapters' affair. */
const askAgainMs = 500;
const lookEveryMs = 500;
const pruneEveryMs = 3_600_000;

export function createStateKeeper(options: StateKeeperOptions): StateKeeper {
  const { database, cache, log, startWithinMs = 2000 } = options;
  const probeSpace = cache.namespace({ name: 'probe', maxEntries: 10, maxValueBytes: 100, lifeMs: 60_000 });
  let migrated = false;
  let unmigrated: Failure | undefined;
  let askedAt: number | undefined;
  let answeredInMs: number | undefined;
  let told: string | undefined;
  let toldLog: string | undefined;
  let prunedAt = -Infinity;
  let unpruned = false;
  /** What the cache was while it is not sure whether it still is. */
  let cacheBefore: CacheState | undefined;
  let next: NodeJS.Timeout | undefined;
  let look: NodeJS.Timeout | undefined;
  let stopped = false;

  const view = (): DatabaseView => {
    const state = database.state();
    const silentMs = askedAt === undefined ? 0 : performance.now() - askedAt;
    const lasting = migrated ? options.writeFailure() : unmigrated;
    return { state, migrated, silentMs, answeredInMs, failure: state.failure ?? lasting };
  };
  const isOk = (now: DatabaseView): boolean =>
    now.state.status === 'up' && migrated && now.failure === undefined && !isSilent(now);
  /** In the first seconds, before anybody was told how it is. */
  const isOpening = (now: DatabaseView): boolean =>
    told === undefined &&
    now.failure === undefined &&
    ['unknown', 'up'].includes(now.state.status) &&
    !isOk(now);

  const askDatabase = async (): Promise<void> => {
    askedAt = performance.now();
    const { status } = await database.probe();
    answeredInMs = status === 'up' ? Math.round(performance.now() - askedAt) : undefined;
    askedAt = undefined;
    if (stopped) return;
    if (status !== 'up') {
      // it may come back as another one, and empty
      if (migrated) options.onDatabase(false);
      migrated = false;
      unmigrated = undefined;
      return;
    }
    if (!migrated) await migrate();
    if (stopped || !migrated) return;
    // what failed may have been the last that anybody wanted to write
    if (database.state().failure !== undefined) await options.tryWriting();
    if (performance.now() - prunedAt > pruneEveryMs) await prune();
  };
  const migrate = async (): Promise<void> => {
    try {
      const done = await database.migrate();
      if (done.length > 0) log.info({ migrations: done }, 'the database has the tables of this release');
      unmigrated = undefined;
      if (stopped) return;
      migrated = true;
      options.onDatabase(true);
    } catch (error) {
      unmigrated = failureOf(error);
    }
  };
  const prune = async (): Promise<void> => {
    try {
      await options.prune();
      prunedAt = performance.now();
      unpruned = false;
    } catch (error) {
      if (!unpruned) log.warn({ reason: reasonOf(error) }, 'what is kept no longer could not be deleted');
      unpruned = true;
    }
  };
  const ask = async (): Promise<void> => {
    const asked = askDatabase().catch((error: unknown) =>
      log.debug({ reason: reasonOf(error) }, 'the database could not be looked after'),
    );
    // embedded, both are one file, which the database makes
    if (told === undefined) await asked;
    await Promise.all([asked, askCache()]);
    tell();
  };
  const isCacheThere = () => probeSpace.set('probe', '1');
  /** One late answer, as a busy host gives, is no outage: nobody is told before it was asked again. */
  const askCache = async (): Promise<void> => {
    const before = cache.state();
    if (told === undefined || !before.ok) return void (await isCacheThere());
    cacheBefore = before;
    if (!(await isCacheThere())) {
      await new Promise((resolve) => setTimeout(resolve, askAgainMs).unref());
      await isCacheThere();
    }
    cacheBefore = undefined;
  };
  const cacheState = (): CacheState => cacheBefore ?? cache.state();
  const tell = (): void => {
    if (stopped) return;
    const now = view();
    const lack = databaseLack(now);
    tellLog(now);
    const missing = [
      ...(lack === undefined ? [] : [`the database ${lack}`]),
      ...(cacheState().ok ? [] : ['the cache cannot be used']),
    ];
    if (missing.join() === told) return;
    told = missing.join();
    options.onDegraded(missing);
  };
  /** The cache tells the log by itself. */
  const tellLog = (now: DatabaseView): void => {
    const lack = isOk(now) ? undefined : databaseLack(now);
    if (lack === toldLog) return;
    if (lack !== undefined) log.warn({ code: now.failure?.code, remedy: remedyOf(now) }, databaseWords(now));
    else log.info({}, `${whereOf(now.state)} works again`);
    toldLog = lack;
  };
  const goOn = (): void => {
    const afterMs = told === '' ? askEveryMs : askAgainMs;
    if (!stopped) next = setTimeout(() => void ask().then(goOn), afterMs).unref();
  };

  return {
    async start() {
      const first = ask();
      void first.then(goOn);
      let late: NodeJS.Timeout | undefined;
      await Promise.race([first, new Promise((resolve) => (late = setTimeout(resolve, startWithinMs)))]);
      clearTimeout(late);
      tell();
      if (!stopped) look = setInterval(tell, lookEveryMs).unref();
      if (isNewer(unmigrated)) throw unmigrated;
      void first.then(() => {
        if (!stopped && isNewer(unmigrated)) options.onNewer(unmigrated);
      });
    },
    status() {
      const { kind } = database;
      const now = view();
      const ok = isOk(now);
      const opening = isOpening(now);
      const { ok: cacheOk, ...cacheFacts } = cacheState();
      return {
        database: {
          kind,
          ok,
          ...(opening ? { opening } : {}),
          words: opening ? `${whereOf(now.state)}: opening` : databaseWords(now),
          remedy: ok || opening ? undefined : remedyOf(now),
          since: now.state.sinceMs,
          answeredInMs,
        },
        cache: { ...cacheFacts, ok: cacheOk, remedy: cacheOk ? undefined : cacheRemedies[cacheFacts.kind] },
      };
    },
    async stop() {
      stopped = true;
      clearTimeout(next);
      clearInterval(look);
      await Promise.all([database.close(), cache.close()]);
    },
  };
}

const cacheRemedies: Readonly<Record<CacheState['kind'], string>> = {
  redis:
    'Answers go on without it, and it is tried again by itself. Is the server running, and is redis.env right?',
  embedded:
    'Answers go on without it, and it is tried again by itself. Is there room on the disk, may the service write there, and does another program hold the file?',
};

const isNewer = (failure: Failure | undefined): failure is Failure =>
  failure?.code === 'database-schema-newer';

function remedyOf(now: DatabaseView): string {
  const silent = 'It is tried again by itself. Is the server overloaded, or stopped?';
  return (isSilent(now) ? undefined : now.failure?.remedy) ?? silent;
}

function failureOf(error: unknown): Failure {
  return error instanceof Failure ? error : new Failure(reasonOf(error), { code: 'fault', cause: error });
}
