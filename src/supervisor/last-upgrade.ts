import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { removeLeftovers, writeFileAtomically } from '../core/atomic-file.ts';
import { isObject } from '../core/is-object.ts';

/** How the last change of the running version ended. Times are milliseconds since 1970. */
export interface LastUpgrade {
  readonly from: string;
  readonly to: string;
  readonly startedMs: number;
  /** Undefined while it is under way, and where the service ended in the middle. */
  readonly endedMs?: number | undefined;
  /** `went-back`: the version before serves on, for a reason. `interrupted`: the service ended in the middle. */
  readonly outcome: 'done' | 'went-back' | 'under-way' | 'interrupted';
  readonly reason?: string | undefined;
  /** What a person has to do, where that is known. */
  readonly remedy?: string | undefined;
}

const name = 'last-upgrade.json';
const mode = 0o640;
const outcomes: readonly unknown[] = ['done', 'went-back', 'under-way'] satisfies LastUpgrade['outcome'][];

/** Keeps it in the data folder. Rejects as `writeFileAtomically` does. */
export async function keepLastUpgrade(dataDir: string, upgrade: LastUpgrade): Promise<void> {
  // there is one writer at a time; the one before may have been killed
  await removeLeftovers(dataDir, { olderThanMs: 0, of: name });
  await writeFileAtomically(join(dataDir, name), `${JSON.stringify(upgrade)}\n`, mode);
}

/** What was kept; undefined where nothing was, or nothing that can be read. `underWay` says whether one is. */
export async function lastUpgradeOf(dataDir: string, underWay: boolean): Promise<LastUpgrade | undefined> {
  try {
    const found = JSON.parse(await readFile(join(dataDir, name), 'utf8')) as unknown;
    if (!isLastUpgrade(found)) return undefined;
    return found.outcome === 'under-way' && !underWay ? { ...found, outcome: 'interrupted' } : found;
  } catch {
    return undefined;
  }
}

function isLastUpgrade(value: unknown): value is LastUpgrade {
  if (!isObject(value)) return false;
  const { from, to, startedMs, endedMs, outcome, reason } = value;
  return (
    typeof from === 'string' &&
    typeof to === 'string' &&
    typeof startedMs === 'number' &&
    (endedMs === undefined || typeof endedMs === 'number') &&
    outcomes.includes(outcome) &&
    (reason === undefined || typeof reason === 'string')
  );
}
