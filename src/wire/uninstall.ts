import type { UninstallPlan, UninstallReport, UninstallStep } from '../host/install/uninstall.ts';
import { runProgram } from '../host/run-program.ts';
import { mustBeRoot } from '../host/stack/stack.ts';

export interface UninstallRequest {
  readonly purge: boolean;
  readonly dataFolder: string;
}

/** Takes off this host what `install` put there, for the command. */
export const uninstaller = {
  async plan(request: UninstallRequest): Promise<UninstallPlan> {
    mustBeRoot("what is installed is root's");
    const { planUninstall } = await import('../host/install/uninstall.ts');
    return planUninstall({ ...request, run: runProgram });
  },
  /** Plans again, under the lock that installs and upgrades take too. Rejects with `locked` (exit code 5). */
  async apply(request: UninstallRequest, progress: (step: UninstallStep) => void): Promise<UninstallReport> {
    const { applyUninstall, planUninstall } = await import('../host/install/uninstall.ts');
    const { lockReleases } = await import('../host/install/releases.ts');
    const lock = await lockReleases('appliance uninstall');
    try {
      return await applyUninstall(await planUninstall({ ...request, run: runProgram }), progress);
    } finally {
      await lock.release();
    }
  },
};
