import { isAbsolute } from 'node:path';
import type { Loaded } from '../config/load.ts';
import type { Io } from './command.ts';

/** Whether root runs this on a host without any configuration, and nobody named a folder for the data. */
export function isBareHost(
  { values, secretsDir }: Loaded,
  { environment }: Pick<Io, 'environment'>,
): boolean {
  const origin = values.find(({ field }) => field === 'dataDir')?.origin.kind;
  const isNamed = origin !== 'default' || isAbsolute(environment['XDG_STATE_HOME'] ?? '');
  return process.getuid?.() === 0 && secretsDir === undefined && !isNamed;
}

/** Tells whoever takes a host for installed that it is not, and which folder is worked in then. */
export function tellBareHost(loaded: Loaded, io: Io): void {
  if (!isBareHost(loaded, io)) return;
  const folder = loaded.config?.dataDir;
  if (folder === undefined) return;
  io.stderr.write(
    `this host is not installed: what is kept is in ${folder}, which an install does not look at; APP_DATA_DIR names another folder\n`,
  );
}
