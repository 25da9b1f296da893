import { configFlags, secretsDirFlag } from '../config/flags.ts';
import type { Command } from './command.ts';
import { optionsOf } from './parse-args.ts';

/** What a shell can offer for a word: nothing, files, folders, or one of these. */
export type Offer = 'nothing' | 'file' | 'folder' | readonly string[];

export interface OfferedFlag {
  /** Without the dashes. */
  readonly name: string;
  readonly short: string | undefined;
  readonly help: string;
  /** Undefined where it takes no value. */
  readonly value: Offer | undefined;
}

/** A place on the command line: what may come after these words. */
export interface Place {
  /** `stack up`; empty at the start. */
  readonly words: string;
  readonly next: readonly { readonly word: string; readonly summary: string }[];
  /** Its own, without those of the configuration. */
  readonly flags: readonly OfferedFlag[];
  readonly takesConfiguration: boolean;
  readonly argument: Offer;
}

/** What `appliance help` explains besides commands. */
export const helpTopic = 'configuration';

/** Every flag of the configuration. */
export const configurationFlags: readonly OfferedFlag[] = configFlags
  .filter(({ setting }) => setting.effective)
  .map(({ name, setting }) => {
    const { offers } = setting.kind;
    const value =
      offers === 'path' ? (setting.key.endsWith('_DIR') ? 'folder' : 'file') : (offers ?? 'nothing');
    return { name, short: undefined, help: setting.key, value };
  });

/** The place of every command and of every beginning of one, the start first. Hidden commands have none. */
export function placesOf(allCommands: readonly Command[]): readonly Place[] {
  const commands = allCommands.filter(({ hidden }) => hidden !== true);
  const beginnings = new Set(['']);
  for (const { name } of commands) {
    const words = name.split(' ');
    words.forEach((_, at) => beginnings.add(words.slice(0, at + 1).join(' ')));
  }
  return [...beginnings].map((words) => {
    const command = commands.find(({ name }) => name === words);
    return {
      words,
      next: [
        ...nextOf(words, commands),
        ...(words === '' ? [{ word: 'help', summary: 'tell more about a command' }] : []),
      ],
      flags: flagsOf(command),
      takesConfiguration: command?.takesConfiguration === true,
      argument: command === undefined ? 'nothing' : argumentOf(command),
    };
  });
}

function nextOf(words: string, commands: readonly Command[]): Place['next'] {
  const start = words === '' ? '' : `${words} `;
  const found = new Map<string, string>();
  for (const { name, summary } of commands) {
    if (!name.startsWith(start)) continue;
    const [word = '', ...rest] = name.slice(start.length).split(' ');
    const members = () => commands.filter((each) => each.name.startsWith(`${start}${word} `));
    const group = () =>
      members()
        .map((each) => each.name.slice(start.length + word.length + 1))
        .join(', ');
    if (!found.has(word)) found.set(word, rest.length === 0 ? summary : group());
  }
  return [...found].map(([word, summary]) => ({ word, summary }));
}

function flagsOf(command: Command | undefined): readonly OfferedFlag[] {
  const help: OfferedFlag = { name: 'help', short: 'h', help: 'show help', value: undefined };
  if (command === undefined) return [help];
  const ofConfiguration = new Set(configFlags.map(({ name }) => name));
  return Object.entries(optionsOf(command))
    .filter(([name]) => Object.hasOwn(command.options ?? {}, name) || !ofConfiguration.has(name))
    .map(([name, { value, short, help: text }]) => ({
      name,
      short,
      help: text,
      value: value === undefined ? undefined : name === secretsDirFlag ? 'folder' : offerOf(value),
    }));
}

/** What stands for a value in the usage says what it is: FILE, FOLDER, or the words themselves (`a|b`). */
function offerOf(value: string): Offer {
  if (/^FILE\u2026?$/.test(value)) return 'file';
  if (/^FOLDER\u2026?$/.test(value)) return 'folder';
  return /^[a-z0-9-]+(\|[a-z0-9-]+)+$/.test(value) ? value.split('|') : 'nothing';
}

/** The first word of the usage that is no flag's: `backup verify [FILE] [--passphrase-file FILE]`. */
function argumentOf({ name, usage }: Command): Offer {
  const rest = usage.slice(name.length).replaceAll(/\[--?[^\]]*\]|--[a-z-]+ [A-Z]+/g, '');
  const [argument] = /[^\s[\]()]+/.exec(rest) ?? [];
  return argument === undefined ? 'nothing' : offerOf(argument);
}
