// A program: kills a service, its servers and its commands at random moments, and prints what came of it as its last
// line, JSON. It is run on a network of its own by `kills.ts`.
import { reasonOf } from '../../src/core/errors.ts';
import { type KillHostKind, makeKillHost } from './kill-host.ts';
import { kills } from './kill-kinds.ts';
import { setStage } from './kill-stage.ts';
import { type KillKind, killKinds, type KillPlan, type KillReport } from './kills.ts';
import { randomNumbers } from './random-numbers.ts';

/** Without servers of its own a database is in every process that uses it: it is killed with them. */
const withoutServers: readonly KillKind[] = [
  'supervisor',
  'user add',
  'migrate',
  'backup create',
  'backup verify',
  'backup restore',
];

type Half = Omit<KillReport, 'kills'> & { readonly done: readonly KillKind[] };

const startedAt = performance.now();
const say = (text: string) =>
  console.error(`${((performance.now() - startedAt) / 1000).toFixed(1).padStart(6)} s  ${text}`);

const { seed, count } = JSON.parse(process.argv[2] ?? '') as KillPlan;
const half = Math.floor(count / 2);
const [embedded, stack] = await Promise.all([
  runHalf('embedded', half, seed, withoutServers),
  runHalf('stack', count - half, seed + 1, ['database', ...killKinds]),
]);
console.log(JSON.stringify(reportOf([embedded, stack])));
process.exit();

/** So many kills of one host, one after the other; the first fault ends them. */
async function runHalf(
  kind: KillHostKind,
  wanted: number,
  seed: number,
  kinds: readonly KillKind[],
): Promise<Half> {
  const random = randomNumbers(seed);
  const host = await makeKillHost(kind);
  const stage = await setStage(host, random);
  const done: KillKind[] = [];
  const faults: string[] = [];
  let oldestLostVisitMs = 0;
  let deck: KillKind[] = [];
  let next: KillKind | undefined;
  try {
    while (done.length < wanted) {
      if (deck.length === 0) deck = shuffled(kinds, random);
      next = deck.pop()!;
      const what = await kills[next](stage);
      await stage.check();
      done.push(next);
      say(`${kind} ${done.length} of ${wanted}: ${next}: ${what}`);
    }
    oldestLostVisitMs = await stage.stop();
    await host.remove();
  } catch (error) {
    await host.postgres?.remove();
    faults.push(`${kind}, ${next}, after ${done.length} kills: ${reasonOf(error)}`);
    say(
      `${faults[0]}\n${error instanceof Error ? error.stack : ''}\nleft in ${host.folder}; the service said:\n${host.service().log().slice(-4000)}`,
    );
  }
  return { done, faults, whoami: stage.probe.totals, oldestLostVisitMs };
}

function shuffled<T>(list: readonly T[], random: () => number): T[] {
  return list
    .map((value) => ({ value, order: random() }))
    .toSorted((a, b) => a.order - b.order)
    .map(({ value }) => value);
}

function reportOf(halves: readonly Half[]): KillReport {
  const all = halves.flatMap(({ done }) => done);
  const sum = (of: (half: Half) => number) => halves.reduce((total, each) => total + of(each), 0);
  return {
    kills: Object.fromEntries(
      killKinds.map((kind) => [kind, all.filter((each) => each === kind).length]),
    ) as Record<KillKind, number>,
    faults: halves.flatMap(({ faults }) => faults),
    whoami: {
      asked: sum(({ whoami }) => whoami.asked),
      failed: halves.flatMap(({ whoami }) => whoami.failed),
      slowestMs: Math.round(Math.max(...halves.map(({ whoami }) => whoami.slowestMs))),
      gap: { asked: sum(({ whoami }) => whoami.gap.asked), failed: sum(({ whoami }) => whoami.gap.failed) },
    },
    oldestLostVisitMs: Math.max(...halves.map((each) => each.oldestLostVisitMs)),
  };
}
