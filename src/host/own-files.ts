import { createHash } from 'node:crypto';
import { chmod, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeFolder, writeFileAtomically } from '../core/atomic-file.ts';
import { lineDifference } from '../core/line-difference.ts';
import { readTextFile } from '../core/text-file.ts';

/** A file of ours among those of the host, which its owner may edit. */
export interface OwnFile {
  /** Absolute. */
  readonly path: string;
  readonly text: string;
}

export interface OwnFiles {
  /** Where the hashes of what was written are kept, as sha256sum(1) writes them. */
  readonly record: string;
  readonly files: readonly OwnFile[];
  /** A file that the record does not know, with another text than ours: an older release's, or somebody's own. */
  readonly unknownIs: 'older' | 'edited';
}

export type OwnFileState = 'same' | 'absent' | 'older' | 'edited';

export interface FoundFile extends OwnFile {
  readonly state: OwnFileState;
  /** Where it is edited: from ours (`+`) to what is there (`-`), as `lineDifference` has it, its beginning where that is long. */
  readonly difference: readonly string[];
}

const fileMode = 0o644;
const folderMode = 0o755;

/** What is there of these files. Rejects with `store-unreadable`. */
export async function lookAtFiles({ record, files, unknownIs }: OwnFiles): Promise<readonly FoundFile[]> {
  const known = await readRecord(record);
  return Promise.all(
    files.map(async (file) => {
      const found = await readTextFile(file.path);
      const state = stateOf(file, found, known, unknownIs);
      const difference = state === 'edited' ? shown(lineDifference(found.text ?? '', file.text)) : [];
      return { ...file, state, difference };
    }),
  );
}

const mostLines = 20;

function shown(lines: readonly string[]): readonly string[] {
  if (lines.length <= mostLines) return lines;
  return [...lines.slice(0, mostLines), `… and ${lines.length - mostLines} lines more`];
}

function stateOf(
  { path, text }: OwnFile,
  found: Awaited<ReturnType<typeof readTextFile>>,
  known: Known,
  unknownIs: 'older' | 'edited',
): OwnFileState {
  if (found.text === text) return 'same';
  if (found.text === undefined && found.absent) return 'absent';
  const hashes = known.get(path);
  if (hashes === undefined) return unknownIs;
  return hashes.includes(sha256(found.text ?? '')) ? 'older' : 'edited';
}

/**
 * Writes those that are missing or of an older release; what the owner edited stays, unless `replaceEdited`. Gives what was
 * written. Killed at any moment it leaves each file old or new, and never takes one of ours for an edited one. Rejects like
 * `writeFileAtomically`.
 */
export async function writeFiles(
  own: OwnFiles,
  { replaceEdited = false }: { readonly replaceEdited?: boolean } = {},
): Promise<readonly string[]> {
  const found = await lookAtFiles(own);
  const due = found.filter(({ state }) => state !== 'same' && (state !== 'edited' || replaceEdited));
  await remember(own, found);
  for (const { path, text } of due) {
    await makeFolder(dirname(path), folderMode);
    await writeFileAtomically(path, text, fileMode, asRoot());
  }
  for (const { path, state } of found) {
    // nobody else may change what root's programs read
    if (state === 'same' && ((await stat(path)).mode & 0o777) !== fileMode) await chmod(path, fileMode);
  }
  return due.map(({ path }) => path);
}

/** Whether we ever wrote a file of that path, whatever it is now. */
export async function knowsFile(record: string, path: string): Promise<boolean> {
  return (await readRecord(record)).has(path);
}

/** Whether there is a file with a text that we wrote. `root`: what every path of the host begins with in a test. */
export async function wroteFile(record: string, path: string, root = ''): Promise<boolean> {
  const { text } = await readTextFile(root + path);
  if (text === undefined) return false;
  return (await readRecord(root + record)).get(path)?.includes(sha256(text)) ?? false;
}

type Known = ReadonlyMap<string, readonly string[]>;

/** Before the files are written: what is about to be there is ours already. */
async function remember({ record }: OwnFiles, found: readonly FoundFile[]): Promise<void> {
  const known = new Map(await readRecord(record));
  let changed = false;
  for (const { path, text } of found) {
    const hashes = known.get(path) ?? [];
    const own = sha256(text);
    if (hashes.at(-1) === own) continue;
    // the one before may be what is there still
    known.set(path, [...hashes.filter((each) => each !== own).slice(-1), own]);
    changed = true;
  }
  if (!changed) return;
  const lines = [...known].flatMap(([path, hashes]) => hashes.map((hash) => `${hash}  ${path}\n`));
  await makeFolder(dirname(record), folderMode);
  await writeFileAtomically(record, lines.join(''), fileMode, asRoot());
}

async function readRecord(record: string): Promise<Known> {
  const { text = '' } = await readTextFile(record);
  const known = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [, hash, path] = /^([0-9a-f]{64}) {2}(.+)$/.exec(line) ?? [];
    if (hash === undefined || path === undefined) continue;
    known.set(path, [...(known.get(path) ?? []), hash]);
  }
  return known;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function asRoot() {
  return process.geteuid?.() === 0 ? { uid: 0, gid: 0 } : undefined;
}
