import { Refusal } from './kind.ts';
import { ConfigError } from './problem.ts';
import { schema } from './schema.ts';
import type { ContainerAddresses, PlannedValue } from './secrets-plan.ts';
import type { SecretsFolder } from './secrets-folder.ts';
import type { FileName, Setting } from './setting.ts';

/** What an install was told, as it would be written in the files. Undefined: nothing was said. */
export interface InstallWishes {
  readonly domain?: string | undefined;
  readonly email?: string | undefined;
  readonly directoryUrl?: string | undefined;
  /** Where the trust anchor will lie. */
  readonly caFile?: string | undefined;
  /** What stands for every address, where that is not `::`. */
  readonly listenHost?: string | undefined;
}

export interface SettingsPlan {
  readonly values: readonly PlannedValue[];
  /** What changes, a line each: `acme.env: CERT_DOMAIN = b.example, was a.example`. */
  readonly changes: readonly string[];
  /** What the owner has otherwise than an install would write it. */
  readonly kept: readonly string[];
}

/** What a server that everybody reaches has, where its owner said nothing else. */
function ofAServer({ listenHost = '::' }: InstallWishes): readonly (readonly [Setting<unknown>, string])[] {
  return [
    [schema.listenHost, listenHost],
    [schema.httpPort, '80'],
    [schema.httpsPort, '443'],
  ];
}

/** The keys that an install writes. One that has a value keeps it, unless a wish says otherwise. */
export function planSettings(found: SecretsFolder, wishes: InstallWishes): SettingsPlan {
  const values: PlannedValue[] = [];
  const changes: string[] = [];
  const kept: string[] = [];
  const valueOf = ({ file, key }: Setting<unknown>): string | undefined =>
    found.files
      .find(({ name }) => name === file)
      ?.assignments.find((each) => each.key === key && each.value !== '')?.value;
  const set = (setting: Setting<unknown>, value: string, before: string | undefined): void => {
    const { file, key, secret } = setting;
    values.push({ file, key, value, secret, origin: 'install' });
    changes.push(`${file}: ${key} = ${value}${before === undefined ? '' : `, was ${before}`}`);
  };

  for (const [setting, value] of ofAServer(wishes)) {
    const before = valueOf(setting);
    if (before === undefined) set(setting, value, before);
    else if (!isSame(setting, before, value))
      kept.push(`${setting.file}: ${setting.key} = ${before}, usually ${value}`);
  }
  const told: readonly (readonly [Setting<unknown>, string | undefined])[] = [
    [schema.certificates, wishes.domain],
    [schema.certEmail, wishes.email],
    [schema.certDirectoryUrl, wishes.directoryUrl],
    [schema.certCaFile, wishes.caFile],
  ];
  for (const [setting, value] of told) {
    const before = valueOf(setting);
    if (value !== undefined && (before === undefined || !isSame(setting, before, value)))
      set(setting, value, before);
  }
  return { values, changes, kept };
}

/** The flag of an install for a key, by the flag of that key for the service. */
const flagsOfInstall: Readonly<Record<string, string>> = {
  'flag --cert-domain': '--domain',
  'flag --cert-email': '--email',
  'flag --cert-directory-url': '--acme-directory',
  'flag --cert-ca-file': '--acme-ca-file',
};

/** The same error in the words of whoever typed `install`; any other one as it is. */
export function inFlagsOfInstall(error: unknown): unknown {
  if (!(error instanceof ConfigError)) return error;
  return new ConfigError(
    error.problems.map((problem) => {
      const source = flagsOfInstall[problem.source];
      if (source === undefined) return problem;
      const { key: _key, message, ...rest } = problem;
      return { ...rest, source, message: message.replace('set CERT_CA_FILE to', 'give --acme-ca-file') };
    }),
  );
}

/** A line that is taken out again. */
export interface WithdrawnLine {
  readonly file: FileName;
  readonly key: string;
  readonly value: string;
}

/** The lines by which a host meets its own containers: without them it keeps its state in a file. */
export function containerLines(
  found: SecretsFolder,
  { postgresHost, redisSocket }: ContainerAddresses,
): readonly WithdrawnLine[] {
  const lineOf = ({ file, key }: Setting<unknown>, ours: string): WithdrawnLine[] => {
    const { assignments = [] } = found.files.find(({ name }) => name === file) ?? {};
    return assignments.some((each) => each.key === key && each.value === ours)
      ? [{ file, key, value: ours }]
      : [];
  };
  const redis = lineOf(schema.redisHosts, redisSocket);
  return [
    ...lineOf(schema.postgresHost, postgresHost),
    ...redis,
    ...(redis.length > 0 ? lineOf(schema.redisConnectionType, 'unix') : []),
  ];
}

/** Whatever way it is written. */
function isSame({ kind }: Setting<unknown>, one: string, other: string): boolean {
  const text = (written: string): string => {
    const value = kind.parse(written);
    return value instanceof Refusal ? written : kind.format(value as never);
  };
  return text(one) === text(other);
}
