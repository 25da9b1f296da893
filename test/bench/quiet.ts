import { cpus } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';

const lookEveryMs = 250;
const mostMs = 10_000;
const leastIdle = 0.9;

/** Waits until the machine has next to nothing else to do, but not for ever: a run that is disturbed shows that itself. */
export async function quiet(): Promise<void> {
  const giveUpAt = performance.now() + mostMs;
  for (let before = times(); performance.now() < giveUpAt;) {
    await wait(lookEveryMs);
    const now = times();
    if ((now.idle - before.idle) / (now.all - before.all) >= leastIdle) return;
    before = now;
  }
}

/** What all cores did since the machine started, in milliseconds. */
function times(): { idle: number; all: number } {
  const ofCores = cpus().map((core) => core.times);
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  return {
    idle: sum(ofCores.map(({ idle }) => idle)),
    all: sum(ofCores.flatMap((core) => Object.values(core))),
  };
}
