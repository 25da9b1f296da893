import { dirname, basename } from 'node:path';
import type { Clock } from '../core/clock.ts';
import { parseArchiveName } from './archive-name.ts';
import type { CountedTable } from './archive-reader.ts';
import type { ArchiveHead } from './format.ts';
import { proveArchive, type ProofOptions } from './proof.ts';
import { noteArchive } from './record.ts';

export interface VerifyOptions extends ProofOptions {
  readonly clock: Pick<Clock, 'now'>;
}

export interface VerifiedBackup {
  readonly file: string;
  readonly sha256: string;
  readonly head: ArchiveHead;
  readonly tables: readonly CountedTable[];
  readonly files: number;
  readonly plainBytes: number;
}

/** Proves an archive, and keeps that it was. Rejects as `proveArchive` does, or where that cannot be written. */
export async function verifyBackup(options: VerifyOptions): Promise<VerifiedBackup> {
  const { archive, folder, clock } = options;
  const { read, end } = await proveArchive(options);
  await end();
  const name = basename(archive.path);
  if (dirname(archive.path) === folder && parseArchiveName(name) !== undefined)
    await noteArchive(folder, name, { verifiedMs: clock.now() });
  const { sha256, head, tables, plainBytes, manifest } = read;
  const files = manifest.entries.filter(({ mode }) => mode !== undefined).length;
  return { file: archive.path, sha256, head, tables, files, plainBytes };
}
