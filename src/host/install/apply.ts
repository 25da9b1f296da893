import { Failure } from '../../core/errors.ts';
import { type Plan, type PlannedStep, stepsToRun } from './plan.ts';
import type { UnfinishedInstall } from './unfinished.ts';

/** Told of an install as it goes. */
export interface Report {
  begin(step: PlannedStep): void;
  progress(step: PlannedStep, words: string): void;
  warning(step: PlannedStep, words: string): void;
  end(step: PlannedStep, tookMs: number): void;
}

export interface Applied {
  /** The steps that acted, in order. */
  readonly names: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Runs the steps that have something to do, one after the other. Rejects with the Failure of the first that fails, which then
 * names the step, or with the signal's reason between two steps; the same plan made anew goes on from there. Until the last
 * one is done, `unfinished` tells the step; a run that only looks leaves no trace.
 */
export async function applyPlan(
  plan: Plan,
  report: Report,
  signal: AbortSignal,
  unfinished: UnfinishedInstall,
): Promise<Applied> {
  const names: string[] = [];
  const warnings: string[] = [];
  for (const planned of stepsToRun(plan)) {
    signal.throwIfAborted();
    const beganMs = performance.now();
    report.begin(planned);
    try {
      if (planned.look.state === 'to-do' || unfinished.isThere()) await unfinished.at(planned.step.name);
      await planned.step.act({
        signal,
        progress: (words) => report.progress(planned, words),
        warn(words) {
          warnings.push(words);
          report.warning(planned, words);
        },
      });
    } catch (error) {
      // Ctrl-C reaches the programs of a step too, whose ends may be told before the signal is
      await new Promise((resolve) => setImmediate(resolve));
      signal.throwIfAborted();
      throw stoppedAt(planned.step.name, error);
    }
    names.push(planned.step.name);
    report.end(planned, performance.now() - beganMs);
  }
  await unfinished.clear();
  return { names, warnings };
}

function stoppedAt(name: string, error: unknown): unknown {
  if (!(error instanceof Failure) || error.code === 'interrupted') return error;
  const { message, code, exitCode, retryable, remedy, cause } = error;
  const again = 'the same command again goes on from here';
  return new Failure(`step ${name}: ${message}`, {
    code,
    exitCode,
    retryable,
    remedy: remedy === undefined ? again : `${remedy.replace(/\.$/, '')}; ${again}`,
    ...(cause === undefined ? {} : { cause }),
  });
}
