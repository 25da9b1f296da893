import { exitCodes, Failure, type FailureDetail } from '../core/errors.ts';
import { printable } from '../core/printable.ts';

/** Why an archive is refused. Nothing was changed by then. */
export type ArchiveFault =
  /** There is no such file. */
  | 'backup-missing'
  /** It is something else. */
  | 'backup-foreign'
  /** It ends before its end. */
  | 'backup-truncated'
  /** It is not what was written. */
  | 'backup-damaged'
  /** It was never finished. */
  | 'backup-unfinished'
  /** A later release wrote it, in a format or with tables that this one does not know. */
  | 'backup-newer-format'
  | 'backup-newer-schema'
  | 'backup-passphrase-missing'
  | 'backup-passphrase-wrong'
  /** Names or kinds of entries that no backup has. */
  | 'backup-entry'
  /** Rows that do not fit the tables it names, or tables that do not fit the database. */
  | 'backup-shape'
  /** It grows beyond all measure when it is unpacked. */
  | 'backup-bomb'
  /** It does not read back from a database as it went in. */
  | 'backup-differs';

const remedies: Readonly<Record<ArchiveFault, string>> = {
  'backup-missing': '"appliance backup list" names those that there are.',
  'backup-foreign': 'Name an archive that "appliance backup create" made.',
  'backup-truncated': 'Copy it again from where it is whole, or take an older one: appliance backup list',
  'backup-damaged': 'Copy it again from where it is whole, or take an older one: appliance backup list',
  'backup-unfinished': 'Take another one: appliance backup list',
  'backup-newer-format': 'Use the release that wrote it, or a later one.',
  'backup-newer-schema': 'Use the release that wrote it, or a later one.',
  'backup-passphrase-missing':
    'Name the file that has the passphrase: --passphrase-file FILE, or set BACKUP_PASSPHRASE_FILE.',
  'backup-passphrase-wrong': 'Name the file with the passphrase it was made with: --passphrase-file FILE',
  'backup-entry': 'Do not trust it: somebody else made or changed it.',
  'backup-shape': 'Take another one: appliance backup list',
  'backup-bomb': 'Do not trust it: somebody else made or changed it.',
  'backup-differs': 'Take another one, and report this with the name of the table: appliance backup list',
};

const byUsage: readonly ArchiveFault[] = [
  'backup-missing',
  'backup-passphrase-missing',
  'backup-passphrase-wrong',
];

export function archiveFailure(
  code: ArchiveFault,
  message: string,
  detail: Partial<FailureDetail> = {},
): Failure {
  return new Failure(message, {
    remedy: remedies[code],
    exitCode: byUsage.includes(code) ? exitCodes.usage : exitCodes.checkFailed,
    ...detail,
    code,
  });
}

/** A name out of an archive, for a person's eyes. */
export function shown(name: string): string {
  const line = printable(name);
  return `"${line.length > 120 ? `${line.slice(0, 120)}…` : line}"`;
}
