import { join } from 'node:path';
import { makeFolder } from '../core/atomic-file.ts';
import { type HeldLock, type LockOptions, takeLock } from '../core/file-lock.ts';

/** Who may write to the store, and in which order. */
export interface StoreLock {
  /** Rejects with `locked` at once where another process, or another call, holds it. */
  run<Result>(action: (lock: HeldLock) => Promise<Result>): Promise<Result>;
  /**
   * For a moment's work: under the lock that this process holds already, else under one of its own, for which others
   * wait a little. What has the same `key` is done one after the other.
   */
  inTurn<Result>(key: string, action: (lock: HeldLock) => Promise<Result>): Promise<Result>;
}

export function createStoreLock(
  folder: string,
  options: Pick<LockOptions, 'holder' | 'expiryMs' | 'now'>,
): StoreLock {
  const turns = new Map<string, Promise<unknown>>();
  let held: HeldLock | undefined;

  async function run<Result>(action: (lock: HeldLock) => Promise<Result>, brief = false): Promise<Result> {
    await makeFolder(folder);
    const lock = await takeLock({
      ...options,
      path: join(folder, '.lock'),
      subject: 'the certificates',
      brief,
    });
    held = lock;
    try {
      return await action(lock);
    } finally {
      if (held === lock) held = undefined;
      await lock.release();
    }
  }

  return {
    run: (action) => run(action),
    async inTurn(key, action) {
      const before = turns.get(key) ?? Promise.resolve();
      const result = before
        .catch(() => undefined)
        .then(() => (held === undefined ? run(action, true) : action(held)));
      turns.set(key, result);
      try {
        return await result;
      } finally {
        if (turns.get(key) === result) turns.delete(key);
      }
    },
  };
}
