import { homedir } from 'node:os';
import type { Writable } from 'node:stream';
import { startProgram } from '../core/start-program.ts';

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** A pipe of Node's is a socket, which can be read but not opened by its name. */
const fromPipe = 'eval "$(cat <&3)"';

export interface ShellLine {
  /** A line for `/bin/sh`; a secret. */
  readonly command: string;
  /** All that it finds in its environment, beside PATH and HOME. */
  readonly environment: Readonly<Record<string, string>>;
  /** On its standard input. */
  readonly input: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** How it went wrong, as what follows "the command": `ended with status 1`; `late` where it took too long and was ended. */
export interface ShellTrouble {
  readonly words: string;
  readonly late: boolean;
}

/**
 * Runs a line that somebody configured and gives what went wrong, if anything. The shell reads it from a pipe, for arguments are anybody's to
 * see, and what it writes is dropped, for shells and programs quote what they were given. Whatever it started and left is
 * ended with it. Rejects only with the signal's reason.
 */
export async function runShellLine(line: ShellLine): Promise<ShellTrouble | undefined> {
  const { command, environment, input, timeoutMs, signal } = line;
  signal.throwIfAborted();
  const child = startProgram('/bin/sh', ['-c', fromPipe], {
    cwd: '/',
    detached: true,
    env: {
      PATH: process.env['PATH'] ?? defaultPath,
      HOME: process.env['HOME'] ?? homedir(),
      ...environment,
    },
    stdio: ['pipe', 'ignore', 'ignore', 'pipe'],
  });
  const { promise: ended, resolve } = Promise.withResolvers<string | undefined>();
  child.once('error', () => resolve('could not be started'));
  child.once('exit', (status, name) =>
    resolve(status === 0 ? undefined : `ended with ${name === null ? `status ${status}` : name}`),
  );
  // none of a child that could not be started
  const script = child.stdio?.[3] as Writable | undefined;
  // a command that reads neither to the end is no fault
  script?.on('error', () => undefined).end(`${command}\n`);
  child.stdin?.on('error', () => undefined).end(input);

  const end = () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // nobody left in its group
    }
  };
  let late = false;
  const limit = setTimeout(() => {
    late = true;
    end();
  }, timeoutMs);
  signal.addEventListener('abort', end, { once: true });
  const trouble = await ended;
  clearTimeout(limit);
  signal.removeEventListener('abort', end);
  end();

  signal.throwIfAborted();
  if (late) return { words: `was not done within ${timeoutMs / 1000} seconds and was ended`, late };
  return trouble === undefined ? undefined : { words: trouble, late };
}
