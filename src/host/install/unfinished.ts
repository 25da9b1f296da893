import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeFileAtomically } from '../../core/atomic-file.ts';
import { installedReleases, unfinishedName } from './releases.ts';

/**
 * Remembers, also when the host is booted anew, at which step an install is, or was left. What stops before there is a folder of
 * releases is known by what is missing.
 */
export interface UnfinishedInstall {
  /** Before the step that changes something. Rejects with `store-full`, `store-unwritable`. */
  at(step: string): Promise<void>;
  /** Whether an install, this one or one before it, did not come to its end. */
  isThere(): boolean;
  clear(): Promise<void>;
}

/** The name of a step, for all to read. */
export const unfinishedFile = join(installedReleases.folder, unfinishedName);

export function unfinishedInstall(path = unfinishedFile): UnfinishedInstall {
  return {
    async at(step) {
      if (existsSync(dirname(path))) await writeFileAtomically(path, `${step}\n`, 0o644);
    },
    isThere: () => existsSync(path),
    clear: () => rm(path, { force: true }),
  };
}
