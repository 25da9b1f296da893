import { STATUS_CODES } from 'node:http';
import { reasonOf } from '../core/errors.ts';
import type { IpAddress } from '../core/ip-address.ts';
import type { Logger } from '../ports/logger.ts';
import { always, headerBlock, type Answer } from './answer.ts';
import type { Counter, RouteCount } from './counts.ts';
import { readHead } from './head.ts';
import { hostMatcher } from './host-name.ts';
import { freeIt, ListenError } from './listen-error.ts';
import { loadNative, type HttpRequest, type HttpResponse, type ListenSocket } from './native.ts';
import { createPeers } from './peers.ts';
import { Problem, problemAnswer } from './problem.ts';
import { Request, type RequestRules } from './request.ts';
import type { Route, Router } from './router.ts';

export interface ServerOptions {
  readonly host: string;
  readonly port: number;
  /** Names that requests must be for; with none, every `Host` is served. */
  readonly ourNames: readonly string[];
  readonly rules: RequestRules;
  readonly router: Router;
  readonly counter: Counter;
  readonly log: Logger;
}

export interface Server {
  /**
   * Stops listening and asks every client to close after its next answer. `drained` is called once, when the
   * last connection is gone; an idle one ends by its own time-out of ten seconds.
   */
  drain(drained: () => void): void;
  readonly draining: boolean;
}

interface CountedRoute {
  /** None for paths where there is nothing. */
  readonly route: Route | undefined;
  readonly count: RouteCount;
}

/** A request on its way to its answer. */
interface Exchange {
  readonly response: HttpResponse;
  readonly method: string;
  readonly path: string;
  readonly count: RouteCount;
  readonly startedAt: number;
  /** Whether the connection ends with this answer. */
  readonly last: boolean;
  /** Only where it is logged. */
  readonly client: IpAddress | undefined;
}

const allowedMethods = 'GET, HEAD, OPTIONS';
const answerable = new Set(allowedMethods.split(', '));
const optionsHead = headerBlock('text/plain', {
  ...always,
  Allow: allowedMethods,
  'Access-Control-Allow-Methods': allowedMethods,
  'Access-Control-Allow-Headers': '*',
  'Access-Control-Max-Age': '86400',
});

/** Statuses with their reason phrase, made once. */
const statusLines = new Map(
  Object.entries(STATUS_CODES).map(([code, phrase]) => [Number(code), `${code} ${phrase}`]),
);

/**
 * Listens for HTTP/1.1, sharing the port with the other workers (SO_REUSEPORT). Throws ListenError when the
 * port cannot be had.
 */
