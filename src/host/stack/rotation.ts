import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncFolder, writeFileAtomically } from '../../core/atomic-file.ts';
import { exitCodes, Failure } from '../../core/errors.ts';
import { newPassword } from '../../core/password.ts';
import { readTextFile } from '../../core/text-file.ts';
import type { ServerPassword } from '../../ports/server-password.ts';

export interface Rotation {
  /** `postgres` or `redis`. */
  readonly name: string;
  /** Where the secrets lie; the journal lies there too. */
  readonly folder: string;
  /** What the files say. */
  readonly current: string;
  readonly server: ServerPassword;
  /** Puts the password into every file that has it; the same again does no harm. */
  readonly writeFiles: (password: string) => Promise<void>;
}

/** Where the password that is on its way is kept. */
function journalPath(folder: string, name: string): string {
  return join(folder, `.rotation-${name}`);
}

/** Whether a rotation of that server was interrupted. */
export async function isPending(folder: string, name: string): Promise<boolean> {
  return (await readTextFile(journalPath(folder, name))).text !== undefined;
}

/**
 * Gives a server a new password: first the journal, then the server, then the files, each whole on the disk before the
 * next begins. Whoever is killed on the way leaves a journal, and the same call finishes that rotation: of the two
 * passwords the server takes one. Resolves with whether it was such a one. Rejects with `server-down` and changes
 * nothing where the server cannot be asked; with `password-unknown` where it takes neither.
 */
export async function rotatePassword(rotation: Rotation): Promise<{ readonly resumed: boolean }> {
  const { name, folder, current, server, writeFiles } = rotation;
  const journal = journalPath(folder, name);
  const { text: pending } = await readTextFile(journal);
  if (pending === undefined && !(await server.accepts(current))) throw unknown(name, 'the one of the files');
  const next = pending ?? newPassword();
  if (pending === undefined) await writeFileAtomically(journal, next, 0o600);
  if (!(await server.accepts(next))) {
    if (!(await server.accepts(current))) throw unknown(name, 'neither the one of the files nor the new one');
    await server.change(current, next);
    if (!(await server.accepts(next))) throw unknown(name, 'not the new one');
  }
  await writeFiles(next);
  await rm(journal);
  await syncFolder(dirname(journal));
  return { resumed: pending !== undefined };
}

function unknown(name: string, what: string): Failure {
  return new Failure(`${name} takes another password: ${what} it does not`, {
    code: 'password-unknown',
    exitCode: exitCodes.checkFailed,
    remedy: '"sudo appliance stack up" gives it the one of the files',
  });
}
