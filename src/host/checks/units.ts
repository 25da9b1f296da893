import { type Check, failed, ok, skipped, warning } from './check.ts';
import type { DoctorContext } from './doctor-context.ts';
import { unmask } from './run-doctor.ts';
import { notInstalled } from './service.ts';
import { backupTimer, serviceUnit, unitsFolder } from '../install/units.ts';

const putBack =
  'sudo appliance install --yes puts it back; "sudo systemctl edit" is for settings of your own';

/** The files of the units against what this release brings. */
const unitFiles: Check<DoctorContext> = {
  name: 'unit-files',
  title: 'files of the units',
  run({ host, installed, unitFiles: wanted }) {
    if (!installed) return notInstalled;
    const missing: string[] = [];
    const edited: string[] = [];
    for (const { name, path, text } of wanted) {
      const found = host.text(path);
      if (found === undefined) missing.push(name);
      else if (found.trim() !== text.trim()) edited.push(name);
    }
    if (missing.length > 0) return failed(`missing in ${unitsFolder}: ${missing.join(', ')}`, putBack);
    if (edited.length > 0) {
      const other = edited.includes(backupTimer) ? ', or of another BACKUP_SCHEDULE' : '';
      return warning(`edited, or of another release${other}: ${edited.join(', ')}`, putBack);
    }
    return ok('they are as this release brings them');
  },
};

const dropIns: Check<DoctorContext> = {
  name: 'unit-drop-ins',
  title: 'settings of your own in units',
  async run(context) {
    if (!context.installed) return notInstalled;
    const units = [...(await context.units()).values()];
    const found = units.flatMap((unit) => unit.dropIns).filter((path) => path.startsWith('/etc/'));
    return ok(found.length === 0 ? 'none' : found.join(', '));
  },
};

const unitsLoaded: Check<DoctorContext> = {
  name: 'unit-reload',
  title: 'units as systemd knows them',
  async run(context) {
    if (!context.installed) return notInstalled;
    const units = [...(await context.units()).values()];
    if (units.length === 0) return skipped('systemd cannot be asked');
    const broken = units.filter(({ load }) => load !== 'loaded' && load !== 'not-found');
    if (broken.length > 0) {
      return failed(
        broken.map(({ name, load }) => `${name} is ${load}`).join(', '),
        broken.some(({ load }) => load === 'masked')
          ? unmask(...broken.flatMap(({ name, load }) => (load === 'masked' ? name : [])))
          : `systemd-analyze verify ${broken.map(({ path }) => path).join(' ')}`,
      );
    }
    const stale = units.filter((unit) => unit.stale).map(({ name }) => name);
    if (stale.length === 0) return ok('it has read them all');
    return warning(`changed since systemd read it: ${stale.join(', ')}`, 'sudo systemctl daemon-reload');
  },
};

/** Whether they come up with the host. */
const enabled: Check<DoctorContext> = {
  name: 'unit-enabled',
  title: 'start with the host',
  async run(context) {
    if (!context.installed) return notInstalled;
    const units = await context.units();
    if (units.size === 0) return skipped('systemd cannot be asked');
    if (units.get(serviceUnit)?.enabled === 'enabled')
      return ok(context.containers ? `${serviceUnit}, and with it the containers` : serviceUnit);
    return failed(`${serviceUnit} will not start with the host`, `sudo systemctl enable ${serviceUnit}`);
  },
};

const timer: Check<DoctorContext> = {
  name: 'backup-timer',
  title: 'timer of backups',
  async run(context) {
    if (!context.installed) return notInstalled;
    const isOff = context.configuration.values.backupSchedule === undefined;
    const unit = (await context.units()).get(backupTimer);
    if (isOff && unit?.active === 'active')
      return failed(`BACKUP_SCHEDULE is off, and ${backupTimer} is not`, 'sudo appliance install --yes');
    if (isOff) return skipped('BACKUP_SCHEDULE is off');
    if (unit === undefined) return skipped('systemd cannot be asked');
    if (unit.active === 'active' && unit.enabled === 'enabled') return ok('it is on');
    return failed(`${backupTimer} is off`, `sudo systemctl enable --now ${backupTimer}`);
  },
};

export const unitChecks: readonly Check<DoctorContext>[] = [unitFiles, dropIns, unitsLoaded, enabled, timer];
