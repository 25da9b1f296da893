import { readFileSync } from 'node:fs';
import { chmod, chown, lstat, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { PlannedValue } from '../../config/secrets-plan.ts';
import type { FileName } from '../../config/setting.ts';
import { type FileOwner, makeFolder, writeFileAtomically } from '../../core/atomic-file.ts';
import { Failure, exitCodes } from '../../core/errors.ts';
import { type HeldLock, takeLock } from '../../core/file-lock.ts';
import { readTextFile } from '../../core/text-file.ts';
import { settleFolder } from './compose-files.ts';
import { withAssignment, withoutAssignment, withRequirepass } from './secrets-text.ts';

const folderMode = 0o750;
const fileMode = 0o640;

/** What the files of the folder are called. */
export const secretsFiles = Object.keys({
  'app.env': true,
  'acme.env': true,
  'postgres.env': true,
  'redis.env': true,
  'redis.password.conf': true,
  'geoip.key': true,
} satisfies Record<FileName, true>);

/**
 * Makes the folder where it is missing, and gives whose the files in it are to be. One of an installed host that root
 * prepared for itself alone becomes what the service may read, with what it holds of ours.
 */
export async function settleSecretsFolder(
  folder: string,
  installed: boolean,
  group = groupNumber('appliance') ?? 0,
): Promise<FileOwner> {
  const found = await stat(folder).catch(() => undefined);
  const isToOpen = installed && process.geteuid?.() === 0 && (await isRootsOnly(folder));
  if (found !== undefined && !isToOpen) return { uid: found.uid, gid: found.gid };
  await makeFolder(dirname(folder), 0o755);
  // who keeps a checkout keeps its secrets, though root makes them
  const { uid, gid } = await stat(dirname(folder));
  const owner = installed ? { uid: 0, gid: group } : { uid, gid };
  if (isToOpen) await settleFiles(folder, owner);
  // last: it is by the folder that a run after one that was killed knows
  if (process.geteuid?.() === 0) await settleFolder(folder, folderMode, owner);
  else await makeFolder(folder, folderMode);
  return owner;
}

async function settleFiles(folder: string, owner: FileOwner): Promise<void> {
  for (const path of secretsFiles.map((name) => join(folder, name))) {
    const file = await lstat(path).catch(() => undefined);
    if (file?.isFile() !== true || file.uid !== 0 || file.gid !== 0) continue;
    await chown(path, owner.uid, owner.gid);
    await chmod(path, fileMode);
  }
}

/** Whether a folder is there and root's, of the group root too. */
export async function isRootsOnly(folder: string): Promise<boolean> {
  const found = await stat(folder).catch(() => undefined);
  return found?.uid === 0 && found.gid === 0;
}

/** Whose work in the folder is done by one at a time. Rejects with `locked` (exit code 5). */
export function lockSecrets(folder: string, holder: string): Promise<HeldLock> {
  return takeLock({ path: join(folder, '.lock'), subject: 'the secrets', holder });
}

/** Writes keys of one file, in one step: the rest of it, its mode and its owner stay as they are. */
export async function writeSecrets(
  folder: string,
  values: readonly PlannedValue[],
  newOwner: FileOwner,
): Promise<void> {
  for (const file of new Set(values.map((each) => each.file))) {
    const path = join(folder, file);
    const before = (await readTextFile(path)).text ?? '';
    const own = values.filter((each) => each.file === file);
    const text = own.reduce(
      (sum, { key, value }) =>
        file === 'redis.password.conf'
          ? withRequirepass(sum, value)
          : file === 'geoip.key'
            ? `${value}\n`
            : withAssignment(sum, key, value),
      before,
    );
    const found = await stat(path).catch(() => undefined);
    const owner = found ?? newOwner;
    const asRoot = process.geteuid?.() === 0 ? { uid: owner.uid, gid: owner.gid } : undefined;
    await writeFileAtomically(path, text, found === undefined ? fileMode : found.mode & 0o777, asRoot);
  }
}

/** Takes lines out of the files: the rest of each, its mode and its owner stay as they are. */
export async function removeSecrets(
  folder: string,
  keys: readonly Pick<PlannedValue, 'file' | 'key'>[],
): Promise<void> {
  for (const { file, key } of keys) {
    const path = join(folder, file);
    const { text } = await readTextFile(path);
    const after = text === undefined ? undefined : withoutAssignment(text, key);
    if (after === undefined || after === text) continue;
    const { uid, gid, mode } = await stat(path);
    const owner = process.geteuid?.() === 0 ? { uid, gid } : undefined;
    await writeFileAtomically(path, after, mode & 0o777, owner);
  }
}

/**
 * Refuses to go on where somebody else may read or change a secret. `names` are the files of the folder. Rejects with
 * the Failure `secrets-modes` (exit code 2), which names each with the command that puts it right.
 */
export async function checkModes(folder: string, names: readonly string[]): Promise<void> {
  const wrong: string[] = [];
  const remedies: string[] = [];
  const above = await stat(folder).catch(() => undefined);
  if (above === undefined) return;
  const trusted = new Set([0, above.uid, process.geteuid?.() ?? 0]);
  const paths = [
    { path: folder, mode: folderMode },
    ...names.map((name) => ({ path: join(folder, name), mode: fileMode })),
  ];
  for (const { path, mode } of paths) {
    const found = await stat(path).catch(() => undefined);
    if (found === undefined) continue;
    const bits = (found.mode & 0o777).toString(8).padStart(4, '0');
    if ((found.mode & 0o027) !== 0) {
      const verb = (found.mode & 0o022) === 0 ? 'read' : 'change';
      wrong.push(`${path} has mode ${bits}: others may ${verb} it`);
      remedies.push(`chmod ${mode.toString(8).padStart(4, '0')} ${quoted(path)}`);
    }
    if (!trusted.has(found.uid)) {
      wrong.push(`${path} belongs to user ${found.uid}, who may change it`);
      remedies.push(`chown ${above.uid} ${quoted(path)}`);
    }
  }
  if (wrong.length === 0) return;
  throw new Failure(wrong.join('\n'), {
    code: 'secrets-modes',
    exitCode: exitCodes.usage,
    remedy: `${remedies.join(' && ')}; if somebody may have read them, "appliance secrets rotate" afterwards`,
  });
}

function quoted(path: string): string {
  return /^[\w./:@%+=,-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`;
}

function groupNumber(name: string): number | undefined {
  const line = readFileSync('/etc/group', 'utf8')
    .split('\n')
    .find((each) => each.startsWith(`${name}:`));
  const gid = Number(line?.split(':')[2]);
  return Number.isInteger(gid) ? gid : undefined;
}
