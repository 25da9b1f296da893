import type { Stats } from 'node:fs';
import { lstat, readdir, readFile, rmdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { removeLeftovers } from '../../core/atomic-file.ts';
import { Failure } from '../../core/errors.ts';
import { shellWord } from '../../core/shell-word.ts';
import { readFailure, systemCode, writeFailure } from '../../core/storage-failure.ts';
import type { runProgram } from '../run-program.ts';

type Run = typeof runProgram;

/** What has that name, links not followed; undefined where nothing has. Rejects with `store-unreadable`. */
export async function lookAt(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return undefined;
    throw readFailure(path, error);
  }
}

const mostNamed = 20;

/** The end of a sentence about what goes: with it what others put there, by name. */
export function andForeign(paths: readonly string[]): string {
  if (paths.length === 0) return '';
  const more = paths.length > mostNamed ? ` and ${paths.length - mostNamed} more` : '';
  return `, and what the appliance did not make: ${paths.slice(0, mostNamed).join(', ')}${more}`;
}

/** The text of a plain file of root's (or of whoever runs this); undefined for all else. */
export async function readOwnText(path: string): Promise<string | undefined> {
  const found = await lookAt(path);
  if (found === undefined || !found.isFile() || found.uid !== process.geteuid?.()) return undefined;
  return readFile(path, 'utf8');
}

/** Removes a file, or a link and not what it leads to, and what killed writers left beside it. Where there is none, nothing. */
export async function removeFile(path: string): Promise<void> {
  await removeLeftovers(dirname(path), { olderThanMs: 0, of: path.slice(path.lastIndexOf('/') + 1) });
  await unlink(path).catch((error: unknown) => {
    if (!['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) throw writeFailure(path, error);
  });
}

/** Removes that folder and those above it, up to `top`, as long as they are empty. Never rejects. */
export async function removeEmptyFolders(folder: string, top: string): Promise<void> {
  for (let at = folder; at !== top && at.startsWith(`${top}/`); at = dirname(at)) {
    try {
      await rmdir(at);
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') return;
    }
  }
}

/**
 * Removes a folder with all that is in it. Links in it are not followed, not even those that somebody sets while this
 * goes on, and what is mounted in it stays. Gives the mounts, with which the folders above them stay. Rejects with
 * `not-removed`.
 */
export async function removeFolder(path: string, run: Run): Promise<readonly string[]> {
  const found = await lookAt(path);
  if (found === undefined) return [];
  return removeAround(path, await mountsIn(path), run);
}

async function removeAround(path: string, mounts: readonly string[], run: Run): Promise<readonly string[]> {
  if (mounts.length === 0) {
    // it walks by open folders and not by their names, which Node's own does not
    const { exitCode, stderr } = await run('rm', ['--recursive', '--force', '--one-file-system', '--', path]);
    if (exitCode === 0) return [];
    throw new Failure(`${path} cannot be removed`, {
      code: 'not-removed',
      remedy: `find out what keeps it, then run this again: ls -lad ${shellWord(path)}`,
      cause: new Error(stderr.trim().split('\n').at(-1)),
    });
  }
  for (const name of await readdir(path)) {
    const below = join(path, name);
    const inside = mounts.filter((mount) => mount === below || mount.startsWith(`${below}/`));
    if (!inside.includes(below)) await removeAround(below, inside, run);
  }
  return mounts;
}

/** Where something is mounted at or below that folder: proc_pid_mountinfo(5). */
async function mountsIn(path: string): Promise<readonly string[]> {
  const text = await readFile('/proc/self/mountinfo', 'utf8');
  return text
    .split('\n')
    .map((line) =>
      (line.split(' ')[4] ?? '').replaceAll(/\\(\d{3})/g, (_, octal: string) => character(octal)),
    )
    .filter((mount) => mount === path || mount.startsWith(`${path}/`));
}

function character(octal: string): string {
  return String.fromCodePoint(Number.parseInt(octal, 8));
}
