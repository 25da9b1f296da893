/**
 * Takes an archive off this host; `file` is its absolute path. Rejects with a Failure `backup-copy-failed` when that did not
 * work, or with the signal's reason when that aborts. Bounded in time by itself.
 */
export type BackupCopier = (file: string, signal: AbortSignal) => Promise<void>;
