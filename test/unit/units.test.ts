import { describe, expect, it } from 'vitest';
import { installedSecretsFolder } from '../../src/config/paths.ts';
import { allUnits, unitFiles } from '../../src/host/install/units.ts';

const names = (wanted: Parameters<typeof unitFiles>[0]) => unitFiles(wanted).map(({ name }) => name);

describe('the units of a host', () => {
  it('are all of them, where there are containers and backups', () => {
    expect(names({ containers: true, backupSchedule: 'daily' })).toEqual(allUnits);
    for (const { name, path, text } of unitFiles({ containers: true, backupSchedule: 'daily' })) {
      expect(path).toBe(`/etc/systemd/system/${name}`);
      expect(text).toMatch(/^# /);
    }
  });

  it('are without the stack where there are no containers, and without a timer where backups are off', () => {
    expect(names({ containers: false, backupSchedule: undefined })).toEqual([
      'appliance.service',
      'appliance-backup.service',
    ]);
  });

  it('name the folder of the configuration, so that nothing runs with defaults where it is gone', () => {
    const units = unitFiles({ containers: false, backupSchedule: undefined });
    for (const { text } of units)
      expect(text).toContain(`\nEnvironment=APP_SECRETS_DIR=${installedSecretsFolder}\n`);
  });

  it('have the timer go when BACKUP_SCHEDULE says', () => {
    const timer = unitFiles({ containers: false, backupSchedule: 'Mon..Fri *-*-* 03:30:00 UTC' }).at(-1);
    expect(timer?.text.match(/^OnCalendar=.*$/gm)).toEqual(['OnCalendar=Mon..Fri *-*-* 03:30:00 UTC']);
  });
});
