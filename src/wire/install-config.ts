import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { configFlags } from '../config/flags.ts';
import {
  containerLines,
  inFlagsOfInstall,
  type InstallWishes,
  planSettings,
  type WithdrawnLine,
} from '../config/install-settings.ts';
import { configOf, loadConfig } from '../config/load.ts';
import { installedSecretsFolder } from '../config/paths.ts';
import type { Config } from '../config/schema.ts';
import { readSecretsFolder, type SecretsFolder } from '../config/secrets-folder.ts';
import { UsageError } from '../core/errors.ts';
import { keptInContainers } from '../host/install/kept-in-containers.ts';
import type { DockerState } from '../host/install/steps/docker.ts';
import type { OwnFile } from '../host/own-files.ts';
import { runProgram } from '../host/run-program.ts';
import { readChoices } from '../host/stack/compose-files.ts';
import { stackLayout } from '../host/stack/stack-layout.ts';

/** `stays-embedded`: this host was installed without, and what it keeps does not move by itself. */
export type ContainerChoice = 'containers' | 'embedded' | 'stays-embedded' | 'elsewhere';

export interface InstallRequest {
  readonly wishes: Omit<InstallWishes, 'caFile' | 'listenHost'>;
  /** The trust anchor of a private authority: where it was found, and its PEM. */
  readonly anchor: { readonly file: string; readonly pem: string } | undefined;
  readonly noContainers: boolean;
  /** An archive of images. Absolute. */
  readonly images: string | undefined;
  readonly replaceEdited: boolean;
  /** Completion and the manual. */
  readonly shellFiles: readonly OwnFile[];
  /** What was found of it. */
  readonly docker: DockerState | 'not-needed';
  readonly environment: Readonly<Record<string, string | undefined>>;
}

const folder = installedSecretsFolder;
/** What the trust anchor is called in the folder. */
export const anchorName = 'acme-ca.pem';

/** What the host's folder holds now; nothing where there is none. Throws where it cannot be read. */
export function foundSecrets(): SecretsFolder {
  return existsSync(folder) ? readSecretsFolder(folder) : { files: [], problems: [], warnings: [] };
}

/** With the trust anchor where the service will find it, and what this kernel listens on for every address. */
export function wishesOf({ wishes, anchor }: InstallRequest): InstallWishes {
  return {
    ...wishes,
    caFile: anchor === undefined ? undefined : join(folder, anchorName),
    listenHost: existsSync('/proc/net/if_inet6') ? '::' : '0.0.0.0',
  };
}

/** As the service will read it: nothing of this process's environment. Throws `ConfigError`. */
export function installedConfig(): Config {
  return configOf(loadConfig({ flags: {}, environment: {}, workingFolder: '/' }));
}

/** On a host without any yet, what an installed one has by default. Throws `ConfigError` where the files are wrong. */
export function configNow(): Config {
  return existsSync(folder) ? installedConfig() : loadWith({});
}

function loadWith(flags: Readonly<Record<string, string>>): Config {
  const places = existsSync(folder) ? {} : { 'data-dir': '/var/lib/appliance', 'run-dir': '/run/appliance' };
  const loaded = loadConfig({ flags: { ...places, ...flags }, environment: {}, workingFolder: '/' });
  return { ...configOf(loaded), installed: true, secretsDir: folder };
}

/** With what this install will write. Throws `ConfigError` with every problem that there would be. */
export function configToBe(request: InstallRequest): Config {
  const { values } = planSettings(foundSecrets(), { ...wishesOf(request), caFile: request.anchor?.file });
  const flags = Object.fromEntries(
    values.flatMap(({ key, value }) => {
      const flag = configFlags.find(({ setting }) => setting.key === key);
      return flag === undefined ? [] : [[flag.name, value] as const];
    }),
  );
  const gone = withdrawnLines(request).map(({ key }) => key);
  return {
    ...inWordsOfInstall(() => loadWith(flags)),
    ...(gone.includes('POSTGRES_HOST') ? { postgresHost: undefined } : {}),
    ...(gone.includes('REDIS_HOST') ? { redisHosts: undefined } : {}),
  };
}

function inWordsOfInstall<Value>(load: () => Value): Value {
  try {
    return load();
  } catch (error) {
    throw inFlagsOfInstall(error);
  }
}

/** What an install wrote for containers that never kept anything, where they are not wanted now. */
export function withdrawnLines({ noContainers }: InstallRequest): readonly WithdrawnLine[] {
  if (!noContainers) return [];
  return containerLines(foundSecrets(), stackLayout({ installed: true, dataDir: configNow().dataDir }));
}

/** Rejects with a UsageError where the flag contradicts what this host has. */
export async function containerChoice(config: Config, noContainers: boolean): Promise<ContainerChoice> {
  const layout = stackLayout({ installed: true, dataDir: config.dataDir });
  const usesOwn =
    config.postgresHost === layout.postgresHost || config.redisHosts?.[0] === layout.redisSocket;
  if (noContainers) {
    if (!usesOwn) return 'embedded';
    const { POSTGRES_VOLUME: chosenVolume } = await readChoices(layout.composeFolder);
    const kept = await keptInContainers({ chosenVolume, run: runProgram });
    // an install wrote where they are to be met, and never got to start them
    if (kept === undefined) return 'embedded';
    throw new UsageError(
      `${kept}; --no-containers would leave it behind`,
      'leave the flag out; to move: "appliance backup create", take POSTGRES_HOST and REDIS_HOST out, "backup restore"',
    );
  }
  if (usesOwn) return 'containers';
  if (config.postgresHost !== undefined && config.redisHosts !== undefined) return 'elsewhere';
  const keepsFile = config.postgresHost === undefined && existsSync(join(config.dataDir, 'state.sqlite'));
  return keepsFile ? 'stays-embedded' : 'containers';
}

/** Which servers are containers of this host, with what is about to be written. */
export function ownServices(
  config: Config,
  planned: readonly { readonly key: string; readonly value: string }[],
  layout: ReturnType<typeof stackLayout>,
): readonly string[] {
  const written = (key: string) => planned.find((each) => each.key === key)?.value;
  const postgres = written('POSTGRES_HOST') ?? config.postgresHost;
  const redis = written('REDIS_HOST') ?? config.redisHosts?.[0];
  return [
    ...(postgres === layout.postgresHost ? ['postgres'] : []),
    ...(redis === layout.redisSocket ? ['redis'] : []),
  ];
}
