import { basename, dirname, join } from 'node:path';
import { removeLeftovers } from '../../core/atomic-file.ts';
import { shellPlaces } from '../../core/shell-places.ts';
import { composeFiles } from '../stack/compose-files.ts';
import type { StackLayout } from '../stack/stack-layout.ts';
import { installedReleases } from './releases.ts';
import { sysctlFile } from './steps/kernel.ts';
import { allUnits, unitsFolder } from './units.ts';

/**
 * Removes what an install that was killed left under temporary names: from before this process began, so that nobody still
 * writes it. In folders that others use too only what stands beside our files. Never rejects.
 */
export async function removeHalfWritten(secretsFolder: string, layout: StackLayout): Promise<void> {
  const olderThanMs = Date.now() - performance.timeOrigin;
  const compose = composeFiles(layout.composeFolder);
  const ours = new Set([
    secretsFolder,
    installedReleases.folder,
    ...['.', 'postgres', 'redis'].map((part) => join(layout.secretsFolder, part)),
    ...[compose.record, ...compose.files.map(({ path }) => path)].map((path) => dirname(path)),
  ]);
  const among = [
    sysctlFile,
    installedReleases.link,
    ...Object.values(shellPlaces),
    ...allUnits.map((name) => join(unitsFolder, name)),
  ];
  await Promise.all([
    ...[...ours].map((folder) => removeLeftovers(folder, { olderThanMs })),
    ...among.map((path) => removeLeftovers(dirname(path), { olderThanMs, of: basename(path) })),
  ]);
}
