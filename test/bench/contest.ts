import { median } from './median.ts';
import { cpuMicroseconds } from './process-usage.ts';
import { quiet } from './quiet.ts';
import { load, type Load } from './wrk.ts';

/** A server that takes part in a comparison; `pid` is the one process of it that answers. */
export interface Contestant {
  readonly name: string;
  readonly origin: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** One loading of one server. */
export interface Run {
  readonly requestsPerSecond: number;
  readonly cpuMicrosecondsPerRequest: number;
  /** The part of the time that the server's process was on its core; 1 is all of it. */
  readonly busy: number;
  readonly p99Ms: number;
  /** The server had time to spare: what was measured is the client, or the machine did something else. */
  readonly void: boolean;
}

/**
 * What one server did: medians over the rounds in which no server's run was void, so that all are judged by the same
 * minutes; over all rounds where there are none.
 */
export interface Standing extends Omit<Run, 'void'> {
  readonly name: string;
  readonly runs: readonly Run[];
  /** Whether enough rounds count. */
  readonly valid: boolean;
}

export interface Contest {
  readonly rounds: number;
  readonly seconds: number;
  /** How busy a server has to be for a run to count; 0.95 where nothing is said. */
  readonly leastBusy?: number;
  /** What to ask in a round; the same of every contestant. */
  load(round: number): Omit<Load, 'origin' | 'seconds'>;
}

const usualLeastBusy = 0.95;
const warmUpSeconds = 2;
/** For extra rounds where runs were void. */
const mostExtraMs = 120_000;

/** Loads the contestants by turns, round after round, and gives their standings in the same order. */
export async function hold(contest: Contest, contestants: readonly Contestant[]): Promise<Standing[]> {
  for (const contestant of contestants) await loadOne(contest, contestant, 0, warmUpSeconds);
  const rounds: Run[][] = [];
  const counted = (): Run[][] => rounds.filter((runs) => !runs.some((run) => run.void));
  let giveUpAt = Infinity;
  while (counted().length < contest.rounds && performance.now() < giveUpAt) {
    const runs: Run[] = [];
    for (const contestant of contestants) {
      const run = await loadOne(contest, contestant, rounds.length, contest.seconds);
      runs.push(run);
      process.stderr.write(`  round ${rounds.length + 1} ${runText(contestant.name, run)}\n`);
    }
    rounds.push(runs);
    if (rounds.length === contest.rounds) giveUpAt = performance.now() + mostExtraMs;
  }
  const valid = counted().length >= contest.rounds;
  const basis = counted().length > 0 ? counted() : rounds;
  return contestants.map(({ name }, index) => {
    const of = (figure: (run: Run) => number): number => median(basis.map((runs) => figure(runs[index]!)));
    return {
      name,
      runs: rounds.map((runs) => runs[index]!),
      valid,
      requestsPerSecond: of((run) => run.requestsPerSecond),
      cpuMicrosecondsPerRequest: of((run) => run.cpuMicrosecondsPerRequest),
      busy: of((run) => run.busy),
      p99Ms: of((run) => run.p99Ms),
    };
  });
}

async function loadOne(
  contest: Contest,
  { origin, pid }: Contestant,
  round: number,
  seconds: number,
): Promise<Run> {
  await quiet();
  const before = cpuMicroseconds(pid);
  const result = await load({ ...contest.load(round), origin, seconds });
  const used = cpuMicroseconds(pid) - before;
  const busy = used / 1e6 / result.seconds;
  return {
    requestsPerSecond: result.requests / result.seconds,
    cpuMicrosecondsPerRequest: used / result.requests,
    busy,
    p99Ms: result.p99Ms,
    void: busy < (contest.leastBusy ?? usualLeastBusy),
  };
}

function runText(name: string, run: Run): string {
  const rate = Math.round(run.requestsPerSecond);
  const cpu = run.cpuMicrosecondsPerRequest.toFixed(1);
  const busy = `${Math.round(run.busy * 100)} % busy`;
  return `${name}: ${rate} requests/s, ${cpu} µs of CPU each, ${busy}${run.void ? ': void' : ''}`;
}
