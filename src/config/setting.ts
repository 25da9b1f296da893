import type { Kind } from './kind.ts';
import type { Surroundings } from './paths.ts';

/** The files of the secrets folder: `KEY=value` all, but the last two. */
export const files = [
  'app.env',
  'acme.env',
  'postgres.env',
  'redis.env',
  'redis.password.conf',
  'geoip.key',
] as const;
export type FileName = (typeof files)[number];

/** One key of the configuration. `T` is what a value of it becomes. */
export interface Setting<T> {
  readonly key: string;
  readonly file: FileName;
  readonly kind: Kind<NonNullable<T>> | Kind<T>;
  /** One or two sentences for whoever fills in the file. */
  readonly help: string;
  /** As it would be written, or found out from the surroundings. Absent: nothing. */
  readonly default: string | ((surroundings: Surroundings) => string) | undefined;
  /** A value that could stand there, for keys whose default cannot be written down. */
  readonly example: string | undefined;
  /** Never shown, and never taken as a flag, which anyone on the host can read. */
  readonly secret: boolean;
  /** False where this release checks the value and does nothing else with it. */
  readonly effective: boolean;
}

interface Detail {
  readonly help: string;
  readonly example?: string;
  readonly secret?: true;
  readonly effective?: false;
}

interface SettingMaker {
  <T>(key: string, kind: Kind<T>, detail: Detail & { default: Setting<T>['default'] & {} }): Setting<T>;
  <T>(key: string, kind: Kind<T>, detail: Detail): Setting<T | undefined>;
}

/** Makes the settings of one file. */
export function settingsOf(file: FileName): SettingMaker {
  return <T>(
    key: string,
    kind: Kind<T>,
    detail: Detail & { default?: Setting<T>['default'] },
  ): Setting<T> => ({
    key,
    file,
    kind,
    help: detail.help,
    default: detail.default,
    example: detail.example,
    secret: detail.secret ?? false,
    effective: detail.effective ?? true,
  });
}
