import { configOf, type Loaded } from '../config/load.ts';

/**
 * `APP_RUN_DIR`, where the running service is asked. What else is wrong with the configuration does not matter to a
 * service that runs already, nor to a user who may not read all of it. Throws `ConfigError` where this very key is bad.
 */
export function runFolderOf(loaded: Loaded): string {
  const value = loaded.values.find(({ field }) => field === 'runDir')?.value;
  return typeof value === 'string' ? value : configOf(loaded).runDir;
}
