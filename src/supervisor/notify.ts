import { reasonOf } from '../core/errors.ts';
import { printable } from '../core/printable.ts';
import { createTurns } from '../core/turns.ts';
import type { Logger } from '../ports/logger.ts';

/** What systemd is told of the service, as sd_notify(3) has it; without systemd nothing at all. */
export interface ServiceManager {
  /** The service answers. `text` is what `systemctl status` shows from now on, as in all of these. */
  ready(text: string): Promise<void>;
  /** A new configuration is being read; followed by `ready`, whatever came of it. */
  reloading(text: string): Promise<void>;
  stopping(text: string): Promise<void>;
  status(text: string): Promise<void>;
  /** The service is well: due again within twice `watchdogEveryMs`, else it is killed and started anew. Whether that was heard. */
  watchdog(text: string): Promise<boolean>;
  /** From now on that process of this service is its main one. False where systemd could not be told: then this one still is. */
  mainProcess(pid: number): Promise<boolean>;
  /** Says nothing more: another process speaks for the service. Resolves when what was said before has been heard. */
  fallSilent(): Promise<void>;
  /** How often `watchdog` is due, in milliseconds; undefined where nobody waits for it. */
  readonly watchdogEveryMs: number | undefined;
  /** What lets another process of this service speak for it too. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Runs a program to its end; see `host/run-program.ts`. */
export type RunProgram = (
  file: string,
  args: readonly string[],
  options: { readonly environment: Readonly<Record<string, string>>; readonly timeoutMs: number },
) => Promise<{ readonly exitCode: number; readonly stderr: string }>;

/** `systemd-notify` returns when systemd has acted on what it was told, or after five seconds. */
const timeoutMs = 10_000;

/**
 * Takes the variables by which systemd can be told of this service out of `environment`, so that no child has them: workers,
 * hooks and commands must not speak for the service.
 */
export function takeNotifyVariables(environment: NodeJS.ProcessEnv): Readonly<Record<string, string>> {
  const taken: Record<string, string> = {};
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) {
    const value = environment[name];
    if (value !== undefined) taken[name] = value;
    delete environment[name];
  }
  return taken;
}

/**
 * Tells systemd by its own `systemd-notify`, since Node has no datagrams to Unix sockets; the unit has `NotifyAccess=all`
 * for it. What is told arrives in the order of the calls. Each resolves when it has been heard and none rejects: the
 * service goes on unheard, and says so in the log once.
 */
export function createServiceManager(
  variables: Readonly<Record<string, string>>,
  run: RunProgram,
  log: Logger,
): ServiceManager {
  const { NOTIFY_SOCKET: socket = '', WATCHDOG_USEC: watchdogUsec, WATCHDOG_PID: watchdogPid } = variables;
  const watched = socket !== '' && (watchdogPid === undefined || watchdogPid === String(process.pid));
  const watchdogMs = watched ? Number(watchdogUsec) / 1000 : Number.NaN;
  const inTurn = createTurns();
  let silent = socket === '';
  let failedBefore = false;

  const tell = async (...assignments: readonly string[]): Promise<void> => void (await heard(assignments));
  const heard = async (assignments: readonly string[]): Promise<boolean> => {
    if (silent) return true;
    const failure = await inTurn(() => notify(socket, assignments, run));
    if (failure !== undefined && !failedBefore) {
      failedBefore = true;
      log.warn({ reason: failure, told: assignments }, 'systemd cannot be told how the service is');
    }
    return failure === undefined;
  };
  const statusOf = (text: string): string => `STATUS=${printable(text)}`;

  return {
    ready: (text) => tell('READY=1', statusOf(text)),
    reloading: (text) => tell('RELOADING=1', `MONOTONIC_USEC=${monotonicUsec()}`, statusOf(text)),
    stopping: (text) => tell('STOPPING=1', statusOf(text)),
    status: (text) => tell(statusOf(text)),
    watchdog: (text) => heard(['WATCHDOG=1', statusOf(text)]),
    mainProcess: (pid) => heard([`MAINPID=${pid}`]),
    fallSilent() {
      silent = true;
      return inTurn(() => {});
    },
    watchdogEveryMs: watchdogMs > 0 ? watchdogMs / 2 : undefined,
    // whoever gets these has another PID
    environment:
      socket === ''
        ? {}
        : {
            NOTIFY_SOCKET: socket,
            ...(watchdogUsec === undefined ? {} : { WATCHDOG_USEC: watchdogUsec }),
          },
  };
}

/** Why it was not heard, if it was not. */
async function notify(
  socket: string,
  assignments: readonly string[],
  run: RunProgram,
): Promise<string | undefined> {
  try {
    const environment = { PATH: '/usr/local/bin:/usr/bin:/bin', NOTIFY_SOCKET: socket };
    const { exitCode, stderr } = await run('systemd-notify', assignments, { environment, timeoutMs });
    return exitCode === 0 ? undefined : stderr.trim() || `systemd-notify ended with status ${exitCode}`;
  } catch (error) {
    return reasonOf(error);
  }
}

/** CLOCK_MONOTONIC, in microseconds. */
function monotonicUsec(): bigint {
  return process.hrtime.bigint() / 1000n;
}
