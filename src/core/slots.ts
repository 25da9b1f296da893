/** A number of places that are given out first come, first served. */
export interface Slots {
  /** Resolves with what gives the place back (once; more often does nothing), or with undefined after `withinMs`. */
  take(withinMs: number): Promise<(() => void) | undefined>;
}

export function createSlots(count: number): Slots {
  let free = count;
  const waiting = new Set<() => void>();

  const place = (): (() => void) => {
    let given = true;
    return () => {
      if (!given) return;
      given = false;
      const [next] = waiting;
      if (next === undefined) free++;
      else next();
    };
  };

  return {
    take(withinMs) {
      if (free > 0) {
        free--;
        return Promise.resolve(place());
      }
      return new Promise((resolve) => {
        const called = (): void => {
          clearTimeout(timer);
          waiting.delete(called);
          resolve(place());
        };
        const timer = setTimeout(() => {
          waiting.delete(called);
          resolve(undefined);
        }, withinMs);
        waiting.add(called);
      });
    },
  };
}
