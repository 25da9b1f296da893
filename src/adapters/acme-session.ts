import { AsyncLocalStorage } from 'node:async_hooks';
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Agent } from 'node:https';
import { axios, Client } from 'acme-client';
import type { Clock } from '../core/clock.ts';
import { exitCodes, Failure, reasonOf } from '../core/errors.ts';
import { version } from '../core/version.ts';
import type { AuthorityFailure } from '../ports/certificate-issuer.ts';
import type { ExternalBinding } from './acme-account.ts';
import { clockSentence } from './acme-clock.ts';
import { isObject } from '../core/is-object.ts';
import { readDirectory, type AcmeDirectory } from './acme-directory.ts';
import { exchange, ExchangeError, makeAgent, type AcmeRequest, type AcmeResponse } from './acme-exchange.ts';
import { noAnswer, refusal, type ProblemContext, type SettingNames } from './acme-problem.ts';
import { retryAfterMs } from './acme-resources.ts';

export interface AcmeSessionOptions {
  /** HTTPS URL of the directory. */
  readonly directoryUrl: string;
  /** PEM file of whom alone to trust for HTTPS; undefined: whom Node trusts. */
  readonly caFile: string | undefined;
  readonly clock: Clock;
  /** What the remedies of failures name. */
  readonly settings?: SettingNames;
  /** For each request; 30 seconds. */
  readonly timeoutMs?: number;
}

/** Requests to one server, with its own trust, whose failures are told in plain words. */
export interface AcmeSession {
  /** Read once an hour, and judged. */
  directory(signal: AbortSignal): Promise<AcmeDirectory>;
  /** Runs calls of acme-client; gives back what they return and the last answer, which acme-client keeps to itself. */
  call<Result>(
    what: string,
    signal: AbortSignal,
    action: () => Promise<Result>,
  ): Promise<{ readonly result: Result; readonly response: AcmeResponse }>;
  /** A plain GET that must be answered with 200. */
  get(url: string, what: string, signal: AbortSignal): Promise<AcmeResponse>;
  /** Parses what came; ExchangeError becomes the failure that no ACME server answers so. */
  reading<Result>(what: string, read: () => Result): Result;
  /** The failure of a problem document. */
  refuse(document: unknown, what: string, more?: Partial<ProblemContext>): AuthorityFailure;
}

const ownSettings: SettingNames = {
  directoryUrl: 'CERT_DIRECTORY_URL',
  caFile: 'CERT_CA_FILE',
  eab: 'CERT_EAB_KID and CERT_EAB_HMAC',
};
const userAgent = `appliance/${version}`;
const directoryMaxAgeMs = 3_600_000;
/** A server that refuses every second nonce refuses twenty-five in a row once in thirty million. */
const maxBadNonces = 25;

/** How the requests go out that acme-client makes within one call of ours. */
type Send = (request: AcmeRequest) => Promise<AcmeResponse>;
const sending = new AsyncLocalStorage<Send>();

// acme-client sends with one axios for all its clients. This takes the place of axios's own way to the network, so that each
// authority has its own trust, each call its own signal, and no answer is hidden, retried or slept over.
axios.defaults.adapter = async (config) => {
  const send = sending.getStore();
  if (send === undefined) throw new Error('acme-client was used from outside the adapter');
  const method = config.method?.toUpperCase();
  const response = await send({
    method: method === 'POST' || method === 'HEAD' ? method : 'GET',
    url: config.url ?? '',
    body: typeof config.data === 'string' ? config.data : undefined,
  });
  const { status, headers, text } = response;
  return { status, statusText: '', headers: headers as Record<string, string>, data: text, config };
};

interface Known {
  readonly directory: AcmeDirectory;
  readonly ca: string | undefined;
  readonly agent: Agent;
  readonly readAt: number;
}

