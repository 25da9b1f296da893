import { exitCodes } from '../core/errors.ts';
import { version } from '../core/version.ts';
import type { Command } from './command.ts';

export const versionCommand: Command = {
  name: 'version',
  summary: 'show which release this is',
  usage: 'version [--json]',
  examples: [{ command: 'appliance version', does: 'show the release and the Node inside it' }],
  options: { json: { help: 'print JSON for scripts' } },
  run: async ({ switches }, io) => {
    if (switches.has('json')) io.stdout.write(`${JSON.stringify({ schema: 1, version })}\n`);
    else
      io.stdout.write(
        `appliance ${version} (Node ${process.versions.node}, ${process.platform} ${process.arch})\n`,
      );
    return exitCodes.done;
  },
};
