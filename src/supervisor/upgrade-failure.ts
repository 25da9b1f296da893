import { exitCodes, Failure } from '../core/errors.ts';

/** Asked for something that has to wait until an upgrade has ended. */
export function upgradeUnderWay(): Failure {
  return new Failure('the service is being upgraded', {
    code: 'upgrade-under-way',
    exitCode: exitCodes.locked,
    retryable: true,
    remedy: 'wait until that has ended, a minute at most, then try again',
  });
}

/** The new version does not serve, and why; the one before goes on. */
export function notTakenOver(reason: string, cause?: unknown): Failure {
  return new Failure(reason, {
    code: 'upgrade-went-back',
    remedy: 'The version before serves on, as if nothing had been. The lines of the new one are in the log.',
    ...(cause === undefined ? {} : { cause }),
  });
}
