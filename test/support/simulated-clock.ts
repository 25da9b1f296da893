import type { Clock } from '../../src/core/clock.ts';

interface Waiter {
  readonly at: number;
  readonly wake: () => void;
}

/**
 * A clock that stands still until it is told to run on, and then goes from one wait that ends to the next. What runs by
 * it must wait for nothing else: all that a step sets off is over before the next.
 */
export class SimulatedClock implements Clock {
  #elapsed = 0;
  #offset: number;
  #waiters: Waiter[] = [];

  constructor(start: number) {
    this.#offset = start;
  }

  now(): number {
    return this.#offset + this.#elapsed;
  }

  /** Sets the clock forward or back; waits that are under way last as long as before. */
  jump(ms: number): void {
    this.#offset += ms;
  }

  wait(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    return new Promise((resolve, reject) => {
      const end = () => {
        signal.removeEventListener('abort', cancel);
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
      };
      const waiter: Waiter = {
        at: this.#elapsed + Math.max(ms, 0),
        wake: () => {
          end();
          resolve();
        },
      };
      const cancel = () => {
        end();
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', cancel);
      this.#waiters.push(waiter);
    });
  }

  /** Lets everything happen that happens within `ms`. */
  async run(ms: number): Promise<void> {
    const end = this.#elapsed + ms;
    for (;;) {
      await settle();
      const next = this.#waiters.toSorted((one, other) => one.at - other.at)[0];
      if (next === undefined || next.at > end) break;
      this.#elapsed = next.at;
      next.wake();
    }
    this.#elapsed = end;
  }
}

/** Everything that needs no clock has happened. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
