import type { Config } from '../config/schema.ts';
import { files } from '../config/setting.ts';
import { checkModes } from '../host/stack/secrets-files.ts';
import { upgradePostgres } from '../host/stack/postgres-upgrade.ts';
import { settleServiceHome } from '../host/install/service-user.ts';
import { mustBeRoot, stackUp } from '../host/stack/stack.ts';
import {
  cacheShell,
  databaseShell,
  stackContainers,
  stackDown,
  stackLogs,
} from '../host/stack/stack-commands.ts';
import type { LogRequest } from '../host/stack/stack-commands.ts';
import { stackLayout } from '../host/stack/stack-layout.ts';
import { stackServices } from '../host/stack/stack-services.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The containers of this host, for the commands. */
export const stack = {
  async up(
    config: Config,
    environment: Environment,
    options: { readonly front: boolean; readonly timeoutMs: number },
    progress: (step: string) => void,
  ) {
    const layout = stackLayout(config);
    const services = stackServices(config, layout);
    if (config.secretsDir !== undefined) await checkModes(config.secretsDir, files);
    mustBeRoot('the folders of the containers belong to several users');
    if (config.installed) await settleServiceHome(config.dataDir);
    return stackUp({ layout, services, dataFolder: config.dataDir, environment, progress, ...options });
  },
  async upgradePostgres(
    config: Config,
    environment: Environment,
    options: { readonly image: string; readonly timeoutMs: number },
    progress: (step: string) => void,
  ) {
    const layout = stackLayout(config);
    const services = stackServices(config, layout);
    if (config.secretsDir !== undefined) await checkModes(config.secretsDir, files);
    return upgradePostgres({
      layout,
      services,
      dataFolder: config.dataDir,
      front: false,
      environment,
      progress,
      ...options,
    });
  },
  down: (config: Config, environment: Environment, progress: (step: string) => void) =>
    stackDown(stackLayout(config), environment, progress),
  containers: (config: Config, environment: Environment) => stackContainers(stackLayout(config), environment),
  logs: (config: Config, environment: Environment, log: LogRequest) =>
    stackLogs(stackLayout(config), environment, log),
  databaseShell(config: Config, environment: Environment, args: readonly string[], terminal: boolean) {
    const layout = stackLayout(config);
    return databaseShell(layout, environment, stackServices(config, layout).postgres, args, terminal);
  },
  cacheShell(config: Config, environment: Environment, args: readonly string[]) {
    const layout = stackLayout(config);
    return cacheShell(layout, stackServices(config, layout).redis, { args, environment });
  },
};
