import type { ChildProcess } from 'node:child_process';
import { startProgram } from '../core/start-program.ts';
import type { FromWorker, ToWorker, WorkerChange, WorkerSettings } from './messages.ts';

/** The command line that starts a worker from this very program. */
export interface WorkerCommand {
  readonly file: string;
  readonly arguments: readonly string[];
  readonly environment: Readonly<NodeJS.ProcessEnv>;
}

/** The supervisor's side of one worker process. */
export interface Child {
  readonly pid: number | undefined;
  readonly startedAt: number;
  /** The worker answers with `changed` and this number. */
  change(id: number, change: WorkerChange): void;
  drain(): void;
  kill(): void;
}

export interface ChildEvents {
  message(message: FromWorker): void;
  /** Once, however it ended; `how` is for people: an exit status, a signal, or why it never started. */
  ended(how: string): void;
}

export function startChild(command: WorkerCommand, settings: WorkerSettings, events: ChildEvents): Child {
  const child: ChildProcess = startProgram(command.file, command.arguments, {
    env: command.environment,
    // the native server prints to standard output when a name is added
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  // A send to a child that has just died fails; its end is reported by itself.
  const send = (message: ToWorker): void => {
    if (child.connected) child.send(message, () => {});
  };
  let over = false;
  const end = (how: string): void => {
    if (over) return;
    over = true;
    events.ended(how);
  };
  child.on('message', (message) => events.message(message as FromWorker));
  child.on('error', (error) => end(error.message));
  child.on('exit', (status, signal) => end(signal === null ? `exit status ${status}` : signal));
  send({ type: 'start', settings, supervisor: process.pid });
  return {
    pid: child.pid,
    startedAt: performance.now(),
    change: (id, change) => send({ type: 'change', id, change }),
    drain: () => send({ type: 'drain' }),
    kill: () => child.kill('SIGKILL'),
  };
}
