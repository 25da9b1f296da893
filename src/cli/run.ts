import { type ExitCode, exitCodes, Failure, UsageError } from '../core/errors.ts';
import { nearest } from '../core/nearest.ts';
import type { Command, Io } from './command.ts';
import { errorText } from './error-text.ts';
import { helpTopic } from './command-places.ts';
import { commandHelp, groupHelp, programHelp } from './help.ts';
import { configurationHelp } from './help-configuration.ts';
import { parseCommandArgs } from './parse-args.ts';

/** Runs the command that `argv` names and prints its failure, if any, once. Gives the exit code; never throws. */
export async function runCommandLine(
  argv: readonly string[],
  commands: readonly Command[],
  io: Io,
): Promise<ExitCode> {
  try {
    return await dispatch(argv, commands, io);
  } catch (error) {
    io.stderr.write(errorText(error, io.stderr));
    return error instanceof Failure ? error.exitCode : exitCodes.fault;
  }
}

async function dispatch(argv: readonly string[], commands: readonly Command[], io: Io): Promise<ExitCode> {
  const [first, ...rest] = argv;
  if (first === undefined) {
    io.stderr.write(programHelp(commands, io.stderr));
    return exitCodes.usage;
  }
  if (first === '--version' || first === '-V') return dispatch(['version', ...rest], commands, io);
  const asksHelp = first === 'help' || first === '--help' || first === '-h';
  if (asksHelp && rest.length === 0) {
    io.stdout.write(programHelp(commands, io.stdout));
    return exitCodes.done;
  }
  if (asksHelp && rest.join(' ') === helpTopic) {
    io.stdout.write(configurationHelp(io.stdout));
    return exitCodes.done;
  }
  const words = asksHelp ? rest : argv;
  const group = askedGroup(words, asksHelp, commands);
  if (group !== undefined) {
    io.stdout.write(groupHelp(group, membersOf(group, commands), io.stdout));
    return exitCodes.done;
  }
  const { command, args } = find(words, commands);
  const parsed = parseCommandArgs(command, asksHelp ? ['--help'] : args);
  if (parsed.switches.has('help')) {
    io.stdout.write(commandHelp(command, io.stdout));
    return exitCodes.done;
  }
  return command.run(parsed, io);
}

function find(
  argv: readonly string[],
  commands: readonly Command[],
): { command: Command; args: readonly string[] } {
  for (const words of [3, 2, 1]) {
    const command = commands.find(({ name }) => name === argv.slice(0, words).join(' '));
    if (command) return { command, args: argv.slice(words) };
  }
  const [first = ''] = argv;
  for (const words of [2, 1]) {
    const group = argv.slice(0, words).join(' ');
    const members = membersOf(group, commands).map(({ name }) => name);
    if (members.length > 0) throw wrongWord(group, argv[words], members);
  }
  const meant = nearest(
    first,
    new Set(commands.filter(isShown).map(({ name }) => name.split(' ')[0] ?? name)),
  );
  const hint = meant === undefined ? '' : `did you mean "appliance ${meant}"? `;
  throw new UsageError(`there is no command "${first}"`, `${hint}"appliance help" lists them`);
}

/** The words of a group that somebody asks about: `help backup`, `backup --help`, `admin user -h`. */
function askedGroup(
  words: readonly string[],
  asksHelp: boolean,
  commands: readonly Command[],
): string | undefined {
  const isHelp = (word: string | undefined) => word === '--help' || word === '-h';
  const group = (isHelp(words.at(-1)) ? words.slice(0, -1) : words).join(' ');
  const asks = asksHelp || isHelp(words.at(-1));
  return asks && membersOf(group, commands).length > 0 ? group : undefined;
}

function membersOf(group: string, commands: readonly Command[]): readonly Command[] {
  return commands.filter((command) => isShown(command) && command.name.startsWith(`${group} `));
}

function isShown({ hidden }: Command): boolean {
  return hidden !== true;
}

/** `given` is what follows the group's name, where something does. */
function wrongWord(group: string, given: string | undefined, members: readonly string[]): UsageError {
  const all = `there is ${members.map((name) => `"appliance ${name}"`).join(', ')}`;
  if (given === undefined || given.startsWith('-'))
    return new UsageError(`"${group}" needs another word`, all);
  const words = group.split(' ').length + 1;
  const beginnings = new Set(members.map((name) => name.split(' ').slice(0, words).join(' ')));
  const meant = nearest(`${group} ${given}`, beginnings, 2);
  return new UsageError(
    `there is no command "${group} ${given}"`,
    meant === undefined ? all : `did you mean "appliance ${meant}"?`,
  );
}
