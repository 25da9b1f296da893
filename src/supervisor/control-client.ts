import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { exitCodes, Failure } from '../core/errors.ts';
import {
  type ControlRequest,
  type ImportRequest,
  parseAnswer,
  received,
  type RenewRequest,
  type ServiceControl,
  type ServiceStatus,
  type UpgradeRequest,
  type UpgradeResult,
} from './control-messages.ts';
import { controlAddress, controlPath } from './control-socket.ts';

export type { ServiceStatus } from './control-messages.ts';

/**
 * The running service, as the command line reaches it below `APP_RUN_DIR`. Each call rejects with the Failure that the
 * service ended with; with `not-running` (exit code 6) where there is none; with `control-denied` where this user may not
 * ask; with `service-ended` (exit code 6) where the service went away in the middle; with the signal's reason.
 */
export function connectToService<Certificate, Outcome>(folder: string): ServiceControl<Certificate, Outcome> {
  return {
    status: () => inTime(folder) as Promise<ServiceStatus<Certificate>>,
    renewCerts: (options: RenewRequest, progress: (step: string) => void, signal: AbortSignal) =>
      ask(folder, { command: 'renew-certs', options }, progress, signal) as Promise<readonly Outcome[]>,
    importCertificate: (pair: ImportRequest) =>
      ask(folder, { command: 'import-certificate', pair }) as Promise<Outcome>,
    upgrade: (to: UpgradeRequest, progress: (step: string) => void, signal?: AbortSignal) =>
      ask(folder, { command: 'upgrade', to }, progress, signal) as Promise<UpgradeResult>,
  };
}

/** Monitoring asks, and would wait for ever for a service that was stopped or is stuck. Rejects with `service-silent`. */
async function inTime(folder: string): Promise<unknown> {
  const deadline = AbortSignal.timeout(statusDeadlineMs);
  try {
    return await ask(folder, { command: 'status' }, undefined, deadline);
  } catch (error) {
    if (!deadline.aborted) throw error;
    throw new Failure(`the service has said nothing for ${statusDeadlineMs / 1000} seconds`, {
      code: 'service-silent',
      retryable: true,
      remedy: 'it is stopped or stuck; "systemctl restart appliance" helps, its log says more',
    });
  }
}

const statusDeadlineMs = 5000;

async function ask(
  folder: string,
  request: ControlRequest,
  progress: (step: string) => void = () => {},
  signal?: AbortSignal,
): Promise<unknown> {
  signal?.throwIfAborted();
  const socket = await reach(folder);
  const leave = (): void => void socket.destroy();
  signal?.addEventListener('abort', leave);
  try {
    socket.write(`${JSON.stringify(request)}\n`);
    for await (const line of linesOf(socket)) {
      const answer = parseAnswer(line);
      if ('progress' in answer) progress(answer.progress);
      else if ('failure' in answer) throw received(answer.failure);
      else return answer.result;
    }
  } finally {
    signal?.removeEventListener('abort', leave);
    socket.destroy();
  }
  signal?.throwIfAborted();
  throw new Failure('the service ended before it had answered', {
    code: 'service-ended',
    exitCode: exitCodes.notRunning,
    retryable: true,
    remedy: 'its log says why',
  });
}

/** A connection that is cut ends the lines; what was not a whole line is dropped. */
async function* linesOf(socket: Socket): AsyncGenerator<string> {
  let rest = '';
  socket.setEncoding('utf8');
  try {
    for await (const chunk of socket as AsyncIterable<string>) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
  }
}

async function reach(folder: string): Promise<Socket> {
  try {
    const address = controlAddress(folder);
    try {
      const socket = connect(address.path);
      await once(socket, 'connect');
      return socket;
    } finally {
      address.release();
    }
  } catch (error) {
    throw unreachable(folder, error as NodeJS.ErrnoException);
  }
}

function unreachable(folder: string, error: NodeJS.ErrnoException): Failure {
  const path = controlPath(folder);
  switch (error.code) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ECONNREFUSED':
      return new Failure(`the service is not running: nobody answers on ${path}`, {
        code: 'not-running',
        exitCode: exitCodes.notRunning,
        remedy: 'start it with "systemctl start appliance", or in the foreground with "appliance serve"',
      });
    case 'EACCES':
    case 'EPERM':
      return new Failure(`this user may not talk to the service on ${path}`, {
        code: 'control-denied',
        remedy: 'use sudo, or run this as the user of the service',
      });
    default:
      return new Failure(`the service cannot be reached on ${path}`, {
        code: 'control-unreachable',
        retryable: true,
        cause: error,
      });
  }
}
