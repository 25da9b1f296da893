import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readFailure, systemCode } from '../core/storage-failure.ts';
import { type ArchiveName, newestFirst, parseArchiveName } from './archive-name.ts';
import { type ArchiveFacts, readRecord } from './record.ts';

/** An archive in the folder of backups, with what became of it. */
export interface Backup extends ArchiveName, ArchiveFacts {
  /** Absolute. */
  readonly file: string;
  readonly sizeBytes: number;
}

/** As `newestFirst` has them. Rejects with `store-unreadable`; where there is no folder there are none. */
export async function listBackups(folder: string, now: number): Promise<readonly Backup[]> {
  const { archives } = await readRecord(folder);
  const names = await readdir(folder).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return [];
    throw readFailure(folder, error);
  });
  const backups: Backup[] = [];
  for (const archive of names.map(parseArchiveName)) {
    if (archive === undefined) continue;
    const file = join(folder, archive.name);
    const stats = await stat(file).catch(() => undefined);
    if (stats?.isFile()) backups.push({ ...archive, ...archives[archive.name], file, sizeBytes: stats.size });
  }
  return newestFirst(backups, now);
}
