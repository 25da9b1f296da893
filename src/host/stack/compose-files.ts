import { createHash } from 'node:crypto';
import { chmod, chown, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { composeAssetNames, readAsset } from '../../core/assets.ts';
import { makeFolder, writeFileAtomically } from '../../core/atomic-file.ts';
import { UsageError } from '../../core/errors.ts';
import { readTextFile } from '../../core/text-file.ts';
import { type OwnFiles, writeFiles } from '../own-files.ts';

/** What a user may choose of the compose file, by the environment once or by `.env` beside it from then on. */
const choices = ['POSTGRES_IMAGE', 'REDIS_IMAGE', 'NGINX_IMAGE', 'POSTGRES_VOLUME'] as const;
export type Choices = { readonly [K in (typeof choices)[number]]?: string };

const fileMode = 0o644;
const folderMode = 0o755;

/** What is unpacked, and the record by which an edit of the owner is told from the text of an older release. */
export function composeFiles(folder: string): OwnFiles {
  return {
    record: join(folder, '.written'),
    files: composeAssetNames.map((name) => ({
      path: join(folder, relative('compose', name)),
      text: readAsset(name).toString('utf8'),
    })),
    unknownIs: 'older',
  };
}

/** Changes with the text of the unpacked files, so that containers are made anew when an update brings another. */
export async function composeRevision(folder: string): Promise<string> {
  const hash = createHash('sha256');
  for (const { path } of composeFiles(folder).files) {
    hash.update(relative(folder, path)).update((await readTextFile(path)).text ?? '');
  }
  return hash.digest('hex').slice(0, 16);
}

/**
 * Writes the compose file and what is mounted beside it, where they are missing or of an older release; what the owner edited stays.
 * The servers, users of their own, read what is mounted. Rejects like `writeFileAtomically`.
 */
export async function unpackComposeFiles(
  folder: string,
  options?: { readonly replaceEdited?: boolean },
): Promise<void> {
  const own = composeFiles(folder);
  for (const place of foldersOf(folder, own)) {
    await makeFolder(place, folderMode);
    await chmod(place, folderMode);
  }
  await writeFiles(own, options);
}

/** Whether a folder of what is unpacked is there with another mode: the servers, users of their own, may not get in. */
export async function haveWrongModes(folder: string): Promise<boolean> {
  const modes = await Promise.all(
    foldersOf(folder, composeFiles(folder)).map((place) => stat(place).catch(() => undefined)),
  );
  return modes.some((found) => found !== undefined && (found.mode & 0o777) !== folderMode);
}

function foldersOf(folder: string, { files }: OwnFiles): readonly string[] {
  return [...new Set([folder, ...files.map(({ path }) => dirname(path))])];
}

/** The choices that stand in `.env`. */
export async function readChoices(folder: string): Promise<Choices> {
  const { text = '' } = await readTextFile(join(folder, '.env'));
  const found = choices.flatMap((key) => {
    const value = new RegExp(`^${key}=(.*)$`, 'm').exec(text)?.[1]?.trim();
    return value ? [[key, value] as const] : [];
  });
  return Object.fromEntries(found);
}

/** The choices in the environment. Throws `UsageError` for what no image or volume is called. */
export function choicesFrom(environment: Readonly<Record<string, string | undefined>>): Choices {
  const found = choices.flatMap((key) => {
    const value = environment[key];
    if (!value) return [];
    if (!/^[A-Za-z0-9][\w./:@-]{0,255}$/.test(value)) {
      throw new UsageError(`${key} in the environment is not the name of one`, 'an image is NAME:TAG');
    }
    return [[key, value] as const];
  });
  return Object.fromEntries(found);
}

/** Keeps choices for the runs to come, those of `systemctl` and after a restart too. */
export async function keepChoices(folder: string, chosen: Choices): Promise<void> {
  const before = await readChoices(folder);
  const after: Choices = { ...before, ...chosen };
  if (choices.every((key) => before[key] === after[key])) return;
  const lines = choices.flatMap((key) => (after[key] === undefined ? [] : [`${key}=${after[key]}`]));
  const text = `# Kept by "appliance stack": what was chosen instead of the defaults in compose.yaml.\n${lines.join('\n')}\n`;
  await writeFileAtomically(join(folder, '.env'), text, fileMode);
}

/** Makes a folder what it has to be, whatever it was. */
export async function settleFolder(
  folder: string,
  mode: number,
  owner: { readonly uid: number; readonly gid: number },
): Promise<void> {
  await makeFolder(folder, mode);
  await chown(folder, owner.uid, owner.gid);
  await chmod(folder, mode);
}
