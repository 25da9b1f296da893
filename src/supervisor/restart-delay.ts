/** A worker that lived this long had started well; its end starts the count anew. */
export const settledAfterMs = 10_000;

/*
 * deaths in a row   wait      since the first death
 *       0           none      0 s
 *       1           0.1 s     0.1 s
 *       2           0.5 s     0.6 s
 *       3           1 s       1.6 s
 *       4           2 s       3.6 s
 *       5           5 s       8.6 s
 *       6           10 s      18.6 s
 *       7 and on    30 s      48.6 s …
 *
 * The first death is answered at once: most are alone. It never gives up: a supervisor that did would turn a
 * fault that passes (no memory for a minute) into an outage that waits for a person.
 */
const waitsMs = [0, 100, 500, 1000, 2000, 5000, 10_000, 30_000] as const;

/** How long to wait before the next start of a worker that died `deathsInARow` times before this death. */
export function restartDelayMs(deathsInARow: number): number {
  return waitsMs[Math.min(deathsInARow, waitsMs.length - 1)]!;
}
