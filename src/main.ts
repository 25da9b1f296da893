import { writeFileSync } from 'node:fs';
import type { Command, Io } from './cli/command.ts';
import { configCheck, configShow } from './cli/config.ts';
import { runCommandLine } from './cli/run.ts';
import { serveCommand } from './cli/serve.ts';
import { versionCommand } from './cli/version.ts';
import { workerCommand } from './cli/worker.ts';
import { serve, work } from './wire.ts';

nameProcess(process.argv[2] === 'worker' ? 'appliance-work' : 'appliance');

const io: Io = {
  stdout: process.stdout,
  stderr: process.stderr,
  environment: process.env,
  workingFolder: process.cwd(),
};
const commands: readonly Command[] = [
  serveCommand(serve),
  configCheck,
  configShow,
  versionCommand,
  workerCommand(work),
];

// A reader that has seen enough, as `head`, is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

// no `await` here: the packaged binary is one CommonJS file
void runCommandLine(process.argv.slice(2), commands, io).then((exitCode) => process.exit(exitCode));

/** What `ps` and `top` show, fifteen characters at most. `process.title` would overwrite the arguments as well. */
function nameProcess(name: string): void {
  try {
    writeFileSync('/proc/self/comm', name);
  } catch {
    // without /proc it keeps the name of Node's thread
  }
}
