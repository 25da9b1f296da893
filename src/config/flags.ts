import { type Field, settings } from './schema.ts';
import type { Setting } from './setting.ts';

/** A flag that sets a key for one run. */
export interface ConfigFlag {
  /** Without the dashes. */
  readonly name: string;
  readonly field: Field;
  readonly setting: Setting<unknown>;
}

/** The flag that names the secrets folder. */
export const secretsDirFlag = 'secrets-dir';

/** `APP_HTTP_PORT` is `http-port`, `GEOIP_URL` is `geoip-url`. */
function flagNameOf(key: string): string {
  return key.replace(/^APP_/, '').toLowerCase().replaceAll('_', '-');
}

/** Whether the key can come from the environment and from flags: the two special files hold no `KEY=value`. */
export function isVariable(setting: Setting<unknown>): boolean {
  return setting.file.endsWith('.env');
}

/** A flag for every key that is not a secret: anyone on the host can read a process's arguments. */
export const configFlags: readonly ConfigFlag[] = settings
  .filter(([, setting]) => isVariable(setting) && !setting.secret)
  .map(([field, setting]) => ({ name: flagNameOf(setting.key), field, setting }));

/** The key of a secret that somebody tried to give as a flag, or undefined. */
export function secretKeyOfFlag(name: string): string | undefined {
  const found = settings.find(([, { key, secret }]) => secret && flagNameOf(key) === name);
  return found?.[1].key;
}
