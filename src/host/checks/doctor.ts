import { answerChecks } from './answers.ts';
import { backupChecks } from './backups.ts';
import { certificateChecks } from './certificates.ts';
import type { Check } from './check.ts';
import { clockChecks } from './clock.ts';
import { containerChecks } from './containers.ts';
import { diskChecks } from './disk.ts';
import { dockerChecks } from './docker.ts';
import type { DoctorContext } from './doctor-context.ts';
import { firewallChecks } from './firewall.ts';
import { folderChecks } from './folders.ts';
import { geoipChecks } from './geoip.ts';
import { installChecks } from './install.ts';
import { kernelChecks } from './kernel.ts';
import { nameChecks } from './names.ts';
import { packetFilterChecks } from './packet-filter.ts';
import { portChecks } from './ports.ts';
import { programChecks } from './program.ts';
import { secretChecks } from './secrets.ts';
import { serviceChecks } from './service.ts';
import { stateChecks } from './state.ts';
import { systemChecks } from './system.ts';
import { timeZoneChecks } from './time-zone.ts';
import { unitChecks } from './units.ts';

/** What an install needs, and nobody who asks doctor can have lost since. */
const forInstall = ['root', 'systemd', 'architecture'];

/** All that doctor asks, by subject, in the order in which people read it. */
export const doctorChecks: readonly Check<DoctorContext>[] = [
  ...serviceChecks,
  ...answerChecks,
  ...certificateChecks,
  ...nameChecks,
  ...portChecks,
  ...firewallChecks,
  ...packetFilterChecks,
  ...secretChecks,
  ...folderChecks,
  ...stateChecks,
  ...dockerChecks,
  ...containerChecks,
  ...backupChecks,
  ...geoipChecks,
  ...installChecks,
  ...programChecks,
  ...unitChecks,
  ...diskChecks,
  ...kernelChecks,
  ...clockChecks,
  ...timeZoneChecks,
  ...systemChecks.filter(({ name }) => !forInstall.includes(name)),
];
