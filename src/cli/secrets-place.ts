import type { Loaded } from '../config/load.ts';
import { installedSecretsFolder } from '../config/paths.ts';
import type { ContainerAddresses } from '../config/secrets-plan.ts';
import { yellow } from './colour.ts';
import type { Io } from './command.ts';

/** Where the containers of this host lie follows from these two. */
export interface Where {
  readonly installed: boolean;
  readonly dataDir: string;
}

export interface SecretsPlace {
  addressesFor(where: Where): ContainerAddresses;
  /** Throws where others than they should may read or change the folder or those files in it. */
  checkModes(folder: string, names: readonly string[]): Promise<void>;
}

export function whereOf({ values, secretsDir }: Loaded): Where {
  const dataDir = values.find(({ field }) => field === 'dataDir')?.value;
  return {
    installed: (secretsDir ?? installedSecretsFolder) === installedSecretsFolder,
    dataDir: typeof dataDir === 'string' ? dataDir : '/var/lib/appliance',
  };
}

export function warn(io: Io, text: string): void {
  io.stderr.write(`${yellow('warning:', io.stderr)} ${text}\n`);
}
