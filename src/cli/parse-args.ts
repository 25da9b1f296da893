import { parseArgs } from 'node:util';

import { configFlags, secretKeyOfFlag, secretsDirFlag } from '../config/flags.ts';
import { UsageError } from '../core/errors.ts';
import { nearest } from '../core/nearest.ts';
import type { Command, Option, ParsedArgs } from './command.ts';

/** Every flag that the command takes, with `help` and those of the configuration. */
export function optionsOf(command: Command): Readonly<Record<string, Option>> {
  return {
    ...command.options,
    ...(command.takesConfiguration ? configurationOptions : {}),
    help: { short: 'h', help: 'show this text' },
  };
}

const configurationOptions: Readonly<Record<string, Option>> = {
  [secretsDirFlag]: { value: 'FOLDER', help: 'the folder of configuration files' },
  ...Object.fromEntries(
    configFlags.map(({ name, setting }) => [name, { value: 'VALUE', help: `for this run, ${setting.key}` }]),
  ),
};

/** Reads what came after the command's name. Throws `UsageError` for anything that the command does not take. */
export function parseCommandArgs(command: Command, argv: readonly string[]): ParsedArgs {
  const options = optionsOf(command);
  const { tokens } = parseArgs({
    args: [...argv],
    options: Object.fromEntries(
      Object.entries(options).map(([name, { value, short }]) => {
        return [name, { type: value ? 'string' : 'boolean', ...(short ? { short } : {}) } as const];
      }),
    ),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const flags: Record<string, string | undefined> = {};
  const switches = new Set<string>();
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind !== 'option') continue;
    const option = Object.hasOwn(options, token.name) ? options[token.name] : undefined;
    if (option === undefined) throw unknownFlag(command, token.rawName, token.name);
    if (option.value === undefined) {
      if (token.value !== undefined) throw wrongUse(command, `--${token.name} takes no value`);
      switches.add(token.name);
    } else {
      // A flag where the value belongs is a value left out: `--http-port --workers 2`.
      if (token.value === undefined || (!token.inlineValue && /^--?[a-z]/.test(token.value))) {
        throw wrongUse(command, `--${token.name} needs a value`, `write --${token.name}=${option.value};`);
      }
      const before = flags[token.name];
      if (before !== undefined && option.many !== true)
        throw wrongUse(command, `--${token.name} is given twice`, 'leave one of them out;');
      flags[token.name] = before === undefined ? token.value : `${before},${token.value}`;
    }
  }
  const extra = positionals[command.maxPositionals ?? 0];
  if (extra !== undefined && !switches.has('help')) {
    throw wrongUse(command, `"${command.name}" has no use for the argument "${extra}"`);
  }
  return { flags, switches, positionals };
}

function unknownFlag(command: Command, written: string, name: string): UsageError {
  const secretKey = command.takesConfiguration ? secretKeyOfFlag(name) : undefined;
  if (secretKey !== undefined) {
    const why = 'anyone on this host can read the arguments of a program';
    return new UsageError(
      `there is no flag ${written}: ${why}`,
      `put ${secretKey} in its file in the secrets folder`,
    );
  }
  const meant = nearest(name, Object.keys(optionsOf(command)));
  const hint = meant === undefined ? '' : `did you mean --${meant}?`;
  return wrongUse(command, `"${command.name}" has no flag ${written}`, hint);
}

function wrongUse(command: Command, message: string, hint = ''): UsageError {
  const more = `"appliance ${command.name} --help" shows what there is`;
  return new UsageError(message, hint === '' ? more : `${hint} ${more}`);
}
