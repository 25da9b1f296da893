import { setTimeout as wait } from 'node:timers/promises';
import { Failure } from '../../src/core/errors.ts';
import type { Ended, KillHost } from './kill-host.ts';
import { leftoversOf, makeOld, temporariesOf } from './kill-leftovers.ts';
import { type KnownData, startKnownData } from './known-data.ts';
import { until } from './until.ts';
import { createVisitLedger, type VisitLedger, visitsIn } from './visit-ledger.ts';
import { type Probe, startProbe } from './whoami-probe.ts';

const user = 'keeper';
export const password = 'four words with spaces';
const settleMs = 30_000;

/** A part of what a command does. */
export interface Work {
  /** `err`: what it has printed to standard error. */
  begun(err: string): boolean;
  /** About so long. */
  readonly takesMs: number;
}

/** A host with a service, callers and writers, and what has to hold after each kill. */
export interface KillStage {
  readonly host: KillHost;
  readonly probe: Probe;
  readonly visits: VisitLedger;
  readonly known: KnownData;
  /** From 0 to below 1, the same for the same seed. */
  readonly random: () => number;
  /** Runs it to its end; throws where that is none of those. */
  succeeds(
    command: readonly string[],
    options?: { readonly input?: string; readonly codes?: readonly number[] },
  ): Promise<Ended>;
  /**
   * Runs it and kills it at a random moment of what it usually takes, or, one time of two, within that part of its work. Its status
   * is SIGKILL, or 0 where it was done before; throws where it is another.
   */
  killed(command: readonly string[], work?: Work): Promise<Ended>;
  /** Files that `backup list` shows, the newest first. */
  archives(): Promise<readonly string[]>;
  /** Throws unless all is well: to be called when what was killed was started or run again. */
  check(): Promise<void>;
  /**
   * Asks and writes no more; checks that what killed runs left under temporary names goes with the next. Gives how old the oldest
   * visit was that a kill of the service lost, milliseconds.
   */
  stop(): Promise<number>;
}

const bulk = { rows: 4_000, atOnce: 500 };
const firstGuessMs = 1_000;
/** They come through every folder that locks and files are made in. */
const lastCommands: Readonly<Record<KillHost['kind'], readonly (readonly string[])[]>> = {
  embedded: [
    ['backup', 'create'],
    ['backup', 'restore', '--yes'],
  ],
  stack: [
    ['backup', 'create'],
    ['backup', 'restore', '--yes'],
    ['secrets', 'rotate'],
  ],
};

/** Fills the host and starts its service. */
export async function setStage(host: KillHost, random: () => number): Promise<KillStage> {
  const durations = new Map<string, number>();
  const proven = new Set<string>();
  let oldestLostMs = 0;
  const visits = createVisitLedger(host.kind === 'embedded' ? 1 : 2);
  const nameOf = (command: readonly string[]) => command.slice(0, 2).join(' ');

  const learn = (command: readonly string[], tookMs: number): void => {
    const before = durations.get(nameOf(command)) ?? tookMs;
    durations.set(nameOf(command), 0.7 * before + 0.3 * tookMs);
  };
  const succeeds: KillStage['succeeds'] = async (command, { input, codes = [0] } = {}) => {
    const from = performance.now();
    const ended = await host.run(command, input);
    learn(command, performance.now() - from);
    if (typeof ended.status === 'number' && codes.includes(ended.status)) return ended;
    throw new Error(wordsOf(command, ended));
  };
  const archives = async (): Promise<string[]> => {
    const { out } = await succeeds(['backup', 'list', '--json']);
    return (JSON.parse(out) as { backups: { file: string }[] }).backups.map(({ file }) => file);
  };

  await succeeds(['admin', 'user', 'add', user, '--password-stdin'], { input: password });
  await fill(host, random);
  await host.launch();
  await host.untilItAnswers();
  const known = startKnownData(host.state, user);
  const probe = startProbe(host.port, visits.request);
  for (const command of [
    ['backup', 'create'],
    ['backup', 'verify'],
    ['backup', 'create'],
  ])
    await succeeds(command);

  const found = () => patiently(() => visitsIn(host.state().database));
  const checkVisits = async (): Promise<void> => {
    const answeredUntilMs = performance.now();
    let missing: readonly string[] = [];
    const areCounted = async (): Promise<boolean> => {
      const judged = visits.judge(await found(), answeredUntilMs);
      if (judged.surplus.length > 0)
        throw new Error(`visits were counted more often than they were sent: ${judged.surplus.join('; ')}`);
      missing = judged.missing;
      return missing.length === 0;
    };
    const giveUpAt = performance.now() + settleMs;
    while (!(await areCounted())) {
      if (performance.now() > giveUpAt) throw new Error(`visits were lost: ${missing.join('; ')}`);
      await wait(100);
    }
    oldestLostMs = Math.max(oldestLostMs, visits.oldestLostMs(await found()));
  };

  return {
    host,
    probe,
    visits,
    known,
    random,
    succeeds,
    async killed(command, work) {
      const [part, aimed] = [random(), random() < 0.5];
      const from = performance.now();
      const running = host.start(command);
      if (work === undefined || !aimed)
        // where the work is, more than where the program is still being read
        await wait((durations.get(nameOf(command)) ?? firstGuessMs) * (0.35 + 0.6 * part));
      else {
        while (!running.hasEnded() && !work.begun(running.err())) await wait(2);
        await wait(work.takesMs * part);
      }
      running.kill();
      const ended = await running.ended;
      if (ended.status === 0) learn(command, performance.now() - from);
      else if (ended.status !== 'SIGKILL') throw new Error(wordsOf(command, ended));
      return ended;
    },
    archives,
    async check() {
      await until(
        'the service uses database and cache again',
        async () => {
          const { state } = await host.status().catch(() => ({ state: undefined }));
          return state?.database.ok === true && state.cache.ok;
        },
        settleMs,
      );
      const problems = await patiently(known.judge);
      if (problems.length > 0) throw new Error(problems.slice(0, 10).join('; '));
      await checkVisits();
      for (const file of await archives()) {
        if (proven.has(file)) continue;
        await succeeds(['backup', 'verify', file]);
        proven.add(file);
      }
      const left = await leftoversOf(host);
      if (left.length > 0) throw new Error(`left behind: ${left.join(', ')}`);
    },
    async stop() {
      await known.stop();
      await probe.stop();
      makeOld(temporariesOf(host));
      for (const command of lastCommands[host.kind]) await succeeds(command);
      const left = temporariesOf(host);
      if (left.length > 0) throw new Error(`left behind for ever: ${left.join(', ')}`);
      return oldestLostMs;
    },
  };
}

function wordsOf(command: readonly string[], { status, err, out }: Ended): string {
  return `"${command.join(' ')}" ended with ${status}: ${err}${out}`;
}

/** A server that is on its way back is asked again. */
export async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  const giveUpAt = performance.now() + settleMs;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof Failure && error.retryable) || performance.now() > giveUpAt) throw error;
      await wait(100);
    }
  }
}

/** So much that a backup has something to do. */
async function fill({ state }: KillHost, random: () => number): Promise<void> {
  const { queries } = state().database;
  for (let start = 0; start < bulk.rows; start += bulk.atOnce) {
    const rows = Array.from({ length: bulk.atOnce }, (_, index) => ({
      at_ms: start + index,
      actor: 'bulk',
      action: 'bulk',
      subject: `bulk ${start + index}`,
      address: null,
      details: JSON.stringify(Array.from({ length: 15 }, () => random())),
    }));
    await queries.insertInto('audit_log').values(rows).execute();
  }
}
