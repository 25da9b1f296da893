import { configFlags, secretsDirFlag } from '../config/flags.ts';
import type { Command, Output } from './command.ts';
import { bold } from './colour.ts';
import { optionsOf } from './parse-args.ts';

/** What `appliance --help` prints. */
export function programHelp(allCommands: readonly Command[], output: Output): string {
  const commands = allCommands.filter(({ hidden }) => hidden !== true);
  return [
    'appliance: a self-hosted backend in one file',
    '',
    bold('Usage', output),
    '  appliance COMMAND [FLAGS]',
    '',
    bold('Commands', output),
    ...columns(commands.map(({ name, summary }) => [name, summary])),
    '',
    bold('Examples', output),
    ...columns(
      commands
        .flatMap(({ examples }) => examples.slice(0, 1))
        .map(({ command, does }) => [`$ ${command}`, does]),
    ),
    '',
    '"appliance help COMMAND" tells more about one.',
    '',
  ].join('\n');
}

/** What `appliance COMMAND --help` prints. */
export function commandHelp(command: Command, output: Output): string {
  const own = Object.entries(optionsOf(command)).filter(([name]) => !isConfigFlag(name));
  const lines = [
    `appliance ${command.name}: ${command.summary}`,
    '',
    bold('Usage', output),
    `  appliance ${command.usage}`,
    '',
    bold('Examples', output),
    ...columns(command.examples.map(({ command: line, does }) => [`$ ${line}`, does])),
    '',
    bold('Flags', output),
    ...columns(own.map(([name, option]) => [flag(name, option.value), option.help])),
  ];
  if (command.takesConfiguration) {
    const shown = configFlags.filter(({ setting }) => setting.effective);
    lines.push(
      '',
      bold('Configuration, for this run', output),
      ...columns(
        shown.map(({ name, setting }) => [flag(name, 'VALUE'), setting.key + defaultOf(setting.default)]),
      ),
      '',
      'Every key that is not a secret has a flag: GEOIP_URL is --geoip-url. A flag goes before the environment,',
      'the environment before the files in the secrets folder, and those before the default.',
    );
  }
  return `${lines.join('\n')}\n`;
}

function isConfigFlag(name: string): boolean {
  return name !== secretsDirFlag && configFlags.some((each) => each.name === name);
}

function flag(name: string, value: string | undefined): string {
  return value === undefined ? `--${name}` : `--${name} ${value}`;
}

function defaultOf(value: unknown): string {
  return typeof value === 'string' ? ` (${value})` : '';
}

/** Two columns; a first entry that is too long for its column has the second on the next line. */
function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([first]) => first.length).filter((length) => length <= 48), 0);
  return rows.map(([first, second]) =>
    first.length > width
      ? `  ${first}\n  ${' '.repeat(width)}  ${second}`
      : `  ${first.padEnd(width)}  ${second}`.trimEnd(),
  );
}
