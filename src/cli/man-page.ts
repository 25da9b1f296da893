import { isVariable } from '../config/flags.ts';
import { settings } from '../config/schema.ts';
import { exitCodes } from '../core/errors.ts';
import { shellFileMark } from '../core/shell-places.ts';
import { version } from '../core/version.ts';
import type { Command } from './command.ts';
import { configurationIntroduction, defaultText } from './help-configuration.ts';
import { optionsOf } from './parse-args.ts';
import { labelled } from './wrap.ts';

const places: readonly (readonly [string, string])[] = [
  ['/etc/appliance/secrets/', 'configuration and passwords, one file for each part'],
  ['/etc/appliance/stack/', "what only root's units read"],
  ['/var/lib/appliance/', 'certificates, databases, backups'],
  ['/run/appliance/control.sock', 'where the running service listens for commands'],
  ['/usr/local/lib/appliance/VERSION/', 'the releases on this host'],
];

const endings: Readonly<Record<keyof typeof exitCodes, string>> = {
  done: 'done',
  fault: 'an unexpected fault, or the output of an export was not read to its end',
  usage: 'wrong usage or configuration',
  checkFailed: 'a check failed',
  authority: 'the certificate authority refused or could not be reached; the old certificate still serves',
  locked: 'another run holds the lock',
  notRunning: 'the service is not running',
};

/** The manual, `appliance(1)`, as roff with the macros of man(7). */
export function manPage(allCommands: readonly Command[]): string {
  const commands = allCommands.filter(({ hidden }) => hidden !== true);
  const parts = [
    `.\\" ${shellFileMark}, from the table of its commands.`,
    `.TH APPLIANCE 1 "" "appliance ${version}" "appliance"`,
    '.SH NAME',
    String.raw`appliance \- a self\-hosted backend in one file`,
    '.SH SYNOPSIS',
    '.B appliance',
    String.raw`.I COMMAND`,
    '.RI [ FLAGS ]',
    '.SH DESCRIPTION',
    text(
      'Answers who is asking, over HTTP and HTTPS, keeps its certificates, its database, its cache and its backups, and ' +
        'needs nothing beside this one file.',
    ),
    '.PP',
    text('Data goes to standard output, errors to standard error: what failed, why, and what to do.'),
    '.SH COMMANDS',
    ...commands.flatMap(commandPart),
    '.SH CONFIGURATION',
    text(configurationIntroduction),
    ...settings
      .filter(([, setting]) => isVariable(setting) && setting.effective)
      .flatMap(([, setting]) => [
        '.TP',
        `.B ${escaped(setting.key)}`,
        text(`${setting.help} Allowed: ${setting.kind.allowed}. ${defaultText(setting)}`),
      ]),
    '.SH FILES',
    ...places.flatMap(([path, what]) => ['.TP', `.I ${escaped(path)}`, text(what)]),
    '.SH EXIT STATUS',
    ...Object.entries(exitCodes).flatMap(([name, code]) => [
      '.TP',
      `.B ${code}`,
      text(endings[name as keyof typeof exitCodes]),
    ]),
    '.SH EXAMPLES',
    ...commands.flatMap(({ examples }) => examples.slice(0, 1)).flatMap(exampleLines),
  ];
  return `${parts.join('\n')}\n`;
}

function commandPart(command: Command): string[] {
  const own = Object.entries(optionsOf(command)).filter(([name]) =>
    Object.hasOwn(command.options ?? {}, name),
  );
  return [
    `.SS ${escaped(command.name)}`,
    `.B ${escaped(`appliance ${command.usage}`)}`,
    '.PP',
    text(
      `${sentence(command.summary)} ${command.takesConfiguration ? 'Takes the flags of the configuration.' : ''}`,
    ),
    ...own.flatMap(([name, { value, short, help }]) => [
      '.TP',
      `.BR ${escaped(`--${name}`)}${short === undefined ? '' : ` ", " ${escaped(`-${short}`)}`}${
        value === undefined ? '' : ` " ${escaped(value)}"`
      }`,
      text(sentence(help)),
    ]),
    ...command.examples.flatMap(exampleLines),
  ];
}

function exampleLines({ command, does }: Command['examples'][number]): string[] {
  return ['.TP', `.B ${escaped(command)}`, text(sentence(does))];
}

function sentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}${/[.!?]$/.test(words) ? '' : '.'}`;
}

/** A line of its own for each sentence, broken between words; none begins as a request does. */
function text(words: string): string {
  const lines = words
    .trim()
    .split(/(?<=[.:;]) +/)
    .flatMap((sentence) => labelled('', sentence, 0));
  return lines.map((line) => escaped(line).replace(/^[.']/, String.raw`\&$&`)).join('\n');
}

/** Signs as they are, whatever a typesetter would make of them; all others by their number (groff_char(7)). */
function escaped(words: string): string {
  return words
    .replaceAll('\\', String.raw`\e`)
    .replaceAll('-', String.raw`\-`)
    .replaceAll('"', String.raw`\(dq`)
    .replaceAll("'", String.raw`\(aq`)
    .replaceAll('`', String.raw`\(ga`)
    .replaceAll('^', String.raw`\(ha`)
    .replaceAll('~', String.raw`\(ti`)
    .replaceAll(
      /[^\x20-\x7e]/gu,
      (sign) => `\\[u${sign.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}]`,
    );
}

/** For whoever builds packages: the manual on standard output. */
export function manPageCommand(commands: () => readonly Command[]): Command {
  return {
    name: 'man-page',
    summary: 'print the manual as roff',
    usage: 'man-page',
    examples: [],
    hidden: true,
    run: async (_, io) => {
      io.stdout.write(manPage(commands()));
      return exitCodes.done;
    },
  };
}
