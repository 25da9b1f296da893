import { setTimeout as wait } from 'node:timers/promises';
import { exitCodes, Failure } from '../../../core/errors.ts';
import type { PendingStart } from '../pending.ts';
import type { Look, Step } from '../plan.ts';
import { runsFile } from '../../running-file.ts';
import { serviceFailure, systemd } from '../systemd.ts';

const unit = 'appliance.service';
const answerTimeoutMs = 60_000;
const pollMs = 100;

export interface ServiceParts {
  /** The binary that is to run. */
  readonly binary: string;
  readonly pending: PendingStart;
  /** Asks the running service; rejects with exit code 6 where there is none. */
  readonly isServing: () => Promise<boolean>;
}

/** The service, running with what lies on the disk now. */
export function serviceStep({ binary, pending, isServing }: ServiceParts): Step {
  const state = async () => {
    const { ActiveState = 'inactive', MainPID = '0' } = await systemd.properties(unit, [
      'ActiveState',
      'MainPID',
    ]);
    return { active: ActiveState === 'active' || ActiveState === 'reloading', pid: Number(MainPID) };
  };
  return {
    name: 'service',
    does: 'start the service, or have it take over what changed',
    async look({ willAct }): Promise<Look> {
      const { active, pid } = await state();
      if (!active) return { state: 'to-do', words: 'it does not run' };
      if (willAct('release') || willAct('units')) return { state: 'to-do', words: 'to be restarted' };
      if (willAct('configuration') || willAct('secrets')) return { state: 'to-do', words: 'to be reloaded' };
      if (!runs(pid, binary)) return { state: 'to-do', words: 'it runs another binary' };
      const needs = await pending.read();
      if (needs !== undefined) return { state: 'to-do', words: `to be ${needs}ed` };
      return { state: 'done', words: `running (process ${pid})` };
    },
    async act({ progress, signal }) {
      const { active, pid } = await state();
      const needs = active && !runs(pid, binary) ? 'restart' : await pending.read();
      const action = !active ? 'start' : needs;
      if (action !== undefined) {
        progress(`${action}ing it`);
        await systemd.service(action, unit);
      }
      await untilServing(isServing, signal);
      await pending.clear();
    },
  };
}

function runs(pid: number, binary: string): boolean {
  try {
    return runsFile(`/proc/${pid}`, binary);
  } catch {
    return false;
  }
}

async function untilServing(isServing: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  const giveUpAt = performance.now() + answerTimeoutMs;
  for (;;) {
    signal.throwIfAborted();
    const serving = await isServing().catch((error: unknown) => {
      if (error instanceof Failure && error.exitCode !== exitCodes.notRunning && !error.retryable)
        throw error;
      return false;
    });
    if (serving) return;
    const { ActiveState } = await systemd.properties(unit, ['ActiveState']);
    if (ActiveState === 'failed') throw await serviceFailure(unit, `${unit} ended again`);
    if (performance.now() > giveUpAt)
      throw await serviceFailure(unit, `${unit} does not answer after ${answerTimeoutMs / 1000} s`);
    await wait(pollMs);
  }
}
