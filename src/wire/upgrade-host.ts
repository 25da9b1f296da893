import { existsSync, realpathSync } from 'node:fs';
import { readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { becomeOwner, ownerToBecome } from '../adapters/data-folder-owner.ts';
import type { Config } from '../config/schema.ts';
import { exitCodes, Failure, reasonOf } from '../core/errors.ts';
import { halfUpgradedRemedy, halfUpgradedWords } from '../core/half-upgraded.ts';
import { releaseKey } from '../core/release-key.ts';
import { compareReleases } from '../core/release-order.ts';
import {
  installedReleases,
  lockReleases,
  readReleases,
  recordName,
  releaseBinary,
  removeCutOff,
} from '../host/install/releases.ts';
import { systemd } from '../host/install/systemd.ts';
import { serviceUnit, unitFiles } from '../host/install/units.ts';
import { lookAtFiles, type OwnFile, writeFiles } from '../host/own-files.ts';
import type { Examination } from '../host/upgrade/candidate.ts';
import { changeRelease, type Changed, type ChangeRequest } from '../host/upgrade/change-release.ts';
import { releaseFileSize } from '../host/upgrade/release-file.ts';
import { settle } from '../host/upgrade/settle.ts';
import { type Followed, runInUnit } from '../host/upgrade/transient-unit.ts';
import { connectToService, type ServiceStatus } from '../supervisor/control-client.ts';
import { upgradeUnderWay } from '../supervisor/upgrade-failure.ts';
import { openDatabase } from './state.ts';

const place = installedReleases;
const record = join(place.folder, recordName);

/** Another release on this host, for the commands. */
export const upgrader = {
  /** Does it in a unit of its own, by the release in use, and follows it. Gives its exit code. Rejects with `upgrade-cut-off`. */
  async begin(request: ChangeRequest, to: Followed): Promise<number> {
    await mustBeOurs();
    if (request.named !== undefined) await releaseFileSize(request.named);
    const { current } = await readReleases(place);
    const status = await runInUnit(
      [process.execPath, ...argumentsOf(request)],
      [process.execPath, 'upgrade', 'settle', ...(current === undefined ? [] : ['--from', current])],
      to,
    );
    if (status === undefined) throw await cutOff();
    return status;
  },

  /** Does it. Rejects with `locked` (exit code 5) where somebody else changes releases. */
  async apply(config: Config, request: ChangeRequest, progress: (step: string) => void): Promise<Changed> {
    await mustBeOurs();
    const lock = await lockReleases('appliance upgrade');
    const control = connectToService<unknown, unknown>(config.runDir);
    try {
      await removeCutOff(place);
      return await changeRelease(request, {
        place,
        key: releaseKey,
        progress,
        service: {
          async version() {
            const seen = await lookAtService(config);
            if (seen === 'silent') throw silent();
            if (seen?.upgrading === true) throw upgradeUnderWay();
            return seen?.version;
          },
          upgrade: async (file, version, step) => void (await control.upgrade({ file, version }, step)),
        },
      });
    } finally {
      await lock.release();
    }
  },

  /**
   * Finishes what was killed, where that can be; `from` was installed when it began. Rejects with `locked` (exit code 5) where somebody
   * else changes releases.
   */
  async settle(
    config: Config,
    from: string | undefined,
    progress: (step: string) => void,
  ): ReturnType<typeof settle> {
    const lock = await lockReleases('appliance upgrade');
    try {
      return await settle({ place, from, progress, look: () => lookAtService(config) });
    } finally {
      await lock.release();
    }
  },

  /**
   * Looks whether this release can live with the database, after which `from` has to be able to as well. As root it
   * becomes the owner of the data. Rejects with `database-schema-newer`.
   */
  async examine(config: Config, from: string): Promise<Examination> {
    const owner = ownerToBecome(config.dataDir);
    if (owner !== undefined) becomeOwner(owner);
    const database = await openDatabase(config);
    try {
      const pending = await database.pendingMigrations();
      const barring = pending.find(({ oldestRelease }) => compareReleases(from, oldestRelease) < 0);
      return { migrations: pending.length, oneWay: barring?.name, unknown: undefined };
    } catch (error) {
      if (error instanceof Failure && error.code === 'database-schema-newer') throw error;
      return { migrations: 0, oneWay: undefined, unknown: reasonOf(error) };
    } finally {
      await database.close();
    }
  },

  /**
   * Brings units and `shellFiles` that an older release wrote to the texts of this one; gives the paths of those it changed.
   * Units count when the service starts next.
   */
  async renewFiles({ backupSchedule }: Config, shellFiles: readonly OwnFile[]): Promise<readonly string[]> {
    const known = [...unitFiles({ containers: true, backupSchedule }), ...shellFiles];
    const files = known.filter(({ path }) => existsSync(path));
    const own = { record, files, unknownIs: 'edited' } as const;
    const older = (await lookAtFiles(own)).filter(({ state }) => state === 'older');
    if (older.length === 0) return [];
    await writeFiles(own, { replaceEdited: false });
    await systemd.readUnits();
    return older.map(({ path }) => path);
  },
};

/** `silent`: there is a process, and it does not answer. Undefined: it does not run. */
async function lookAtService(config: Config): Promise<ServiceStatus | 'silent' | undefined> {
  try {
    return await connectToService<unknown, unknown>(config.runDir).status();
  } catch (error) {
    if (!(error instanceof Failure) || !['not-running', 'service-silent'].includes(error.code)) throw error;
    return (await mainProcess()) === undefined ? undefined : 'silent';
  }
}

function silent(): Failure {
  return new Failure('the service runs, and does not answer: it could not be asked to hand over', {
    code: 'service-silent',
    exitCode: exitCodes.locked,
    retryable: true,
    remedy:
      'it may start or end just now: try again in a minute; if it stays so: sudo systemctl stop appliance, then the same again',
  });
}

/** That of the service, as systemd has it. */
async function mainProcess(): Promise<string | undefined> {
  const { MainPID: pid = '0' } = await systemd.properties(serviceUnit, ['MainPID']);
  return pid === '0' ? undefined : pid;
}

/** Without the configuration, which nothing else here needs: the program that systemd has for the main process. */
async function runningRelease(): Promise<string | undefined> {
  const pid = await mainProcess();
  const binary = pid === undefined ? undefined : await readlink(`/proc/${pid}/exe`).catch(() => undefined);
  const { versions } = await readReleases(place);
  return versions.find((version) => releaseBinary(place, version) === binary);
}

async function cutOff(): Promise<Failure> {
  const [{ current }, running] = await Promise.all([readReleases(place), runningRelease()]);
  const what = 'the upgrade was cut off: what did it was killed';
  const code = 'upgrade-cut-off';
  if (running !== undefined && current !== undefined && running !== current) {
    const half = { running, installed: current };
    return new Failure(`${what}. ${halfUpgradedWords(half)}`, {
      code,
      remedy: `${halfUpgradedRemedy(half)}. How it is: sudo appliance status`,
    });
  }
  const state =
    running === undefined
      ? `the service does not run, and ${current} is installed`
      : `${running} serves, and is installed`;
  return new Failure(`${what}. ${state}`, {
    code,
    remedy:
      'see how it is: sudo appliance status; then, where it is not yet the release you want, do the same again',
  });
}

/** What the unit runs; all that it needs besides is in the configuration of the host. */
function argumentsOf({ named, allowUnsigned, backup }: ChangeRequest): readonly string[] {
  return [
    'upgrade',
    'apply',
    ...(allowUnsigned ? ['--allow-unsigned'] : []),
    ...(backup ? [] : ['--no-backup']),
    ...(named === undefined ? [] : [named]),
  ];
}

/** Root, on a host with systemd, by the release that is in use: its key judges the others. */
async function mustBeOurs(): Promise<void> {
  const refuse = (message: string, code: string, remedy: string): never => {
    throw new Failure(message, { code, exitCode: exitCodes.usage, remedy });
  };
  if (process.geteuid?.() !== 0) refuse('only root may change the release', 'needs-root', 'use sudo');
  if (!existsSync('/run/systemd/system'))
    refuse(
      'this host was not started by systemd: there is no service to hand over',
      'no-systemd',
      'end the program and start the other one',
    );
  const { current } = await readReleases(place);
  if (current === undefined)
    refuse(
      `this host was not set up by "appliance install": ${place.link} is no link to a release`,
      'not-installed',
      'install it first: sudo ./appliance install',
    );
  else if (realpathSync(process.execPath) !== releaseBinary(place, current))
    refuse(
      `this is not the release in use, which judges others: that is ${place.link}`,
      'not-in-use',
      `run it: sudo ${place.link} upgrade FILE`,
    );
}
