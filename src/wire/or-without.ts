import { Failure, reasonOf } from '../core/errors.ts';
import type { Logger } from '../ports/logger.ts';

/** Starts what helps the owner but not the callers: where it rejects, the log says so and the answers go on without it. */
export async function orWithout(log: Logger, start: () => Promise<void>, message: string): Promise<void> {
  await start().catch((error: unknown) => tellOf(log, error, message));
}

/** Logs what failed and why, with the remedy where there is one. */
export function tellOf(log: Logger, error: unknown, message: string): void {
  const remedy = error instanceof Failure ? error.remedy : undefined;
  log.error({ reason: reasonOf(error), remedy }, message);
}
