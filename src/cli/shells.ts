import { configOf } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import type { Command, Io } from './command.ts';
import { loadFor } from './config.ts';
import { exitCodeOf } from './stack.ts';

type Environment = Io['environment'];

/** The servers' own clients, in their containers. Each gives the client's exit code. */
export interface Shells {
  databaseShell(
    config: Config,
    environment: Environment,
    args: readonly string[],
    terminal: boolean,
  ): Promise<number>;
  cacheShell(config: Config, environment: Environment, args: readonly string[]): Promise<number>;
}

const many = 1000;

export function shellCommands(shells: Shells): readonly Command[] {
  const database: Command = {
    name: 'db shell',
    summary: 'open psql in the container of the database',
    usage: 'db shell [-- ARGUMENTS OF PSQL]',
    examples: [
      { command: 'sudo appliance db shell', does: 'type SQL as the role of the service' },
      { command: "sudo appliance db shell -- -c 'SELECT version()'", does: 'one statement' },
      { command: 'sudo appliance db shell < script.sql', does: 'a whole script' },
    ],
    takesConfiguration: true,
    maxPositionals: many,
    async run(args, io) {
      const terminal = io.stdout.isTTY === true && process.stdin.isTTY;
      const config = configOf(loadFor(args, io));
      return exitCodeOf(await shells.databaseShell(config, io.environment, args.positionals, terminal));
    },
  };
  const cache: Command = {
    name: 'cache shell',
    summary: 'open redis-cli in the container of the cache',
    usage: 'cache shell [-- ARGUMENTS OF REDIS-CLI]',
    examples: [
      { command: 'sudo appliance cache shell', does: 'type commands, one a line, until Ctrl-D' },
      { command: 'sudo appliance cache shell -- INFO memory', does: 'one command' },
    ],
    takesConfiguration: true,
    maxPositionals: many,
    async run(args, io) {
      const config = configOf(loadFor(args, io));
      return exitCodeOf(await shells.cacheShell(config, io.environment, args.positionals));
    },
  };
  return [database, cache];
}
