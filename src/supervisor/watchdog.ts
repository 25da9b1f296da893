import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from '../ports/logger.ts';
import type { SelfCheck } from './generation.ts';
import type { ServiceManager } from './notify.ts';

export interface WatchdogOptions {
  readonly systemd: ServiceManager;
  /** Asks the workers for an answer. */
  selfCheck(withinMs: number): Promise<SelfCheck>;
  /** What `systemctl status` shows of it. */
  words(check: SelfCheck): string;
  readonly log: Logger;
}

/** A worker that takes longer for one answer does not count, however patient systemd is. */
const patienceMs = 10_000;
/** While nobody answers it is asked that often: what was replaced meanwhile counts before systemd's patience ends. */
const againMs = 1000;

/**
 * Feeds systemd's watchdog for as long as a worker answers; a service where none does is killed and started anew. One worker
 * that does not answer is replaced by its generation. Nothing without a watchdog; ends with `signal`.
 */
export async function feedWatchdog(
  { systemd, selfCheck, words, log }: WatchdogOptions,
  signal: AbortSignal,
): Promise<void> {
  const { watchdogEveryMs } = systemd;
  if (watchdogEveryMs === undefined) return;
  let toldOf = false;
  for (let pauseMs = watchdogEveryMs; await passed(pauseMs, signal);) {
    const check = await selfCheck(Math.min(patienceMs, watchdogEveryMs / 2));
    const well = check.answering > 0;
    const isFed = well && (await systemd.watchdog(words(check)));
    if (!well && !toldOf) log.error(check, 'no worker answers: systemd is going to start the service anew');
    toldOf = !well;
    // unheard, as where no program can be started for a moment, it counts as not fed
    pauseMs = isFed ? watchdogEveryMs : Math.min(againMs, watchdogEveryMs / 4);
  }
}

/** Whether the time went by without an end. */
function passed(ms: number, signal: AbortSignal): Promise<boolean> {
  return wait(ms, true, { signal, ref: false }).catch(() => false);
}
