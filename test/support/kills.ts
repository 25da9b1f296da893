import { runOnOwnNetwork } from './own-network.ts';

export const killKinds = [
  'database',
  'cache',
  'supervisor',
  'user add',
  'migrate',
  'backup create',
  'backup verify',
  'backup restore',
  'secrets rotate',
] as const;
export type KillKind = (typeof killKinds)[number];

export interface KillPlan {
  /** The same seed: the same kinds in the same order, and the same parts of their usual durations. */
  readonly seed: number;
  /** Half of them with the embedded database and cache, half with PostgreSQL and Redis. */
  readonly count: number;
}

export interface KillReport {
  readonly kills: Readonly<Record<KillKind, number>>;
  /** What was lost, doubled, left behind or could not be run again; the run ended with the first of each half. */
  readonly faults: readonly string[];
  readonly whoami: {
    readonly asked: number;
    readonly failed: readonly string[];
    readonly slowestMs: number;
    /** Of those that were asked: while the supervisor was killed and started again. */
    readonly gap: { readonly asked: number; readonly failed: number };
  };
  /** How old the oldest visit was that a kill of the supervisor lost, milliseconds. */
  readonly oldestLostVisitMs: number;
}

/** Kills, and gives what came of it. `progress` gets a line for each kill. Needs what `runOnOwnNetwork` needs, and redis-server. */
export async function runKills(plan: KillPlan, progress: (line: string) => void): Promise<KillReport> {
  return (await runOnOwnNetwork('kill-run.ts', plan, progress)) as KillReport;
}

/** A line or two for whoever reads along. */
export function summaryOf({ kills, whoami, oldestLostVisitMs }: KillReport): string {
  const counts = killKinds.map((kind) => `${kind} ${kills[kind]}`).join(', ');
  const { asked, failed, gap } = whoami;
  return (
    `kills: ${counts}; whoami asked ${asked} times, ${failed.length} failed ` +
    `(apart from them ${gap.asked} were asked while the supervisor was dead and started again, of which ${gap.failed} failed); ` +
    `at most ${(oldestLostVisitMs / 1000).toFixed(1)} s of visits lost`
  );
}