export function startServer(options: ServerOptions): Server {
  const { host, port, ourNames, rules, router, counter, log } = options;
  const native = loadNative();
  const isOurs = ourNames.length === 0 ? undefined : hostMatcher(ourNames);
  const peers = createPeers();
  const { debugging } = log;
  let draining = false;
  let drained: (() => void) | undefined;

  const serve = (
    response: HttpResponse,
    raw: HttpRequest,
    method: string,
    path: string,
    route: CountedRoute,
  ): void => {
    const startedAt = performance.now();
    const peer = peers.of(response);
    const head = readHead(raw, rules.clientAddress.trusts(peer) ? rules.clientAddressHeader : undefined);
    const request = new Request(path, raw, peer, head.forwarded, rules);
    if (isOurs?.(raw.getHeader('host')) === false && !isOwnHealthCheck(request)) {
      response.close();
      return;
    }
    if (head.body === 'unclear') {
      response.close();
      return;
    }
    const exchange: Exchange = {
      response,
      method,
      path,
      count: route.count,
      startedAt,
      last: head.body === 'some' || !answerable.has(method),
      client: debugging ? request.client() : undefined,
    };
    try {
      const answer = answerTo(method, route.route, request);
      if (answer instanceof Promise) later(exchange, request, answer);
      else finish(exchange, answer);
    } catch (error) {
      finish(exchange, answerToFailure(error, request.wants()));
    }
  };

  const finish = (exchange: Exchange, answer: Answer): void => {
    const { response, method, path, count, startedAt, client } = exchange;
    write(response, answer, method === 'HEAD', draining || exchange.last);
    const seconds = (performance.now() - startedAt) / 1000;
    count(answer.status, seconds);
    if (client !== undefined) logRequest(method, path, answer.status, seconds, client);
  };

  const answerToFailure = (error: unknown, wanted: ReturnType<Request['wants']>): Answer => {
    if (error instanceof Problem) return problemAnswer(error, wanted);
    log.error(
      { error: reasonOf(error), stack: error instanceof Error ? error.stack : undefined },
      'a request failed',
    );
    return problemAnswer(new Problem(500, 'fault', 'Something went wrong here; it has been logged.'), wanted);
  };

  /** A route that waits: the caller may leave meanwhile, and the answer has to be corked by hand. */
  const later = (exchange: Exchange, request: Request, answer: Promise<Answer>): void => {
    const wanted = request.wants();
    let gone = false;
    exchange.response.onAborted(() => {
      gone = true;
    });
    void answer
      .catch((error: unknown) => answerToFailure(error, wanted))
      .then((settled) => {
        if (!gone) exchange.response.cork(() => finish(exchange, settled));
      });
  };

  const logRequest = (
    method: string,
    path: string,
    status: number,
    seconds: number,
    client: IpAddress,
  ): void => {
    log.debug({ method, path, status, ms: Math.round(seconds * 1e6) / 1000, client: client.text }, 'request');
  };

  const app = native.App();
  const counted = new Map<Route | undefined, CountedRoute>();
  for (const route of [undefined, ...router.routes]) {
    counted.set(route, { route, count: counter.route(route?.path ?? 'none') });
  }
  // The native server finds a fixed path by itself, and then neither path nor method has to be asked of it.
  for (const route of router.routes.filter(({ path }) => !path.includes(':'))) {
    const found = counted.get(route)!;
    app.get(route.path, (response, raw) => serve(response, raw, 'GET', route.path, found));
  }
  app.any('/*', (response, raw) => {
    const path = raw.getUrl();
    serve(response, raw, raw.getCaseSensitiveMethod(), path, counted.get(router.find(path))!);
  });
  app.filter((response, change) => {
    const opened = change > 0;
    counter.connection(opened ? 1 : -1);
    peers.connection(response, opened);
    if (drained !== undefined && counter.connections() === 0) drained();
  });
  let listening: ListenSocket | false = false;
  app.listen(host, port, (socket) => {
    listening = socket;
  });
  if (!listening) throw new ListenError(host, port, 'it is taken, or this user may not open it', freeIt);
  const socket: ListenSocket = listening;

  return {
    get draining() {
      return draining;
    },
    drain(whenDrained) {
      if (draining) return;
      draining = true;
      native.us_listen_socket_close(socket);
      if (counter.connections() === 0) whenDrained();
      else drained = whenDrained;
    },
  };
}

function answerTo(method: string, route: Route | undefined, request: Request): Answer | Promise<Answer> {
  if (route === undefined)
    throw new Problem(
      404,
      'not-found',
      `There is nothing at this path; GET /openapi.json lists what there is.`,
    );
  if (method === 'GET' || method === 'HEAD') return route.handle(request);
  if (method === 'OPTIONS') return { status: 200, head: optionsHead, body: '' };
  throw new Problem(405, 'method-not-allowed', `Only ${allowedMethods} are understood here.`, {
    Allow: allowedMethods,
  });
}

/** The host's own monitoring asks under an address, not under our name. */
function isOwnHealthCheck(request: Request): boolean {
  return request.path.startsWith('/health/') && request.peerIsLoopback();
}

const contentType = Buffer.from('Content-Type');

function write(response: HttpResponse, answer: Answer, headOnly: boolean, close: boolean): void {
  if (answer.status !== 200) response.writeStatus(statusLines.get(answer.status) ?? String(answer.status));
  response.writeHeader(contentType, answer.head);
  if (headOnly) response.endWithoutBody(Buffer.byteLength(answer.body), close);
  else response.end(answer.body, close);
}
