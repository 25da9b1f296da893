import { countText } from '../core/count-text.ts';
import { isObject } from '../core/is-object.ts';
import { archiveFailure, shown } from './archive-failure.ts';
import { parseJson } from './archive-head.ts';
import type { Manifest, ManifestEntry } from './format.ts';

/** An entry as it was found. */
export interface SeenEntry {
  readonly size: number;
  /** In lower-case hexadecimal. */
  readonly sha256: string;
  /** A file of the host, which has permission bits. */
  readonly isFile: boolean;
}

/** Throws `backup-damaged` for what is no manifest. */
export function parseManifest(bytes: Uint8Array): Manifest {
  const { entries, tables } = parseJson(bytes, 'manifest.json');
  if (!isListOf(entries, isEntry) || !isListOf(tables, isTable))
    throw archiveFailure('backup-damaged', 'manifest.json does not say what a manifest has to say');
  return { entries, tables };
}

/** Throws `backup-damaged` where what was found is not what the manifest says. Names the entry or the table. */
export function checkManifest(
  { entries, tables }: Manifest,
  seen: ReadonlyMap<string, SeenEntry>,
  counted: readonly { readonly name: string; readonly rows: number }[],
): void {
  const damaged = (why: string) => archiveFailure('backup-damaged', `it is damaged: ${why}`);
  const left = new Map(seen);
  for (const { path, size, sha256, mode } of entries) {
    const found = left.get(path);
    if (found === undefined) throw damaged(`the entry ${shown(path)} is missing, or is named twice`);
    if (found.size !== size)
      throw damaged(`the entry ${shown(path)} has ${found.size} bytes, and the manifest says ${size}`);
    if (found.sha256 !== sha256) throw damaged(`the entry ${shown(path)} is not what was written (sha256)`);
    if (found.isFile !== (mode !== undefined))
      throw damaged(`the entry ${shown(path)} has ${mode === undefined ? 'no mode' : 'a mode'}`);
    left.delete(path);
  }
  const [unknown] = left.keys();
  if (unknown !== undefined)
    throw archiveFailure('backup-entry', `the entry ${shown(unknown)} is not in the manifest`);
  const told = new Map(tables.map(({ name, rows }) => [name, rows]));
  for (const { name, rows } of counted) {
    if (told.get(name) !== rows)
      throw damaged(
        `the table "${name}" has ${countText(rows, 'row')}, and the manifest says ${told.get(name) ?? 'nothing'}`,
      );
  }
  if (tables.length !== counted.length) throw damaged('the manifest names other tables than archive.json');
}

function isEntry(found: unknown): found is ManifestEntry {
  if (!isObject(found)) return false;
  const { path, size, sha256, mode } = found;
  return (
    typeof path === 'string' &&
    isCount(size) &&
    typeof sha256 === 'string' &&
    /^[0-9a-f]{64}$/.test(sha256) &&
    // nothing that would give the rights of another user
    (mode === undefined || (isCount(mode) && mode <= 0o777))
  );
}

function isTable(found: unknown): found is Manifest['tables'][number] {
  return isObject(found) && typeof found['name'] === 'string' && isCount(found['rows']);
}

function isCount(found: unknown): found is number {
  return Number.isSafeInteger(found) && Number(found) >= 0;
}

function isListOf<T>(found: unknown, allowed: (each: unknown) => each is T): found is readonly T[] {
  return Array.isArray(found) && found.every(allowed);
}
