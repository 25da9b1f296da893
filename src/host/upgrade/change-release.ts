import { exitCodes, Failure } from '../../core/errors.ts';
import { compareReleases } from '../../core/release-order.ts';
import {
  placeRelease,
  pruneReleases,
  readReleases,
  releaseBinary,
  type ReleasesPlace,
  switchRelease,
} from '../install/releases.ts';
import { systemd } from '../install/systemd.ts';
import { runProgram } from '../run-program.ts';
import { type Candidate, examine, takeCandidate } from './candidate.ts';
import { finish } from './finish.ts';

/** The running service, as far as it matters here. */
export interface RunningService {
  /** The version that serves; undefined where none does. Rejects with `upgrade-under-way` where it hands over just now. */
  version(): Promise<string | undefined>;
  /** Has it hand over to that binary. Rejects with `upgrade-went-back`, and then the one before serves on. */
  upgrade(binary: string, version: string, progress: (step: string) => void): Promise<void>;
}

export interface ChangeRequest {
  /** The file of a release, absolute; undefined: the release before. */
  readonly named: string | undefined;
  readonly allowUnsigned: boolean;
  readonly backup: boolean;
}

export interface ChangeParts {
  readonly place: ReleasesPlace;
  readonly service: RunningService;
  /** Built into the release that runs this. */
  readonly key: string | undefined;
  progress(step: string): void;
}

export interface Changed {
  readonly from: string;
  readonly to: string;
  /** Whether a service was there to hand over. */
  readonly running: boolean;
}

const unit = 'appliance.service';
const backupMs = 30 * 60_000;

/**
 * Puts another release in the place of the one that serves: looks at it, makes a backup, places it, has the running service
 * hand over, and only then leads the link to it. Killed anywhere, the same again brings it to its end. The caller holds the
 * lock of the releases. Rejects with a Failure; then the release before serves, and the link leads to it.
 */
export async function changeRelease(request: ChangeRequest, parts: ChangeParts): Promise<Changed> {
  const { place, service, progress } = parts;
  const { link, current, previous } = await readReleases(place);
  if (link !== 'ours' || current === undefined) throw notInstalled(place);
  const candidate = await candidateOf(request, parts, previous);
  try {
    const to = candidate.version;
    const running = await service.version();
    if (to === current && (running === undefined || running === to)) {
      // of a run that was killed at its end
      await finish(to, parts);
      throw sameVersion(to);
    }
    if (compareReleases(to, current) < 0 && request.named !== undefined)
      progress(`${to} is older than ${current}, which is in use: this goes back`);
    if (running !== to) {
      const looked = await examine(candidate.binary, current);
      if (looked.unknown !== undefined) progress(`the database could not be looked at: ${looked.unknown}`);
      if (looked.oneWay !== undefined) throw oneWay(looked.oneWay, to, current);
      if (running !== undefined) await expectListening();
      if (request.backup) await makeBackup(releaseBinary(place, current), progress);
    }
    await candidate.place();
    if (running !== undefined && running !== to)
      await service.upgrade(releaseBinary(place, to), to, progress);
    if (await switchRelease(place, to)) progress(`the link leads to ${to}`);
    await finish(to, parts);
    return { from: current, to, running: running !== undefined };
  } catch (error) {
    // what did not do well is kept no longer
    if (error instanceof Failure && error.code === 'upgrade-went-back')
      await pruneReleases(place).catch(() => []);
    throw error;
  } finally {
    await candidate.remove();
  }
}

interface ReleaseToBe {
  readonly version: string;
  /** What runs for a look, before it is in its place. */
  readonly binary: string;
  place(): Promise<void>;
  remove(): Promise<void>;
}

async function candidateOf(
  { named, allowUnsigned }: ChangeRequest,
  { place, key, progress }: ChangeParts,
  previous: string | undefined,
): Promise<ReleaseToBe> {
  if (named === undefined) {
    if (previous === undefined) throw noneBefore();
    const binary = releaseBinary(place, previous);
    return { version: previous, binary, place: async () => {}, remove: async () => {} };
  }
  const candidate = await takeCandidate({ place, named, key, allowUnsigned });
  tellOrigin(candidate, named, progress);
  const { files, remove } = candidate;
  return {
    version: files.version,
    binary: files.binary,
    remove,
    async place() {
      if (await placeRelease(place, files)) progress(`${files.version} lies in ${place.folder}`);
    },
  };
}

function tellOrigin(
  { files, origin, undamaged }: Candidate,
  named: string,
  progress: ChangeParts['progress'],
): void {
  progress(
    `${named} is ${files.version}, ${origin === 'signed' ? 'signed by the key of this release' : 'of unknown origin: no signature was asked for'}`,
  );
  if (undamaged) progress('it came here undamaged: its sha256 is the one in SHA256SUMS');
}

/** What hands over to another main process has to be heard by systemd (sd_notify(3)). */
async function expectListening(): Promise<void> {
  const { Type: type, NotifyAccess: access } = await systemd.properties(unit, ['Type', 'NotifyAccess']);
  if (type === 'notify' && access === 'all') return;
  throw new Failure(
    `${unit} says Type=${type} and NotifyAccess=${access}: systemd would not hear of the new process`,
    {
      code: 'upgrade-unit',
      exitCode: exitCodes.checkFailed,
      remedy: 'bring the unit back: sudo appliance install',
    },
  );
}

/** By the release in use: it knows the tables. */
async function makeBackup(binary: string, progress: ChangeParts['progress']): Promise<void> {
  progress('making a backup');
  const { exitCode, stdout, stderr } = await runProgram(binary, ['backup', 'create'], {
    timeoutMs: backupMs,
  });
  if (exitCode !== 0)
    throw new Failure(`no backup could be made: ${stderr.trim().replace(/^error: /, '')}`, {
      code: 'upgrade-backup',
      exitCode: exitCodes.checkFailed,
      remedy: 'put that right, or go on without: --no-backup. Nothing was changed',
    });
  for (const line of stdout.trim().split('\n')) progress(line.trim());
}

function notInstalled({ link }: ReleasesPlace): Failure {
  return new Failure(`this host was not set up by "appliance install": ${link} is no link to a release`, {
    code: 'not-installed',
    exitCode: exitCodes.usage,
    remedy: 'install it first: sudo ./appliance install',
  });
}

function sameVersion(version: string): Failure {
  return new Failure(`${version} is in use already`, {
    code: 'upgrade-same',
    exitCode: exitCodes.usage,
    remedy: 'another build of the same version needs a version of its own',
  });
}

function noneBefore(): Failure {
  return new Failure('there is no release to go back to', {
    code: 'upgrade-none-before',
    exitCode: exitCodes.usage,
    remedy: 'name the file of one: appliance upgrade FILE',
  });
}

function oneWay(migration: string, to: string, current: string): Failure {
  return new Failure(
    `${to} would change the database (${migration}) so that ${current} could not work on it any more`,
    {
      code: 'upgrade-one-way',
      exitCode: exitCodes.checkFailed,
      remedy: `upgrade to a release between the two first, so that there is always a way back`,
    },
  );
}