export function createAcmeSession(options: AcmeSessionOptions): AcmeSession {
  const { directoryUrl: authority, clock } = options;
  const settings = options.settings ?? ownSettings;
  let known: Known | undefined;

  function context(what: string, more: Partial<ProblemContext> = {}): ProblemContext {
    const now = clock.now();
    const clockRemedy = clockSentence(known?.directory.clockAheadMs, now);
    return { authority, what, now, settings, clockRemedy, ...more };
  }

  const refuse = (document: unknown, what: string, more?: Partial<ProblemContext>) =>
    refusal(document, context(what, more));

  function refuseAnswer({ text, status, headers }: AcmeResponse, what: string): AuthorityFailure {
    return refuse(parse(text), what, { status, retryAfterMs: retryAfterMs(headers, clock.now()) });
  }

  const asFailure = (error: unknown, what: string) =>
    error instanceof ExchangeError ? noAnswer(error, context(what)) : error;

  async function send(
    agent: Agent,
    request: AcmeRequest,
    what: string,
    signal: AbortSignal,
  ): Promise<AcmeResponse> {
    try {
      const timeoutMs = options.timeoutMs ?? 30_000;
      return await exchange(request, { agent, userAgent, timeoutMs, signal });
    } catch (error) {
      throw asFailure(error, what);
    }
  }

  function reading<Result>(what: string, read: () => Result): Result {
    try {
      return read();
    } catch (error) {
      throw asFailure(error, what);
    }
  }

  async function connect(signal: AbortSignal): Promise<Known> {
    if (known !== undefined && Math.abs(clock.now() - known.readAt) < directoryMaxAgeMs) return known;
    const ca = options.caFile === undefined ? undefined : await readCa(options.caFile, settings.caFile);
    const what = 'its directory';
    const agent = known !== undefined && known.ca === ca ? known.agent : makeAgent(ca);
    const response = await send(agent, { method: 'GET', url: authority }, what, signal);
    if (response.status !== 200) throw refuseAnswer(response, what);
    const directory = reading(what, () => readDirectory(response, clock.now()));
    known = { directory, ca, agent, readAt: clock.now() };
    return known;
  }

  return {
    directory: async (signal) => (await connect(signal)).directory,

    async call(what, signal, action) {
      const { agent, directory } = await connect(signal);
      let response: AcmeResponse | undefined;
      let badNonces = 0;
      const run: Send = async (request) => {
        // it asks for the directory that we have read and judged already
        if (request.url === authority && request.method === 'GET') {
          return { url: authority, status: 200, headers: {}, text: JSON.stringify(directory.document) };
        }
        response = await send(agent, request, what, signal);
        if (response.status < 300) return response;
        const failure = refuseAnswer(response, what);
        if (failure.problem.type === 'badNonce' && ++badNonces < maxBadNonces) return response;
        throw failure;
      };
      const result = await sending.run(run, action).catch((error: unknown) => {
        if (error instanceof Failure || signal.aborted) throw error;
        // what remains is an answer without what acme-client looks for in it
        throw asFailure(new ExchangeError('not-acme', lackingWords(error), { cause: error }), what);
      });
      return { result, response: response! };
    },

    async get(url, what, signal) {
      const { agent } = await connect(signal);
      const response = await send(agent, { method: 'GET', url }, what, signal);
      if (response.status !== 200) throw refuseAnswer(response, what);
      return response;
    },

    reading,
    refuse,
  };
}

/** A client of acme-client whose requests go out by `call`. */
export function makeClient(
  directoryUrl: string,
  accountKey: string,
  accountUrl: string | undefined,
  binding: ExternalBinding | undefined,
): Client {
  const client = new Client({
    directoryUrl,
    accountKey,
    ...(accountUrl === undefined ? {} : { accountUrl }),
    ...(binding === undefined ? {} : { externalAccountBinding: binding }),
  });
  // Not among its options. Our own count comes first and keeps the document.
  (client as unknown as { http: { maxBadNonceRetries: number } }).http.maxBadNonceRetries = maxBadNonces;
  return client;
}

async function readCa(file: string, setting: string): Promise<string> {
  try {
    const pem = await readFile(file, 'utf8');
    // a file without a certificate would be taken for an empty list
    void new X509Certificate(pem);
    return pem;
  } catch (error) {
    throw new Failure(`${setting}: no certificate can be read from ${file}: ${reasonOf(error)}.`, {
      code: 'ca-file-unreadable',
      exitCode: exitCodes.usage,
      remedy:
        'Name a PEM file with the certificate of the private authority, readable by the user of the service.',
      cause: error,
    });
  }
}

/** What an answer lacks, of the error that acme-client throws for it. */
function lackingWords(error: unknown): string {
  if (error instanceof TypeError) return 'It answers with something else than belongs there.';
  const reason = reasonOf(error);
  return reason.startsWith('No account URL')
    ? 'It does not say where our account is (Location).'
    : `${reason}.`;
}

function parse(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
