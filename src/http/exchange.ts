import { STATUS_CODES } from 'node:http';
import { reasonOf } from '../core/errors.ts';
import type { IpAddress } from '../core/ip-address.ts';
import type { Logger } from '../ports/logger.ts';
import type { VisitTally } from '../whoami/visit-tally.ts';
import { always, headerBlock, type Answer } from './answer.ts';
import { dropBody, isReadBeforeAnswer } from './body.ts';
import type { Counter, RouteCount } from './counts.ts';
import { readHead } from './head.ts';
import { hostMatcher } from './host-name.ts';
import type { HttpsPolicy } from './https-policy.ts';
import type { Listener } from './listener.ts';
import type { HttpRequest, HttpResponse, TemplatedApp } from './native.ts';
import type { Peers } from './peers.ts';
import { Problem, problemAnswer } from './problem.ts';
import { Request, type RequestRules } from './request.ts';
import type { Route, Router } from './router.ts';
import { challengePath } from './routes/acme-challenge.ts';

/** Has a native app answer everything; for an app with several names, once after each `domain`. */
export type Registration = (app: TemplatedApp, listener: Listener) => void;

export interface ExchangeOptions {
  /** Names that requests must be for; with none, every `Host` is served. */
  readonly ourNames: readonly string[];
  readonly rules: RequestRules;
  readonly router: Router;
  readonly httpsPolicy: HttpsPolicy;
  readonly peers: Peers;
  readonly counter: Counter;
  /** None where visits are not counted. */
  readonly visits: VisitTally | undefined;
  readonly log: Logger;
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
  /** Who asks, where that is a visit to be counted. */
  readonly visit: Request | undefined;
  readonly startedAt: number;
  readonly listener: Listener;
  /** Whether the connection ends with this answer, whatever its listener does. */
  readonly last: boolean;
  /** Whether the answer tells browsers to come back over HTTPS alone. */
  readonly hsts: boolean;
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

/** The way from a request to its answer, the same on every port. */
export function createExchange(options: ExchangeOptions): Registration {
  const { ourNames, rules, router, httpsPolicy, peers, counter, visits, log } = options;
  const isOurs = ourNames.length === 0 ? undefined : hostMatcher(ourNames);
  const { debugging } = log;

  const serve = (
    response: HttpResponse,
    raw: HttpRequest,
    method: string,
    path: string,
    route: CountedRoute,
    listener: Listener,
  ): void => {
    const startedAt = performance.now();
    const peer = peers.of(response);
    const head = readHead(raw, rules.clientAddress.trusts(peer) ? rules.clientAddressHeader : undefined);
    const request = new Request(path, raw, peer, head.forwarded, rules);
    const { secure } = listener;
    const host = isOurs === undefined && !secure ? '' : raw.getHeader('host');
    if (isOurs?.(host) === false && !isForAnyHost(request, secure)) {
      response.close();
      return;
    }
    let readsBody = false;
    if (head.body !== 'none') {
      if (head.body === 'unclear') {
        response.close();
        return;
      }
      readsBody = isReadBeforeAnswer(raw);
    }
    const exchange: Exchange = {
      response,
      method,
      path,
      count: route.count,
      visit: route.route?.housekeeping === true || visits === undefined ? undefined : request,
      startedAt,
      listener,
      last: head.body === 'some' || !answerable.has(method),
      hsts: secure && httpsPolicy.sendsHsts(host),
      client: debugging ? request.client() : undefined,
    };
    const answer = answerOf(method, route.route, request, secure);
    if (readsBody) later(exchange, request, afterBody(exchange, answer));
    else if (answer instanceof Promise) later(exchange, request, answer);
    else finish(exchange, answer);
  };

  /** What there is to answer, a failure too; only a promise may still fail. */
  const answerOf = (
    method: string,
    route: Route | undefined,
    request: Request,
    secure: boolean,
  ): Answer | Promise<Answer> => {
    try {
      const answer = answerTo(method, route, request);
      if (answer instanceof Promise || secure || answer.page !== true) return answer;
      return httpsPolicy.redirect(request, answer);
    } catch (error) {
      return answerToFailure(error, request.wants());
    }
  };

  const finish = (exchange: Exchange, answer: Answer): void => {
    const { response, method, path, count, visit, startedAt, listener, client } = exchange;
    const head = exchange.hsts ? httpsPolicy.withHsts(answer.head) : answer.head;
    if (answer.status !== 200) response.writeStatus(statusLines.get(answer.status) ?? String(answer.status));
    response.writeHeader(contentType, head);
    const close = listener.ends() || exchange.last;
    if (method === 'HEAD') response.endWithoutBody(Buffer.byteLength(answer.body), close);
    else response.end(answer.body, close);
    const seconds = (performance.now() - startedAt) / 1000;
    count(answer.status, seconds);
    if (visit !== undefined) countVisit(visit, answer.status);
    if (client !== undefined) logRequest(method, path, answer.status, seconds, client);
  };

  const countVisit = (request: Request, status: number): void => {
    const visitor = request.visitor();
    const { address, geo } = visitor.record;
    visitor.visits ??= visits!.groupOf(geo.place.countryIso, geo.operator.asn, geo.operator.asnOrg);
    visits!.count(visitor.visits, status, address.text);
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

  /** The same answer, once the body has ended or is over the bound. */
  const afterBody = async (exchange: Exchange, answer: Answer | Promise<Answer>): Promise<Answer> => {
    await Promise.allSettled([answer, dropBody(exchange.response)]);
    return answer;
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

  const counted = new Map<Route | undefined, CountedRoute>();
  for (const route of [undefined, ...router.routes]) {
    counted.set(route, { route, count: counter.route(route?.path ?? 'none') });
  }
  // The native server finds a fixed path by itself, and then neither path nor method has to be asked of it.
  const fixed = router.routes.filter(({ path }) => !path.includes(':'));

  return (app, listener) => {
    for (const route of fixed) {
      const found = counted.get(route)!;
      app.get(route.path, (response, raw) => serve(response, raw, 'GET', route.path, found, listener));
    }
    app.any('/*', (response, raw) => {
      const path = raw.getUrl();
      serve(response, raw, raw.getCaseSensitiveMethod(), path, counted.get(router.find(path))!, listener);
    });
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

/**
 * Certificate authorities ask over plain HTTP, under whatever name or address they are about to prove; the host's own
 * monitoring asks under an address, not under our name.
 */
function isForAnyHost(request: Request, secure: boolean): boolean {
  if (request.path.startsWith('/health/')) return request.peerIsLoopback();
  return !secure && request.path.startsWith(challengePath);
}

const contentType = Buffer.from('Content-Type');
