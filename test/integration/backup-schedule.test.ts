import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type Appliance, applianceCommand, startAppliance } from '../support/appliance.ts';
import { childrenOf } from '../support/child-processes.ts';
import { until } from '../support/until.ts';

let appliance: Appliance | undefined;
afterEach(() => appliance?.stop());
const archives = (folder: string) =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => name.endsWith('.tar.zst'))
        .toSorted()
    : [];

describe('a running service', () => {
  it('makes its backups by itself, keeps as many as it should, and gives no child a secret to show', async () => {
    appliance = await startAppliance({
      environment: { BACKUP_KEEP: '2', BACKUP_COPY_COMMAND: 'cp "$BACKUP_FILE" "$HOME/elsewhere"' },
      flags: ['--backup-schedule', '*:*:0/2'],
    });
    const folder = join(appliance.folder, 'data', 'backups');
    let shown = '';
    const look = () => {
      const own = readFileSync(`/proc/${appliance!.pid}/cmdline`, 'utf8');
      for (const pid of childrenOf(appliance!.pid)) {
        try {
          // until it is another program, it shows what the supervisor was started with
          const commandLine = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
          if (commandLine !== own) shown += commandLine + readFileSync(`/proc/${pid}/environ`, 'utf8');
        } catch {
          // it has ended
        }
      }
      return archives(folder);
    };
    await until('the first', () => look().length > 0);
    const [first] = look();
    await until('the first to go', () => look().length === 2 && !look().includes(first!), 120_000);
    await until('a copy', () => existsSync(join(appliance!.folder, 'elsewhere')));
    expect(shown).toContain('scheduled');
    expect(shown).not.toContain('elsewhere');
    expect(appliance.log()).toContain('a backup was made');
    const [file, ...leading] = applianceCommand();
    const env = { ...process.env, APP_DATA_DIR: join(appliance.folder, 'data'), HOME: appliance.folder };
    const status = (...flags: string[]) =>
      execFileSync(file, [...leading, 'status', ...flags], { cwd: appliance!.folder, env, encoding: 'utf8' });
    expect(status().replaceAll(/\s+/g, ' ')).toMatch(
      /Backups newest .*, without keys and passwords, not proven to restore, /,
    );
    const { backups } = JSON.parse(status('--json')) as { backups: object };
    expect(backups).toMatchObject({ newest: { encrypted: false, createdAt: expect.any(String) as string } });
    expect((await fetch(`${appliance.url}/health/live`)).ok).toBe(true);
  }, 300_000);

  it('says why one failed, and goes on answering', async () => {
    appliance = await startAppliance({
      flags: ['--backup-schedule', '*:*:0/2'],
      prepare(folder) {
        mkdirSync(join(folder, 'data'), { mode: 0o700 });
        writeFileSync(join(folder, 'data', 'backups'), 'no folder');
      },
    });
    await until('it to say so', () => appliance!.log().includes('the scheduled backup failed'));
    expect(appliance.log()).toMatch(/data\/backups/);
    expect((await fetch(`${appliance.url}/health/live`)).ok).toBe(true);
  });
});
