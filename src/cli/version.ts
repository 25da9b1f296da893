import { exitCodes } from '../core/errors.ts';
import { version } from '../core/version.ts';
import type { Command } from './command.ts';

export const versionCommand: Command = {
  name: 'version',
  summary: 'show which release this is',
  usage: 'version',
  examples: [{ command: 'appliance version', does: 'show the release and the Node inside it' }],
  run: async (_args, io) => {
    io.stdout.write(
      `appliance ${version} (Node ${process.versions.node}, ${process.platform} ${process.arch})\n`,
    );
    return exitCodes.done;
  },
};
