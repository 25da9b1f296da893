import { createServer, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { exitCodes, Failure } from '../core/errors.ts';
import type { Logger } from '../ports/logger.ts';
import {
  type ControlAnswer,
  type ControlRequest,
  maxRequestBytes,
  parseRequest,
  type ServiceControl,
  transferred,
} from './control-messages.ts';
import { listenOnControlSocket } from './control-socket.ts';

export interface ControlOptions {
  /** `APP_RUN_DIR`. */
  readonly folder: string;
  readonly handlers: ServiceControl;
  readonly log: Logger;
  /** Whether a service that answers there is to be followed, instead of left alone. */
  readonly takeOver?: boolean;
}

export interface Control {
  /** Listens again where another process has taken the name. Requests that are open go on. Rejects with a Failure. */
  retake(): Promise<void>;
  /**
   * Ends the requests that are open with a failure, aborts their signals, and removes the socket. Those for the status, which take a
   * moment, are answered: whoever asks while another version takes over is to get an answer.
   */
  close(): Promise<void>;
}

/** A request is one short line from a program on this host. */
const requestDeadlineMs = 10_000;
/** For the other side to have read its answer and closed. */
const lingerMs = 2000;
/** For an answer about the status when everything else is ending. */
const lastAnswersMs = 2000;
const maxConnections = 64;

/**
 * Answers the command line until it is closed. No request waits for another. A caller that leaves does not end what
 * it asked for, as nobody's Ctrl-C may stop a renewal half-way, but for an upgrade, which only its caller can finish.
 * Rejects with a Failure where there can be no socket.
 */
export async function startControl({
  folder,
  handlers,
  log,
  takeOver = false,
}: ControlOptions): Promise<Control> {
  const closing = new AbortController();
  const open = new Set<Connection>();
  const listen = async (follow: boolean) => {
    // a caller may close its half once it has asked
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      const connection = startConnection(socket, (request, progress, left) => {
        log[request.command === 'status' ? 'debug' : 'info']({ command: request.command }, 'asked to');
        return handle(request, handlers, progress, { closing: closing.signal, left }).catch(
          (error: unknown) => {
            if (!(error instanceof Failure)) log.error({ err: error, command: request.command }, 'a fault');
            throw error;
          },
        );
      });
      open.add(connection);
      socket.on('close', () => open.delete(connection));
    });
    server.maxConnections = maxConnections;
    const name = await listenOnControlSocket(server, folder, follow);
    server.on('error', (error) => log.error({ reason: error.message }, 'the control socket has trouble'));
    return { server, name };
  };
  let listening = await listen(takeOver);

  return {
    async retake() {
      if (listening.name.isMet()) return;
      const before = listening;
      listening = await listen(true);
      before.server.close();
      before.name.remove();
    },
    async close() {
      const { server, name } = listening;
      const closed = new Promise((resolve) => server.close(resolve));
      const reason = new Failure('the service was stopped before it had finished', {
        code: 'service-ended',
        exitCode: exitCodes.notRunning,
        retryable: true,
      });
      for (const connection of open) if (!connection.mayAskStatus) connection.end(reason);
      closing.abort(reason);
      await Promise.race([closed, wait(lastAnswersMs, undefined, { ref: false })]);
      for (const connection of open) connection.end(reason);
      await closed;
      name.remove();
    },
  };
}

async function handle(
  request: ControlRequest,
  handlers: ServiceControl,
  progress: (step: string) => void,
  { closing, left }: { readonly closing: AbortSignal; readonly left: AbortSignal },
): Promise<unknown> {
  if (request.command === 'status') return handlers.status();
  closing.throwIfAborted();
  if (request.command === 'renew-certs') return handlers.renewCerts(request.options, progress, closing);
  if (request.command === 'upgrade') return handlers.upgrade(request.to, progress, left);
  return handlers.importCertificate(request.pair);
}

interface Connection {
  /** It does, or has not said yet what it asks. */
  readonly mayAskStatus: boolean;
  /** Tells the caller of the failure, unless it was answered before. */
  end(failure: Failure): void;
}

/** One connection: reads its request, has it handled, answers. */
function startConnection(
  socket: Socket,
  handle: (request: ControlRequest, progress: (step: string) => void, left: AbortSignal) => Promise<unknown>,
): Connection {
  let chunks: Buffer[] | undefined = [];
  let bytes = 0;
  let answered = false;
  let command: ControlRequest['command'] | undefined;
  const leaving = new AbortController();

  const send = (answer: ControlAnswer): void => void socket.write(`${JSON.stringify(answer)}\n`);
  const finish = (answer: ControlAnswer): void => {
    if (answered) return;
    answered = true;
    chunks = undefined;
    clearTimeout(deadline);
    if (socket.destroyed) return;
    send(answer);
    socket.end();
    // what is still coming is read and dropped: closing over it would cost the caller its answer
    const linger = setTimeout(() => socket.destroy(), lingerMs);
    socket.on('close', () => clearTimeout(linger));
  };
  const fail = (error: unknown): void => finish({ failure: transferred(error) });
  const refuse = (message: string): void => fail(new Failure(message, { code: 'request-malformed' }));

  const accept = (line: string): void => {
    chunks = undefined;
    clearTimeout(deadline);
    const progress = (step: string): void => {
      // a caller that does not read, or is gone, misses it
      if (!answered && !socket.destroyed && !socket.writableNeedDrain) send({ progress: step });
    };
    const run = async (): Promise<unknown> => {
      const request = parseRequest(line);
      ({ command } = request);
      return handle(request, progress, leaving.signal);
    };
    run().then((result) => finish({ result: result ?? null }), fail);
  };

  const deadline = setTimeout(() => refuse('the request did not arrive in time'), requestDeadlineMs);
  socket.on('data', (chunk: Buffer) => {
    if (chunks === undefined) return;
    const end = chunk.indexOf(10);
    bytes += end === -1 ? chunk.length : end;
    if (bytes > maxRequestBytes) return refuse(`the request is longer than ${maxRequestBytes} bytes`);
    chunks.push(end === -1 ? chunk : chunk.subarray(0, end));
    if (end !== -1) accept(Buffer.concat(chunks).toString('utf8'));
  });
  socket.on('end', () => {
    // a look whether anybody listens, or half a request
    if (chunks !== undefined) refuse('the request ended before its line did');
    else if (answered) socket.destroySoon();
    else leaving.abort();
  });
  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    clearTimeout(deadline);
    leaving.abort();
  });

  return {
    get mayAskStatus() {
      return command === undefined || command === 'status';
    },
    end: fail,
  };
}
