import { newPassword } from '../core/password.ts';
import type { OldStack, TakenValue } from './old-stack.ts';
import { schema } from './schema.ts';
import type { SecretsFolder } from './secrets-folder.ts';
import type { FileName, Setting } from './setting.ts';

/** A key that gets a line. */
export interface PlannedValue {
  readonly file: FileName;
  readonly key: string;
  readonly value: string;
  /** Not to be shown. */
  readonly secret: boolean;
  /** Where the value is from, for people: `new`, `from django.env`. */
  readonly origin: string;
}

export interface SecretsPlan {
  readonly values: readonly PlannedValue[];
  /** Keys that stay as they are. */
  readonly kept: readonly { readonly file: FileName; readonly key: string }[];
  /** What else has to be known, as sentences. */
  readonly notes: readonly string[];
}

/** Where the containers of this host are met. */
export interface ContainerAddresses {
  readonly postgresHost: string;
  readonly redisSocket: string;
}

/**
 * What a secrets folder lacks for the containers of this host. A key that has a value keeps it, always; a server
 * elsewhere keeps its password; what the older stack had is taken where there is nothing yet.
 */
export function planSecrets(
  found: SecretsFolder,
  addresses: ContainerAddresses,
  old: OldStack | undefined,
): SecretsPlan {
  const values: PlannedValue[] = [];
  const kept: { file: FileName; key: string }[] = [];
  const notes: string[] = [];
  const existing = ({ file, key }: Setting<unknown>): string | undefined =>
    found.files
      .find(({ name }) => name === file)
      ?.assignments.find((each) => each.key === key && each.value !== '')?.value;
  const takenOf = (setting: Setting<unknown>): TakenValue | undefined =>
    old?.taken.find((each) => each.setting === setting);
  const set = (setting: Setting<unknown>, value: string, origin: string): void => {
    const { file, key, secret } = setting;
    values.push({ file, key, value, secret, origin });
  };
  const keep = ({ file, key }: Setting<unknown>): void => void kept.push({ file, key });

  /** The value that the key has afterwards. */
  const settle = (setting: Setting<unknown>, otherwise?: () => string): string | undefined => {
    const present = existing(setting);
    if (present !== undefined) {
      keep(setting);
      return present;
    }
    const taken = takenOf(setting);
    const value = taken?.value ?? otherwise?.();
    if (value !== undefined) set(setting, value, taken === undefined ? 'new' : `from ${taken.from}`);
    return value;
  };
  /** A server of the older stack was met by the name of its container, which this host does not know. */
  const settleHost = (setting: Setting<unknown>, ours: string): string => {
    const present = existing(setting);
    const taken = takenOf(setting)?.value;
    if (present === undefined && (taken === undefined || isContainerName(taken))) {
      if (taken !== undefined)
        notes.push(`${setting.key} was the container "${taken}"; it is the one of this host now`);
      set(setting, ours, 'new');
      return ours;
    }
    return settle(setting) ?? ours;
  };

  if (settleHost(schema.postgresHost, addresses.postgresHost) === addresses.postgresHost) {
    const user = takenOf(schema.postgresUser);
    if (existing(schema.postgresUser) === undefined && user?.value === 'postgres') {
      notes.push(
        'POSTGRES_USER was postgres, the superuser; the service has a role of its own now: appliance',
      );
    } else settle(schema.postgresUser);
    const database = takenOf(schema.postgresDatabase);
    if (existing(schema.postgresDatabase) !== undefined || database?.value !== 'postgres')
      settle(schema.postgresDatabase);
    settle(schema.postgresPassword, newPassword);
  } else {
    notes.push('POSTGRES_HOST names a server elsewhere: POSTGRES_PASSWORD is as you set it there');
    for (const each of [schema.postgresUser, schema.postgresDatabase, schema.postgresPassword]) settle(each);
  }

  if (settleHost(schema.redisHosts, addresses.redisSocket) === addresses.redisSocket) {
    if (existing(schema.redisConnectionType) === undefined) set(schema.redisConnectionType, 'unix', 'new');
    else keep(schema.redisConnectionType);
    const line = existing(schema.redisRequirePass) ?? takenOf(schema.redisRequirePass)?.value;
    const password = settle(schema.redisPassword, () => line ?? newPassword());
    if (existing(schema.redisRequirePass) === undefined && password !== undefined) {
      set(schema.redisRequirePass, password, 'as REDIS_PASS');
    } else keep(schema.redisRequirePass);
  } else {
    notes.push('REDIS_HOST names a server elsewhere: REDIS_PASS is as you set it there');
    for (const each of [schema.redisConnectionType, schema.redisPassword]) settle(each);
  }

  const done = new Set([...values, ...kept].map(({ key }) => key));
  for (const { setting } of old?.taken ?? []) {
    if (!done.has(setting.key) && !setOnPurpose.includes(setting)) settle(setting);
  }
  return { values, kept, notes };
}

/** Decided above, whatever the older stack had. */
const setOnPurpose: readonly Setting<unknown>[] = [
  schema.postgresHost,
  schema.postgresUser,
  schema.postgresDatabase,
  schema.postgresPort,
  schema.redisHosts,
  schema.redisConnectionType,
  schema.redisPort,
  schema.redisRequirePass,
];

/** One label: what Compose calls a service. */
function isContainerName(host: string): boolean {
  return /^[A-Za-z][\w-]*$/.test(host) && host !== 'localhost';
}
