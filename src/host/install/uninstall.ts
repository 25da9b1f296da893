import { reasonOf } from '../../core/errors.ts';
import type { runProgram } from '../run-program.ts';
import { removeContainers } from './uninstall-containers.ts';
import { removeData } from './uninstall-data.ts';
import { removeFiles } from './uninstall-files.ts';
import { removeUnits } from './uninstall-units.ts';

/** One thing that is done, in words that finish "it will …". */
export interface UninstallStep {
  readonly name: string;
  readonly does: string;
  /** Looks again and does what is left to do. Gives what stays all the same, as lines. Rejects with a Failure. */
  run(): Promise<readonly string[]>;
}

export interface UninstallPlan {
  /** In the order in which they are done. Nothing that is not there has one. */
  readonly steps: readonly UninstallStep[];
  /** What stays and why, a line each. */
  readonly stays: readonly string[];
  /** What could not be looked at, with what to do: it may be that something stays. */
  readonly unknown: readonly string[];
}

export interface UninstallOptions {
  /** Whether data, secrets and their owner go too. */
  readonly purge: boolean;
  /** As configured: another one than the usual is never deleted. */
  readonly dataFolder: string;
  readonly run: typeof runProgram;
  /** What every path begins with: nothing on a host, a folder in tests. */
  readonly root?: string;
}

/** A part of the host, looked at. */
export type UninstallPart = Partial<UninstallPlan>;

/** Looks at the host, in whatever state it is, and changes nothing. Rejects with `store-unreadable`. */
export async function planUninstall(options: UninstallOptions): Promise<UninstallPlan> {
  const units = await removeUnits(options);
  const containers = await removeContainers(options);
  const { releases, ...files } = await removeFiles(options);
  const data = await removeData(options);
  // the program itself goes last: until then the same command can be given again
  const parts: readonly UninstallPart[] = [units, containers, files, data, releases];
  return {
    steps: parts.flatMap(({ steps = [] }) => steps),
    stays: parts.flatMap(({ stays = [] }) => stays),
    unknown: parts.flatMap(({ unknown = [] }) => unknown),
  };
}

export interface UninstallReport {
  /** What stayed though it was to go, and why. */
  readonly left: readonly string[];
  readonly failed: readonly { readonly step: string; readonly reason: string; readonly error: unknown }[];
}

/** Does all steps, whatever becomes of one of them. Never rejects. */
export async function applyUninstall(
  { steps }: UninstallPlan,
  progress: (step: UninstallStep) => void,
): Promise<UninstallReport> {
  const left: string[] = [];
  const failed: { step: string; reason: string; error: unknown }[] = [];
  for (const step of steps) {
    progress(step);
    try {
      left.push(...(await step.run()));
    } catch (error) {
      failed.push({ step: step.name, reason: reasonOf(error), error });
    }
  }
  return { left, failed };
}
