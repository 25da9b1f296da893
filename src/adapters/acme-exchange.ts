import { once } from 'node:events';
import { Agent, request } from 'node:https';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';

/** One HTTP request to an authority. */
export interface AcmeRequest {
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly url: string;
  readonly body?: string | undefined;
}

export interface AcmeResponse {
  readonly url: string;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** No answer came, or none that can be used. */
export class ExchangeError extends Error {
  readonly kind: 'unreachable' | 'timeout' | 'tls' | 'not-acme';
  /** OpenSSL's or the system's, such as `ECONNREFUSED`. */
  readonly systemCode: string | undefined;

  constructor(
    kind: ExchangeError['kind'],
    message: string,
    detail: { systemCode?: string | undefined; cause?: unknown } = {},
  ) {
    super(message, { cause: detail.cause });
    this.kind = kind;
    this.systemCode = detail.systemCode;
  }
}

const maxReplyBytes = 1 << 20;
const maxRedirects = 3;

/** Connections that trust `ca` (PEM) alone, or without it whom Node trusts; through the proxy that the environment names. */
export function makeAgent(ca: string | undefined): Agent {
  const trust = ca === undefined ? {} : { ca };
  return new Agent({ keepAlive: true, proxyEnv: process.env, minVersion: 'TLSv1.2', ...trust });
}

/**
 * Sends one request over HTTPS and reads the whole answer, whatever its status. GET and HEAD follow up to three
 * redirects, to HTTPS only. Rejects with ExchangeError, or with the signal's reason.
 */
export async function exchange(
  asked: AcmeRequest,
  options: {
    readonly agent: Agent;
    readonly userAgent: string;
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
  },
): Promise<AcmeResponse> {
  options.signal.throwIfAborted();
  const limit = AbortSignal.timeout(options.timeoutMs);
  const signal = AbortSignal.any([options.signal, limit]);
  try {
    let url = asked.url;
    for (let redirects = 0; ; redirects++) {
      const response = await send({ ...asked, url }, { ...options, signal });
      const { location } = response.headers;
      const moved = [301, 302, 303, 307, 308].includes(response.status);
      if (!moved || asked.method === 'POST' || location === undefined) return response;
      if (redirects === maxRedirects) throw new ExchangeError('not-acme', 'It redirects without end.');
      url = URL.parse(location, url)?.href ?? location;
    }
  } catch (error) {
    options.signal.throwIfAborted();
    if (limit.aborted) {
      throw new ExchangeError('timeout', `It did not answer within ${options.timeoutMs / 1000} seconds.`);
    }
    throw error instanceof ExchangeError ? error : fromSystem(error);
  }
}

async function send(
  { method, url, body }: AcmeRequest,
  { agent, userAgent, signal }: { agent: Agent; userAgent: string; signal: AbortSignal },
): Promise<AcmeResponse> {
  if (URL.parse(url)?.protocol !== 'https:') {
    throw new ExchangeError('not-acme', `It sends us to ${url.slice(0, 200)}, which is not HTTPS.`);
  }
  const headers = {
    'User-Agent': userAgent,
    ...(body === undefined
      ? {}
      : { 'Content-Type': 'application/jose+json', 'Content-Length': Buffer.byteLength(body) }),
  };
  for (let attempt = 1; ; attempt++) {
    const sent = request(url, { agent, method, headers, signal });
    // what fails once the answer has begun fails the reading of it
    sent.on('error', () => {});
    try {
      sent.end(body);
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      return { url, status: response.statusCode ?? 0, headers: response.headers, text: await read(response) };
    } catch (error) {
      sent.destroy();
      // The server closed an idle connection just as we took it up again.
      const stale = sent.reusedSocket && body === undefined && attempt === 1 && !signal.aborted;
      if (!stale || error instanceof ExchangeError) throw error;
    }
  }
}

async function read(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxReplyBytes) {
      response.destroy();
      throw new ExchangeError('not-acme', `It answered with more than ${maxReplyBytes >> 20} MiB.`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

const timeouts = new Set(['ETIMEDOUT', 'ESOCKETTIMEDOUT']);
const words: Readonly<Record<string, string>> = {
  ENOTFOUND: 'Its name is not known to the DNS',
  EAI_AGAIN: 'The DNS did not answer for its name',
  ECONNREFUSED: 'It refused the connection',
  ECONNRESET: 'It cut the connection',
  EPIPE: 'It cut the connection',
  EHOSTUNREACH: 'There is no route to it',
  ENETUNREACH: 'There is no route to it',
};

/** Errors of certificates have OpenSSL's names for codes: `CERT_HAS_EXPIRED`, `SELF_SIGNED_CERT_IN_CHAIN`, … */
const certificateError = /CERT|SIGNATURE|CRL|ISSUER|HOSTNAME|PATH_LENGTH|INVALID_PURPOSE|INVALID_CA/;

function fromSystem(error: unknown): ExchangeError {
  // connecting to each of several addresses fails with all their errors
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const { code: systemCode, message } = first as NodeJS.ErrnoException;
  const detail = { systemCode, cause: error };
  if (systemCode !== undefined && timeouts.has(systemCode)) {
    return new ExchangeError('timeout', 'The connection to it timed out.', detail);
  }
  const tls = systemCode === 'EPROTO' || systemCode?.startsWith('ERR_SSL_') === true;
  if (tls || (systemCode !== undefined && certificateError.test(systemCode))) {
    const reason = tls ? 'it does not speak TLS as it should' : message;
    return new ExchangeError('tls', `No secure connection to it: ${reason} (${systemCode}).`, detail);
  }
  const known = words[systemCode ?? ''];
  return new ExchangeError(
    'unreachable',
    known === undefined ? `${message}.` : `${known} (${systemCode}).`,
    detail,
  );
}
