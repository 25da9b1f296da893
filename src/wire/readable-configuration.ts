import { accessSync, constants } from 'node:fs';
import type { Loaded } from '../config/load.ts';
import { Failure } from '../core/errors.ts';

/** Whether this user may read the configuration, where there is a folder of it. */
export function mayRead(loaded: Loaded): boolean {
  try {
    expectReadable(loaded);
    return true;
  } catch {
    return false;
  }
}

/** Throws the Failure `configuration-denied` where this user may not read it. */
export function expectReadable({ secretsDir }: Loaded): void {
  if (secretsDir === undefined) return;
  try {
    accessSync(secretsDir, constants.R_OK | constants.X_OK);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EACCES') return;
    throw new Failure(`this user may not read ${secretsDir}`, {
      code: 'configuration-denied',
      remedy: 'use sudo',
      cause,
    });
  }
}
