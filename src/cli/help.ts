import { configFlags, secretsDirFlag } from '../config/flags.ts';
import type { Command, Example, Output } from './command.ts';
import { helpTopic } from './command-places.ts';
import { bold } from './colour.ts';
import { optionsOf } from './parse-args.ts';
import { inColumns, labelled, widthOf } from './wrap.ts';

/** What `appliance --help` prints. */
export function programHelp(allCommands: readonly Command[], output: Output): string {
  const commands = allCommands.filter(({ hidden }) => hidden !== true);
  const width = widthOf(output);
  return [
    'appliance: a self-hosted backend in one file',
    '',
    bold('Usage', output),
    '  appliance COMMAND [FLAGS]',
    '',
    bold('Commands', output),
    ...summaries(commands, width),
    '',
    bold('Examples', output),
    ...exampleLines(
      commands.flatMap(({ examples }) => examples.slice(0, 1)),
      width,
    ),
    '',
    ...labelled(
      '',
      `"appliance help COMMAND" tells more about one, "appliance help ${helpTopic}" about all that can be set.`,
      0,
      width,
    ),
    '',
  ].join('\n');
}

/** What `appliance GROUP --help` prints: the commands that begin with these words, at least one. */
export function groupHelp(group: string, members: readonly Command[], output: Output): string {
  const width = widthOf(output);
  return [
    bold('Usage', output),
    `  appliance ${group} COMMAND [FLAGS]`,
    '',
    bold('Commands', output),
    ...summaries(members, width),
    '',
    bold('Examples', output),
    ...exampleLines(
      members.flatMap(({ examples }) => examples.slice(0, 1)),
      width,
    ),
    '',
    `"appliance help ${group} COMMAND" tells more about one.`,
    '',
  ].join('\n');
}

/** What `appliance COMMAND --help` prints. */
export function commandHelp(command: Command, output: Output): string {
  const own = Object.entries(optionsOf(command)).filter(([name]) => !isConfigFlag(name));
  const width = widthOf(output);
  const usage = '  appliance ';
  const lines = [
    ...labelled('', `appliance ${command.name}: ${command.summary}`, 0, width),
    '',
    bold('Usage', output),
    ...labelled(usage, command.usage, usage.length, width),
    ...(command.examples.length === 0 ? [] : ['', bold('Examples', output)]),
    ...exampleLines(command.examples, width),
    '',
    bold('Flags', output),
    ...inColumns(
      own.map(([name, option]) => [flag(name, option.value), option.help]),
      width,
    ),
  ];
  if (command.takesConfiguration) {
    const where = `It takes every flag of the configuration too: "appliance help ${helpTopic}" lists them.`;
    lines.push('', ...labelled('', where, 0, width));
  }
  return `${lines.join('\n')}\n`;
}

function isConfigFlag(name: string): boolean {
  return name !== secretsDirFlag && configFlags.some((each) => each.name === name);
}

function flag(name: string, value: string | undefined): string {
  return value === undefined ? `--${name}` : `--${name} ${value}`;
}

function summaries(commands: readonly Command[], width: number): string[] {
  return inColumns(
    commands.map(({ name, summary }) => [name, summary]),
    width,
  );
}

function exampleLines(examples: readonly Example[], width: number): string[] {
  return inColumns(
    examples.map(({ command, does }) => [shellLines(`$ ${command}`, width), does]),
    width,
  );
}

/** A command that is too long for a line, as a shell takes it from several: broken between its words. */
function shellLines(command: string, width: number): string {
  const words = command.match(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g) ?? [];
  const indent = '    ';
  const lines: string[] = [];
  let line = '';
  for (const [at, word] of words.entries()) {
    const longer = line === '' ? word : `${line} ${word}`;
    // two columns stand before it, and two behind it where it goes on
    const room = width - 2 - (at === words.length - 1 ? 0 : 2);
    if (line !== '' && longer.length > room) {
      lines.push(`${line} \\\n`);
      line = `${indent}${word}`;
    } else line = longer;
  }
  return [...lines, line].join('');
}
