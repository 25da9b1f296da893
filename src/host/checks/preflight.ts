import type { Check } from './check.ts';
import { clockChecks } from './clock.ts';
import { dockerChecks } from './docker.ts';
import { firewallChecks } from './firewall.ts';
import { nameChecks } from './names.ts';
import { occupiedChecks } from './occupied.ts';
import { portChecks } from './ports.ts';
import { roomChecks } from './room.ts';
import { systemChecks } from './system.ts';
import { writableCheck } from './writable.ts';

/** What has to be so before an install: a warning is told, a failure ends it before anything is changed. */
export const preflightChecks: readonly Check[] = [
  ...systemChecks,
  ...occupiedChecks,
  writableCheck,
  ...portChecks,
  ...firewallChecks,
  ...dockerChecks,
  ...nameChecks,
  ...roomChecks,
  ...clockChecks,
];
