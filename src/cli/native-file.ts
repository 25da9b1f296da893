import { resolve } from 'node:path';
import { exitCodes, UsageError } from '../core/errors.ts';
import type { Command } from './command.ts';

/** How one release gets what another one carries, before it is installed; not for people, so not in the help. */
export function nativeFileCommand(write: (folder: string) => Promise<string>): Command {
  return {
    name: 'native-file',
    summary: 'write the file that belongs beside this binary where it is installed',
    usage: 'native-file FOLDER',
    examples: [],
    hidden: true,
    maxPositionals: 1,
    async run({ positionals: [folder] }, io) {
      if (folder === undefined) throw new UsageError('no folder is named', 'appliance native-file FOLDER');
      io.stdout.write(`${await write(resolve(io.workingFolder, folder))}\n`);
      return exitCodes.done;
    },
  };
}
