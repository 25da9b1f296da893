import { statSync } from 'node:fs';
import { minuteText } from '../../core/time-text.ts';
import { type Check, failed, ok, skipped, warning } from './check.ts';
import type { DoctorContext } from './doctor-context.ts';

const create = 'sudo appliance backup create';

const newest: Check<DoctorContext> = {
  name: 'backup',
  title: 'newest backup',
  async run(context) {
    const now = context.host.now();
    const {
      archives: [archive],
      ahead,
    } = await context.backups();
    const dueMs = context.backupDueMs(now);
    if (archive === undefined && ahead !== undefined)
      return warning(
        `there is none but ${ahead}, dated ahead of the clock`,
        'is the clock right? timedatectl',
      );
    if (archive === undefined) {
      if (dueMs === undefined) return warning('there is none, and none is scheduled', create);
      return wasHereAt(context, dueMs)
        ? failed('there is none', create)
        : ok(`none yet, the schedule makes the first; at once: ${create}`);
    }
    const words = `is of ${minuteText(archive.createdMs)}`;
    if (dueMs !== undefined && archive.createdMs < dueMs)
      return failed(`${words}: older than the schedule has it`, `${create}, and see "backup-timer"`);
    if (ahead === undefined) return ok(words);
    return warning(
      `${words}; ${ahead} is dated ahead of the clock`,
      'is the clock right (timedatectl)? then remove it once "appliance backup verify" has proven a newer one',
    );
  },
};

/** Whether the appliance was set up at that time: what is new has no backup yet. */
function wasHereAt({ configuration: { secretsFolder }, dataFolder }: DoctorContext, ms: number): boolean {
  const folders = [dataFolder, ...(secretsFolder === undefined ? [] : [secretsFolder])];
  return folders.some((folder) => (statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? Infinity) < ms);
}

const failure: Check<DoctorContext> = {
  name: 'backup-failure',
  title: 'last run of a backup',
  async run(context) {
    const { archives, lastFailure } = await context.backups();
    if (lastFailure === undefined || lastFailure.atMs < (archives[0]?.createdMs ?? 0))
      return ok('did not fail');
    return failed(`failed ${minuteText(lastFailure.atMs)}: ${lastFailure.message}`, create);
  },
};

const proof: Check<DoctorContext> = {
  name: 'backup-proof',
  title: 'proof that a backup restores',
  async run(context) {
    const { archives } = await context.backups();
    if (archives.length === 0) return skipped('there is no backup');
    const proven = archives.find(({ verifiedMs }) => verifiedMs !== undefined);
    if (proven !== undefined) return ok(proven.name);
    return warning('no backup was ever proven to restore', 'sudo appliance backup verify');
  },
};

const copy: Check<DoctorContext> = {
  name: 'backup-copy',
  title: 'copy of backups elsewhere',
  async run(context) {
    const [archive] = (await context.backups()).archives;
    if (archive?.copyFailure !== undefined) {
      return failed(archive.copyFailure, `put it right, then: ${create}`);
    }
    if (context.configuration.values.backupCopyCommand !== undefined)
      return ok('BACKUP_COPY_COMMAND does it');
    return skipped(
      'not set: backups are on this host alone',
      'set BACKUP_COPY_COMMAND in app.env, then: sudo systemctl reload appliance',
    );
  },
};

const passphrase: Check<DoctorContext> = {
  name: 'backup-passphrase',
  title: 'passphrase of backups',
  async run(context) {
    const file = context.configuration.values.backupPassphraseFile;
    if (file === undefined) {
      return skipped(
        'not set: backups hold no keys and no passwords',
        'write one into a file of mode 0600 and set BACKUP_PASSPHRASE_FILE in app.env',
      );
    }
    await context.checkPassphrase(file);
    return ok(file);
  },
};

const restore: Check<DoctorContext> = {
  name: 'backup-restore',
  title: 'restore under way',
  async run(context) {
    const { unfinishedRestore } = await context.backups();
    if (unfinishedRestore === undefined) return ok('none');
    return failed('a restore has not come to its end', `sudo appliance backup restore ${unfinishedRestore}`);
  },
};

export const backupChecks: readonly Check<DoctorContext>[] = [
  newest,
  failure,
  proof,
  copy,
  passphrase,
  restore,
];
