import { exitCodes, Failure } from '../core/errors.ts';
import { shellWord } from '../core/shell-word.ts';
import type { BackupCopier } from '../ports/backup-copier.ts';
import { runShellLine } from './shell-line.ts';

/** A large archive over a slow line takes its time. */
const defaultTimeoutMs = 6 * 3_600_000;

/**
 * Copies by `BACKUP_COPY_COMMAND`, a line for `/bin/sh`, which finds PATH, HOME and the archive's absolute path in BACKUP_FILE in
 * its environment, nothing else. The command is a secret: it may name an account.
 */
export function createBackupCopyCommand(command: string, timeoutMs = defaultTimeoutMs): BackupCopier {
  return async (file, signal) => {
    const trouble = await runShellLine({
      command,
      environment: { BACKUP_FILE: file },
      input: '',
      timeoutMs,
      signal,
    });
    if (trouble === undefined) return;
    throw new Failure(`the backup is there, but not copied: the copy command ${trouble.words}`, {
      code: 'backup-copy-failed',
      exitCode: exitCodes.checkFailed,
      remedy: `Run the command of BACKUP_COPY_COMMAND by hand, as the user of the service, with BACKUP_FILE=${shellWord(file)}`,
      retryable: true,
    });
  };
}
