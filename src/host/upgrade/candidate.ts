import { chmod, copyFile, mkdir, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { makeFolder } from '../../core/atomic-file.ts';
import { expectRoom } from '../../core/disk-room.ts';
import { exitCodes, Failure } from '../../core/errors.ts';
import { isObject } from '../../core/is-object.ts';
import { writeFailure } from '../../core/storage-failure.ts';
import { isOurProgram } from '../install/our-program.ts';
import { candidateName, type ReleaseFiles, type ReleasesPlace } from '../install/releases.ts';
import { runProgram } from '../run-program.ts';
import { isWholeProgram, releaseFileSize, unfit } from './release-file.ts';
import { isUndamaged, type Origin, originOf } from './signature.ts';

/** A release that may take the place of the one in use. */
export interface Candidate {
  readonly files: ReleaseFiles;
  readonly origin: Origin;
  /** Whether its sums were there, and right. */
  readonly undamaged: boolean;
  /** Deletes the copy. Never rejects. */
  remove(): Promise<void>;
}

export interface CandidateRequest {
  readonly place: ReleasesPlace;
  /** Absolute, as the owner named it. */
  readonly named: string;
  readonly key: string | undefined;
  readonly allowUnsigned: boolean;
}

/** What a release says of itself on this host, `appliance upgrade examine`. */
export interface Examination {
  /** Changes of the database that it would make, of which going back would be barred by the named. */
  readonly migrations: number;
  readonly oneWay: string | undefined;
  /** Why the database could not be looked at. */
  readonly unknown: string | undefined;
}

const timeoutMs = 60_000;
const mayBeCut =
  'the file may be damaged: hold it against SHA256SUMS of the release (sha256sum -c SHA256SUMS), or fetch it again';

/**
 * Copies the file to where only root may change it, and judges that copy: nobody can swap it after the look, and it is not run
 * before its origin is known. The caller holds the lock of the releases. Rejects with `upgrade-file` where it is no release, as `originOf` and `isUndamaged` do, and as
 * files that cannot be read or written.
 */
export async function takeCandidate({
  place,
  named,
  key,
  allowUnsigned,
}: CandidateRequest): Promise<Candidate> {
  const size = await releaseFileSize(named);
  // the copy, and the folder of its version
  await expectRoom(place.folder, 2 * size + 50_000_000, 'a new release');
  await makeFolder(place.folder, 0o755);
  // one name for all, by the lock: what a killed run left goes with the next
  const folder = join(place.folder, candidateName);
  const binary = join(folder, 'appliance');
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true }).catch(() => undefined);
  try {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { mode: 0o700 });
    await copyFile(named, binary);
    await chmod(binary, 0o700);
    const isWhole = await isWholeProgram(binary);
    if (isWhole === false)
      throw unfit(
        `${named} is incomplete: its end is missing`,
        'fetch it again; with SHA256SUMS of the release beside it, "sha256sum -c SHA256SUMS" says whether it is whole',
      );
    if (isWhole === undefined || !(await isOurProgram(binary)))
      throw unfit(`${named} is no release of the appliance`);
    const undamaged = await isUndamaged(binary, named);
    const origin = await originOf({ file: binary, named, key, allowUnsigned });
    const version = await versionOf(binary, named);
    const name = await nativeOf(binary, folder);
    const native = await readFile(join(folder, name));
    return { files: { version, binary, native: { name, content: () => native } }, origin, undamaged, remove };
  } catch (error) {
    await remove();
    throw error instanceof Failure ? error : writeFailure(folder, error);
  }
}

/**
 * Has a release read this host's configuration and look at its database. Rejects with `upgrade-unfit` in the words of the release
 * where it cannot live with them.
 */
export async function examine(binary: string, from: string): Promise<Examination> {
  const { exitCode, stdout, stderr } = await runProgram(binary, ['upgrade', 'examine', '--from', from], {
    timeoutMs,
  });
  if (exitCode !== 0)
    throw new Failure(`the new version cannot serve here: ${told(stderr, exitCode)}`, {
      code: 'upgrade-unfit',
      exitCode: exitCodes.checkFailed,
      remedy: 'put that right, then try again; nothing was changed',
    });
  const found: unknown = JSON.parse(stdout);
  if (!isObject(found)) throw unfit('the new version says nothing of itself');
  const { migrations, oneWay, unknown } = found;
  return {
    migrations: typeof migrations === 'number' ? migrations : 0,
    oneWay: typeof oneWay === 'string' ? oneWay : undefined,
    unknown: typeof unknown === 'string' ? unknown : undefined,
  };
}

async function versionOf(binary: string, named: string): Promise<string> {
  const { exitCode, stdout, stderr } = await runProgram(binary, ['version'], { timeoutMs });
  const version = /^appliance (\d+\.\d+\.\d+\S*) \(/.exec(stdout)?.[1];
  if (exitCode === 0 && version !== undefined) return version;
  throw unfit(`${named} does not run on this host: ${told(stderr, exitCode)}`, mayBeCut);
}

/** Has it write its native file, and gives that one's name. */
async function nativeOf(binary: string, folder: string): Promise<string> {
  const { exitCode, stdout, stderr } = await runProgram(binary, ['native-file', folder], { timeoutMs });
  const name = basename(stdout.trim());
  if (exitCode === 0 && /^[\w-]+\.node$/.test(name)) return name;
  throw unfit(`the new version cannot be unpacked: ${told(stderr, exitCode)}`, mayBeCut);
}

/** The last words of a program, without their mark. */
function told(stderr: string, exitCode: number): string {
  const words = stderr.trim().replace(/^error: /, '');
  return words === '' ? `it ended with status ${exitCode}` : words;
}
