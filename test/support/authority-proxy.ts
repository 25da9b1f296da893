import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { Agent, createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeListenerCertificate } from './listener-certificate.ts';
import type { Pebble } from './pebble.ts';

/** What is asked for, by Pebble's paths. */
export type AcmeResource =
  | 'directory'
  | 'nonce'
  | 'newAccount'
  | 'account'
  | 'newOrder'
  | 'order'
  | 'finalize'
  | 'authorization'
  | 'challenge'
  | 'certificate'
  | 'renewalInfo'
  | 'other';

export interface ProxyRequest {
  /** From 1 on, over all requests. */
  readonly number: number;
  readonly method: string;
  readonly path: string;
  readonly resource: AcmeResource;
  /** What was signed (RFC 8555 §6.2), as text; empty where nothing was. */
  readonly payload: string;
}

export interface ProxyAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/**
 * `hang`: no answer ever. `cut`: the connection is closed instead of forwarding. `cut-after`: it is closed once the authority has
 * done what it was asked. A function makes another answer out of the real one; an object takes its place and nothing is
 * forwarded.
 */
export type Fault =
  'hang' | 'cut' | 'cut-after' | Partial<ProxyAnswer> | ((answer: ProxyAnswer) => ProxyAnswer);

export interface AuthorityProxy {
  readonly directoryUrl: string;
  /** The PEM file to trust. */
  readonly caFile: string;
  /** All so far. */
  readonly requests: readonly ProxyRequest[];
  /** How many orders were placed: the authority said 201, whether or not we heard of it. */
  orders(): number;
  /** For the next `times` requests (all where none is said) of that resource. A later one goes before. */
  fault(resource: AcmeResource, fault: Fault, times?: number): void;
  /** No faults any more. */
  heal(): void;
  /** Called, and waited for, before a request is forwarded and after the authority has answered, before the client hears of it. */
  onRequest: (request: ProxyRequest, phase: 'before' | 'after') => void | Promise<void>;
  stop(): Promise<void>;
}

const resources: readonly [prefix: string, resource: AcmeResource][] = [
  ['/dir', 'directory'],
  ['/nonce-plz', 'nonce'],
  ['/sign-me-up', 'newAccount'],
  ['/my-account/', 'account'],
  ['/order-plz', 'newOrder'],
  ['/my-order/', 'order'],
  ['/finalize-order/', 'finalize'],
  ['/authZ/', 'authorization'],
  ['/chalZ/', 'challenge'],
  ['/certZ/', 'certificate'],
  ['/draft-ietf-acme-ari-03/renewalInfo/', 'renewalInfo'],
];

/**
 * Stands in front of a real Pebble, under an address and a certificate of its own, and fails as it is told. Pebble makes its
 * addresses of the request's Host, so that what is signed stays true.
 */
export async function startAuthorityProxy(pebble: Pick<Pebble, 'port' | 'caFile'>): Promise<AuthorityProxy> {
  const folder = mkdtempSync(join(tmpdir(), 'authority-proxy-'));
  const listener = await makeListenerCertificate(folder);
  const agent = new Agent({ ca: readFileSync(pebble.caFile), keepAlive: true });
  const requests: ProxyRequest[] = [];
  let faults: { resource: AcmeResource; fault: Fault; left: number }[] = [];
  let orders = 0;

  async function forward(incoming: IncomingMessage, body: Buffer): Promise<ProxyAnswer> {
    const sent = request({
      agent,
      host: '127.0.0.1',
      port: pebble.port,
      method: incoming.method,
      path: incoming.url,
      headers: incoming.headers,
    });
    sent.end(body);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    return { status: response.statusCode!, headers: response.headers, body: String(await whole(response)) };
  }

  async function serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const path = incoming.url ?? '';
    const resource = resources.find(([prefix]) => path.startsWith(prefix))?.[1] ?? 'other';
    const number = requests.length + 1;
    const asked = { number, method: incoming.method ?? '', path, resource, payload: '' };
    requests.push(asked);
    const body = await whole(incoming);
    asked.payload = payloadOf(body);
    const found = faults.findLast((each) => each.resource === resource && each.left > 0);
    if (found !== undefined) found.left--;
    const fault = found?.fault;
    await proxy.onRequest(asked, 'before');
    if (fault === 'hang') return;
    if (fault === 'cut') return void incoming.socket.destroy();
    let answer: ProxyAnswer;
    if (typeof fault === 'object') {
      answer = { status: 200, headers: {}, body: '', ...fault };
    } else {
      answer = await forward(incoming, body);
      if (resource === 'newOrder' && answer.status === 201) orders++;
      await proxy.onRequest(asked, 'after');
      if (fault === 'cut-after') return void incoming.socket.destroy();
      if (typeof fault === 'function') answer = fault(answer);
    }
    const { 'content-length': _, 'transfer-encoding': __, ...headers } = answer.headers;
    outgoing.writeHead(answer.status, headers).end(answer.body);
  }

  const server = createServer(
    { cert: readFileSync(listener.certificateFile), key: readFileSync(listener.keyFile) },
    (incoming, outgoing) => void serve(incoming, outgoing).catch(() => incoming.socket.destroy()),
  ).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const proxy: AuthorityProxy = {
    directoryUrl: `https://127.0.0.1:${port}/dir`,
    caFile: listener.caFile,
    requests,
    orders: () => orders,
    fault: (resource, fault, times = Infinity) => void faults.push({ resource, fault, left: times }),
    heal: () => void (faults = []),
    onRequest: () => {},
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      agent.destroy();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return proxy;
}

async function whole(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function payloadOf(body: Buffer): string {
  if (body.length === 0) return '';
  const { payload } = JSON.parse(String(body)) as { payload: string };
  return Buffer.from(payload, 'base64url').toString();
}
