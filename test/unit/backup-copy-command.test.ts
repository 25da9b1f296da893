import { describe, expect, it } from 'vitest';
import { createBackupCopyCommand } from '../../src/adapters/backup-copy-command.ts';

const { signal } = new AbortController();

describe('a copy command', () => {
  it('that hangs is ended with all it started, and that is said', async () => {
    const started = performance.now();
    const copy = createBackupCopyCommand('sleep 1000 & sleep 1000', 100);
    await expect(copy('/my backups/a.tar.zst', signal)).rejects.toMatchObject({
      code: 'backup-copy-failed',
      retryable: true,
      message: expect.stringContaining('was not done within 0.1 seconds and was ended'),
      remedy: expect.stringContaining("BACKUP_FILE='/my backups/a.tar.zst'"),
    });
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});
