import { archiveFailure, shown } from './archive-failure.ts';
import type { FileClass } from './format.ts';

/** What an entry of an archive is, by its name. */
export type EntryName =
  | { readonly is: 'head' }
  | { readonly is: 'rows'; readonly table: string; readonly part: number }
  | { readonly is: 'file'; readonly fileClass: FileClass; readonly path: string }
  | { readonly is: 'manifest' };

const fileClasses: readonly FileClass[] = ['certificates', 'configuration', 'stack'];
const rows = /^tables\/([a-z_][a-z0-9_]{0,62})\/(\d{6})\.ndjson$/;
const longestPath = 1000;
const longestName = 200;
/** Ours have five; each is a folder that a reader remembers. */
const mostParts = 16;

/** Throws `backup-entry` for every name that no backup has, above all for those that would lead out of their folder. */
export function entryName(name: string): EntryName {
  const fault = faultOf(name);
  if (fault !== undefined) throw archiveFailure('backup-entry', `the entry ${shown(name)} ${fault}`);
  if (name === 'archive.json') return { is: 'head' };
  if (name === 'manifest.json') return { is: 'manifest' };
  const [, table, part] = rows.exec(name) ?? [];
  if (table !== undefined) return { is: 'rows', table, part: Number(part) };
  const [top, fileClass, ...path] = name.split('/');
  const known = fileClasses.find((each) => each === fileClass);
  if (top === 'files' && known !== undefined && path.length > 0)
    return { is: 'file', fileClass: known, path: path.join('/') };
  throw archiveFailure('backup-entry', `the entry ${shown(name)} belongs to no backup`);
}

/** Why no entry may have that name, in words that follow it. */
export function faultOf(name: string): string | undefined {
  if (name.startsWith('/')) return 'is an absolute path';
  if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(name)) return 'has control characters in its name';
  if (name.includes('\\')) return 'has a backslash in its name';
  // what was no UTF-8 was replaced by this
  if (!name.isWellFormed() || name.includes('\uFFFD')) return 'has a name that is no text';
  if (name.length > longestPath) return 'has too long a name';
  const parts = name.split('/');
  if (parts.length > mostParts) return 'has too many parts in its name';
  if (parts.includes('..')) return 'has ".." in its name';
  if (parts.some((part) => part === '' || part === '.')) return 'has an empty part in its name';
  if (parts.some((part) => Buffer.byteLength(part) > longestName)) return 'has too long a name';
  return undefined;
}
