import { basename, join } from 'node:path';
import { readAsset, unitAssetNames } from '../../core/assets.ts';

/** A unit as it is to lie on this host. */
export interface UnitFile {
  readonly name: string;
  readonly path: string;
  readonly text: string;
}

export interface WantedUnits {
  /** Whether PostgreSQL and Redis run in containers on this host. */
  readonly containers: boolean;
  /** BACKUP_SCHEDULE; undefined where no backups are made by themselves. */
  readonly backupSchedule: string | undefined;
}

/** Where the owner of a host puts units, not a package. */
export const unitsFolder = '/etc/systemd/system';

export const serviceUnit = 'appliance.service';
export const stackUnit = 'appliance-stack.service';
export const backupTimer = 'appliance-backup.timer';

/** All that this release knows of, so that what is not wanted any more can be removed. */
export const allUnits: readonly string[] = unitAssetNames.map((name) => basename(name));

/**
 * The units that a host is to have. Enabled are `serviceUnit` and `backupTimer`; the service starts the stack. Throws the file
 * system's error where the texts cannot be read.
 */
export function unitFiles({ containers, backupSchedule }: WantedUnits): readonly UnitFile[] {
  return unitAssetNames.flatMap((asset) => {
    const name = basename(asset);
    if (name === stackUnit && !containers) return [];
    if (name === backupTimer && backupSchedule === undefined) return [];
    const text = readAsset(asset).toString('utf8');
    return {
      name,
      path: join(unitsFolder, name),
      text: name === backupTimer ? text.replace(/^OnCalendar=.*$/m, `OnCalendar=${backupSchedule}`) : text,
    };
  });
}
