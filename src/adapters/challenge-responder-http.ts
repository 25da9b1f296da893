import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { Failure } from '../core/errors.ts';
import { createTurns } from '../core/turns.ts';
import type { ChallengeResponder } from '../ports/challenge-responder.ts';

export interface HttpChallengeResponderOptions {
  /** `::` is every address of both families. */
  readonly host: string;
  readonly port: number;
  /** Why the port cannot be listened on, and what to do; called at once, while the cause can still be looked at. */
  explain(error: NodeJS.ErrnoException): Failure;
}

/** Answers challenges where no service runs: it has the port to itself, and only for as long as there is a challenge. */
export interface HttpChallengeResponder extends ChallengeResponder {
  /**
   * Takes the port now and keeps it until `close`, for a process that is about to lose the right to. Never rejects: where
   * the port cannot be had, only a challenge suffers, and is told why.
   */
  open(): Promise<void>;
  /** Gives the port back. Never rejects. */
  close(): Promise<void>;
}

const prefix = '/.well-known/acme-challenge/';

/** `present` rejects with the Failure of `explain` where the port cannot be listened on. */
export function createHttpChallengeResponder(options: HttpChallengeResponderOptions): HttpChallengeResponder {
  const keyAuthorizations = new Map<string, string>();
  let server: Server | undefined;
  let refusal: Failure | undefined;
  let keepOpen = false;

  /** RFC 8555 §8.3: under whatever name, over plain HTTP. */
  const answer: RequestListener = ({ method, url = '' }, response) => {
    const known = url.startsWith(prefix) ? keyAuthorizations.get(url.slice(prefix.length)) : undefined;
    const found = known !== undefined && (method === 'GET' || method === 'HEAD');
    response.writeHead(found ? 200 : 404, {
      'Content-Type': found ? 'application/octet-stream' : 'text/plain',
      Connection: 'close',
    });
    response.end(found ? known : 'Only certificate challenges are answered here.\n');
  };

  const listen = async (): Promise<void> => {
    if (server !== undefined || refusal !== undefined) return;
    const starting = createServer({ headersTimeout: 10_000, requestTimeout: 10_000 }, answer);
    starting.listen({ host: options.host, port: options.port, exclusive: true });
    try {
      await once(starting, 'listening');
      starting.on('error', () => {});
      server = starting;
    } catch (error) {
      refusal = options.explain(error as NodeJS.ErrnoException);
    }
  };

  const release = async (): Promise<void> => {
    const closing = server;
    server = undefined;
    refusal = undefined;
    if (closing === undefined) return;
    const closed = new Promise((resolve) => closing.close(resolve));
    closing.closeAllConnections();
    await closed;
  };

  /** Opening and closing wait for each other: they are about one port. */
  const inTurn = createTurns();

  return {
    open: () =>
      inTurn(async () => {
        keepOpen = true;
        await listen();
      }),
    prepare: () =>
      inTurn(async () => {
        await listen();
        const failure = refusal;
        if (!keepOpen) refusal = undefined;
        if (failure !== undefined) throw failure;
      }),
    present: (token, keyAuthorization) =>
      inTurn(async () => {
        await listen();
        const failure = refusal;
        // the right to try again is lost where the port was to be kept
        if (!keepOpen) refusal = undefined;
        if (failure !== undefined) throw failure;
        keyAuthorizations.set(token, keyAuthorization);
      }),
    remove: (token) =>
      inTurn(async () => {
        keyAuthorizations.delete(token);
        if (keyAuthorizations.size === 0 && !keepOpen) await release();
      }),
    close: () =>
      inTurn(async () => {
        keepOpen = false;
        keyAuthorizations.clear();
        await release();
      }),
  };
}
