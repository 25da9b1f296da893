import type { Clock } from '../core/clock.ts';

/** The result of `action`, or the rejection with the signal's reason as soon as that aborts, also where `action` does not heed it. */
export async function untilAborted<Result>(
  signal: AbortSignal,
  action: () => Promise<Result>,
): Promise<Result> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([action(), aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** As `untilAborted`, but an action that heeds the signal by putting away what it has laid out has `graceMs` for that. */
export async function untilPutAway<Result>(
  clock: Clock,
  graceMs: number,
  signal: AbortSignal,
  action: () => Promise<Result>,
): Promise<Result> {
  signal.throwIfAborted();
  const acting = action();
  try {
    return await untilAborted(signal, () => acting);
  } catch (error) {
    if (!signal.aborted) throw error;
    const ended = new AbortController();
    const settled = acting.then(
      () => undefined,
      () => undefined,
    );
    await Promise.race([settled, clock.wait(graceMs, ended.signal).catch(() => undefined)]);
    ended.abort();
    throw signal.reason;
  }
}

/** As `untilPutAway`; what is not done after `ms` is aborted with `late()` as the reason, and not waited for. */
export async function within<Result>(
  clock: Clock,
  ms: number,
  late: () => Error,
  signal: AbortSignal,
  action: (signal: AbortSignal) => Promise<Result>,
  graceMs = 0,
): Promise<Result> {
  const deadline = new AbortController();
  const done = new AbortController();
  clock.wait(ms, done.signal).then(
    () => deadline.abort(late()),
    () => undefined,
  );
  const either = AbortSignal.any([signal, deadline.signal]);
  try {
    return await untilPutAway(clock, graceMs, signal, () =>
      untilAborted(deadline.signal, () => action(either)),
    );
  } finally {
    done.abort();
  }
}
