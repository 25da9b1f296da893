import { rm } from 'node:fs/promises';
import { writeFileAtomically } from '../../core/atomic-file.ts';
import { readTextFile } from '../../core/text-file.ts';

/** What the running service needs before it is what lies on the disk. */
export type Pending = 'reload' | 'restart';

/**
 * Remembers, until the host is booted anew, that the service has not taken over yet what was changed: so a run that was killed in
 * between does not leave it behind. Written before the change.
 */
export interface PendingStart {
  need(what: Pending): Promise<void>;
  read(): Promise<Pending | undefined>;
  clear(): Promise<void>;
}

export const pendingFile = '/run/appliance-install.pending';

export function pendingStart(path = pendingFile): PendingStart {
  const read = async (): Promise<Pending | undefined> => {
    const text = (await readTextFile(path)).text?.trim();
    return text === 'restart' || text === 'reload' ? text : undefined;
  };
  return {
    read,
    async need(what) {
      const before = await read();
      if (before === 'restart' || before === what) return;
      await writeFileAtomically(path, `${what}\n`, 0o600);
    },
    clear: () => rm(path, { force: true }),
  };
}
