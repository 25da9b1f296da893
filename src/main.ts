import type { Command, Io } from './cli/command.ts';
import { configCheck, configShow } from './cli/config.ts';
import { runCommandLine } from './cli/run.ts';
import { versionCommand } from './cli/version.ts';

const io: Io = {
  stdout: process.stdout,
  stderr: process.stderr,
  environment: process.env,
  workingFolder: process.cwd(),
};
const commands: readonly Command[] = [configCheck, configShow, versionCommand];

// A reader that has seen enough, as `head`, is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

process.exitCode = await runCommandLine(process.argv.slice(2), commands, io);
