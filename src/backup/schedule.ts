import type { Clock } from '../core/clock.ts';
import { reasonOf } from '../core/errors.ts';
import type { Logger } from '../ports/logger.ts';
import { isAhead } from './archive-name.ts';
import { calendarTimes, type CalendarTimes } from '../core/calendar-times.ts';

/** A service that has just started has better things to do; what was missed waits that long. */
const settleMs = 5 * 60_000;
/** After a run that failed. */
const retryMs = 3_600_000;
/** The clock may be set, and somebody may make a backup by hand: look again. */
const lookMs = 15 * 60_000;

export interface ScheduleOptions {
  /** As `config/calendar.ts` takes it. */
  readonly expression: string;
  /** When the newest backup was made; undefined where there is none. */
  readonly newestMs: () => Promise<number | undefined>;
  /** Makes one. Rejects where it failed, having told why. */
  readonly run: (signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface BackupSchedule {
  /** Ends what is under way. Never rejects. */
  stop(): Promise<void>;
}

/** Makes a backup whenever it is time and nobody else made one, and one for all that were missed. */
export function startSchedule(options: ScheduleOptions): BackupSchedule {
  const { expression, newestMs, run, clock, log } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  const times = calendarTimes(expression);
  const startMs = clock.now();

  const loop = async (): Promise<void> => {
    let notBeforeMs = startMs;
    while (!signal.aborted) {
      const now = clock.now();
      // a folder that cannot be read is told by the run that fails
      const newest = await newestMs().catch(() => undefined);
      const due = Math.max(notBeforeMs, dueMs(times, { now, startMs, newestMs: newest }));
      if (due > now) {
        await clock.wait(Math.min(due - now, lookMs), signal);
        continue;
      }
      notBeforeMs = 0;
      await run(signal).catch((error: unknown) => {
        signal.throwIfAborted();
        log.error({ reason: reasonOf(error) }, 'the scheduled backup failed; it is tried again in an hour');
        notBeforeMs = clock.now() + retryMs;
      });
    }
  };
  const ended = loop().catch((error: unknown) => {
    if (!signal.aborted) log.error({ err: error }, 'no more backups are made by themselves');
  });
  return {
    async stop() {
      stopping.abort();
      await ended;
    },
  };
}

/** When the next backup is to be made; a moment that has passed means now. Infinity: never. */
export function dueMs(
  times: CalendarTimes,
  at: {
    readonly now: number;
    readonly startMs: number;
    readonly newestMs: number | undefined;
  },
): number {
  const last = times.previous(at.now);
  const next = times.next(at.now) ?? Infinity;
  const newest = at.newestMs === undefined || isAhead(at.newestMs, at.now) ? -Infinity : at.newestMs;
  if (last === undefined || newest >= last) return next;
  // what was missed while nobody ran waits until the start is over, unless it is time again before that
  return last >= at.startMs ? last : Math.min(at.startMs + settleMs, next);
}
