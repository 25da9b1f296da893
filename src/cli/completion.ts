import { exitCodes, UsageError } from '../core/errors.ts';
import { shellFileMark } from '../core/shell-places.ts';
import type { Command } from './command.ts';
import { placesOf } from './command-places.ts';
import { bashCompletion } from './completion-bash.ts';
import { fishCompletion } from './completion-fish.ts';
import { zshCompletion } from './completion-zsh.ts';

const makers = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion };
export type Shell = keyof typeof makers;
const shells = Object.keys(makers) as Shell[];

/** What a shell reads to complete the commands of this program. */
export function completionOf(shell: Shell, commands: readonly Command[]): string {
  // zsh knows its files by their first line
  const first = shell === 'zsh' ? '#compdef appliance\n' : '';
  return `${first}# ${shellFileMark}: appliance completion ${shell}\n\n${makers[shell](placesOf(commands))}`;
}

export function completionCommand(commands: () => readonly Command[]): Command {
  return {
    name: 'completion',
    summary: 'print what a shell needs to complete commands, flags and files',
    usage: `completion ${shells.join('|')}`,
    examples: [
      {
        command: 'source <(appliance completion bash)',
        does: 'for this session of bash, or of zsh with "zsh"',
      },
      { command: 'appliance completion fish | source', does: 'for this session of fish' },
    ],
    maxPositionals: 1,
    run: async ({ positionals: [given] }, io) => {
      const shell = shells.find((each) => each === given);
      if (shell === undefined) {
        const what = given === undefined ? 'no shell is named' : `there is no completion for "${given}"`;
        throw new UsageError(what, `name one of ${shells.join(', ')}`);
      }
      io.stdout.write(completionOf(shell, commands()));
      return exitCodes.done;
    },
  };
}
