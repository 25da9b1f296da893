import './core/early-signals.ts';
import { writeFileSync } from 'node:fs';
import type { Command, Io } from './cli/command.ts';
import { configCheck, configShow } from './cli/config.ts';
import { runCommandLine } from './cli/run.ts';
import { serveCommand } from './cli/serve.ts';
import { versionCommand } from './cli/version.ts';
import { workerCommand } from './cli/worker.ts';
import { exitCodes, type ExitCode } from './core/errors.ts';
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

// Whoever reads may have seen enough, as `head` has, or the disk below may be full. A service goes on without its
// greeting; any other command has not done its work when its output is lost.
let outputLost: NodeJS.ErrnoException | undefined;
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') outputLost ??= error;
});
process.stderr.on('error', () => {});

// no `await` here: the packaged binary is one CommonJS file
void runCommandLine(process.argv.slice(2), commands, io).then(exitWhenWritten);

/** A pipe takes 64 KiB at once: the rest must have gone before the process may. */
function exitWhenWritten(exitCode: ExitCode): void {
  const exit = (): void => {
    const lost = outputLost !== undefined && process.argv[2] !== 'serve';
    if (lost) process.stderr.write(`error: the output could not be written: ${outputLost?.message}\n`);
    process.exit(lost ? exitCodes.fault : exitCode);
  };
  // An error of a write before is told in a turn of its own.
  process.stdout.write('', () => setImmediate(exit));
}

/** What `ps` and `top` show, fifteen characters at most. `process.title` would overwrite the arguments as well. */
function nameProcess(name: string): void {
  try {
    writeFileSync('/proc/self/comm', name);
  } catch {
    // without /proc it keeps the name of Node's thread
  }
}
