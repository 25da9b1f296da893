import { configOf, loadConfig, type Loaded } from '../config/load.ts';
import { ConfigError, formatProblem, type Problem } from '../config/problem.ts';
import { originText, type Value } from '../config/value.ts';
import { exitCodes } from '../core/errors.ts';
import { yellow } from './colour.ts';
import type { Command, Io, ParsedArgs } from './command.ts';

const json = { json: { help: 'print JSON for scripts' } };

/** Reads the configuration as the arguments and the environment of this process have it. */
export function loadFor(args: ParsedArgs, io: Io): Loaded {
  return loadConfig({ flags: args.flags, environment: io.environment, workingFolder: io.workingFolder });
}

/** Prints what is odd about the configuration without making it unfit. */
function printWarnings(warnings: readonly Problem[], io: Io): void {
  for (const warning of warnings) {
    io.stderr.write(`${yellow('warning:', io.stderr)} ${formatProblem(warning)}\n`);
  }
}

export const configCheck: Command = {
  name: 'config check',
  summary: 'say whether the configuration is valid, and everything that is wrong with it',
  usage: 'config check [--json] [--secrets-dir FOLDER]',
  examples: [
    { command: 'appliance config check', does: 'check what "appliance serve" would run with' },
    {
      command: 'appliance config check --secrets-dir ./secrets',
      does: 'check files before they are installed',
    },
  ],
  options: json,
  takesConfiguration: true,
  run: async (args, io) => {
    const loaded = loadFor(args, io);
    const { problems, warnings } = loaded;
    if (args.switches.has('json')) {
      io.stdout.write(`${toJson({ valid: problems.length === 0, problems, warnings })}\n`);
      return problems.length === 0 ? exitCodes.done : exitCodes.usage;
    }
    printWarnings(warnings, io);
    if (problems.length > 0) throw new ConfigError(problems);
    io.stdout.write('configuration is valid\n');
    return exitCodes.done;
  },
};

export const configShow: Command = {
  name: 'config show',
  summary: 'show every value in effect and where it comes from; secrets stay hidden',
  usage: 'config show [--json] [--secrets-dir FOLDER]',
  examples: [
    { command: 'appliance config show', does: 'show all values' },
    {
      command: 'appliance config show --json --http-port 80',
      does: 'the same for a script, with one changed',
    },
  ],
  options: json,
  takesConfiguration: true,
  run: async (args, io) => {
    const loaded = loadFor(args, io);
    const config = configOf(loaded);
    if (args.switches.has('json')) {
      const values = loaded.values.map(describe);
      io.stdout.write(`${toJson({ secretsDir: config.secretsDir ?? null, values })}\n`);
    } else {
      io.stdout.write(`${table(loaded.values).join('\n')}\n`);
    }
    return exitCodes.done;
  },
};

function toJson(body: object): string {
  return JSON.stringify({ schema: 1, ...body }, undefined, 2);
}

/** One value for scripts: written as a person would write it, absent for secrets and where there is none. */
function describe({ setting, text, value, origin }: Value<unknown>): object {
  return {
    key: setting.key,
    set: text !== undefined,
    ...(text === undefined || setting.secret ? {} : { value: setting.kind.format(value as never) }),
    secret: setting.secret,
    effective: setting.effective,
    origin: originText(origin),
  };
}

function table(values: readonly Value<unknown>[]): string[] {
  const rows = values.map(({ setting, text, value, origin }) => {
    const state =
      text === undefined ? '(unset)' : setting.secret ? '(set)' : setting.kind.format(value as never);
    const came = text === 'auto' && state !== text ? `${originText(origin)}, auto` : originText(origin);
    return [`${setting.key} = ${state}`, `(${came})`] as const;
  });
  const width = Math.min(48, Math.max(...rows.map(([left]) => left.length)));
  return rows.map(([left, right]) => `${left.padEnd(width)}   ${right}`);
}
