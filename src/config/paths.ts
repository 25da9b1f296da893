import { isAbsolute, join, resolve } from 'node:path';

/** Where an installed host keeps its configuration. */
export const installedSecretsFolder = '/etc/appliance/secrets';
const installedDataFolder = '/var/lib/appliance';
const installedRunFolder = '/run/appliance';
/** The folders of an installed host, which install and doctor look after themselves. */
export const installedFolders: readonly string[] = [installedDataFolder, installedRunFolder];

/** What the defaults of folders depend on. */
export interface Surroundings {
  readonly installed: boolean;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly workingFolder: string;
}

/** The XDG Base Directory Specification has relative paths ignored. */
function below(base: string | undefined, { workingFolder }: Surroundings): string {
  return base && isAbsolute(base) ? join(base, 'appliance') : resolve(workingFolder, '.appliance');
}

/** The folder for what must outlive a restart: certificates, databases, backups. */
export function defaultDataFolder(surroundings: Surroundings): string {
  if (surroundings.installed) return installedDataFolder;
  return below(surroundings.environment['XDG_STATE_HOME'], surroundings);
}

/** The folder for what ends with the service: the control socket. */
export function defaultRunFolder(surroundings: Surroundings): string {
  if (surroundings.installed) return installedRunFolder;
  return below(surroundings.environment['XDG_RUNTIME_DIR'], surroundings);
}
