import { type ExitCode, exitCodes, Failure, reasonOf, UsageError } from '../core/errors.ts';
import { nearest } from '../core/nearest.ts';
import { red } from './colour.ts';
import type { Command, Io, Output } from './command.ts';
import { commandHelp, programHelp } from './help.ts';
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
    io.stderr.write(describeError(error, io.stderr));
    return error instanceof Failure ? error.exitCode : exitCodes.fault;
  }
}

async function dispatch(argv: readonly string[], commands: readonly Command[], io: Io): Promise<ExitCode> {
  const [first, ...rest] = argv;
  if (first === undefined) {
    io.stderr.write(programHelp(commands, io.stderr));
    return exitCodes.usage;
  }
  if (first === '--version') return dispatch(['version', ...rest], commands, io);
  const asksHelp = first === 'help' || first === '--help' || first === '-h';
  if (asksHelp && rest.length === 0) {
    io.stdout.write(programHelp(commands, io.stdout));
    return exitCodes.done;
  }
  const { command, args } = find(asksHelp ? rest : argv, commands);
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
  for (const words of [2, 1]) {
    const command = commands.find(({ name }) => name === argv.slice(0, words).join(' '));
    if (command) return { command, args: argv.slice(words) };
  }
  const [first = '', second] = argv;
  const group = commands.filter(({ name }) => name.startsWith(`${first} `));
  if (group.length > 0) {
    const names = group.map(({ name }) => `"appliance ${name}"`).join(', ');
    const given = second === undefined || second.startsWith('-') ? undefined : second;
    const meant =
      given &&
      nearest(
        `${first} ${given}`,
        group.map(({ name }) => name),
        2,
      );
    throw new UsageError(
      given === undefined ? `"${first}" needs another word` : `there is no command "${first} ${given}"`,
      meant ? `did you mean "appliance ${meant}"?` : `there is ${names}`,
    );
  }
  const meant = nearest(first, new Set(commands.map(({ name }) => name.split(' ')[0] ?? name)));
  const hint = meant === undefined ? '' : `did you mean "appliance ${meant}"? `;
  throw new UsageError(`there is no command "${first}"`, `${hint}"appliance help" lists them`);
}

/** What failed, why, and what to do, each on its line. A fault that nobody foresaw shows where it happened. */
function describeError(error: unknown, output: Output): string {
  const lines = [`${red('error:', output)} ${error instanceof Failure ? error.message : reasonOf(error)}`];
  for (let cause = causeOf(error); cause !== undefined; cause = causeOf(cause)) {
    lines.push(`because: ${reasonOf(cause)}`);
  }
  if (error instanceof Failure) {
    if (error.remedy !== undefined) lines.push(`to do: ${error.remedy}`);
  } else {
    lines.push('to do: this is a fault of the program; please report it with the lines below');
    if (error instanceof Error && error.stack !== undefined) lines.push(error.stack);
  }
  return `${lines.join('\n')}\n`;
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}
