import { lstat, realpath, stat } from 'node:fs/promises';

/** Where an export goes. */
export interface ExportPlace {
  /** Of the file itself, where a link was named. */
  readonly path: string;
  /** A pipe or a device is written to as it is, and what is there is not replaced. */
  readonly isSpecial: boolean;
}

/** `file` is absolute. Never rejects: what is wrong with it is found when it is opened. */
export async function exportPlace(file: string): Promise<ExportPlace> {
  const found = await stat(file).catch(() => undefined);
  if (found === undefined) return { path: file, isSpecial: false };
  const isSpecial = (!found.isFile() && !found.isDirectory()) || (await isOpenFile(file));
  return { path: isSpecial ? file : await realpath(file).catch(() => file), isSpecial };
}

/** `/dev/stdout` and its like: links to what a process has open, be it a file. */
async function isOpenFile(file: string): Promise<boolean> {
  return /^\/(dev|proc)\//.test(file) && (await lstat(file)).isSymbolicLink();
}
