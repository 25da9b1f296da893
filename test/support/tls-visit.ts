import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { request, type Agent } from 'node:https';
import type { TLSSocket } from 'node:tls';

export interface VisitOptions {
  readonly port: number;
  /** Trust anchor, PEM. */
  readonly root: string;
  /** Of the server; 127.0.0.1 where none is named. */
  readonly address?: string | undefined;
  /** The caller's own. */
  readonly from?: string | undefined;
  /** For SNI and `Host`; without it the visitor comes by the address, and sends no server name. */
  readonly name?: string | undefined;
  /** Another `Host` than the name. */
  readonly host?: string | undefined;
  readonly path?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** For connections that stay open; without one each visit has its own. */
  readonly agent?: Agent | undefined;
}

/** What one request saw. */
export interface Visit {
  /** In capital hexadecimal digits. */
  readonly serial: string;
  /** The leaf, PEM. */
  readonly certificate: string;
  /** As Node writes it: `DNS:a.test, IP Address:127.0.0.1`. */
  readonly subjectAltName: string;
  /** The chain leads to the root, and the certificate is for the name or address. */
  readonly trusted: boolean;
  /** The chain leads to the root, whatever the name. */
  readonly chainTrusted: boolean;
  /** Why it is not trusted. */
  readonly distrust: string;
  readonly notAfter: number;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/**
 * What came of fresh connections; undefined where one was reset: without `net.ipv4.tcp_migrate_req` the kernel does that to
 * those that wait at a listener that closes.
 */
export function unlessReset<Seen>(visited: Promise<Seen>): Promise<Seen | undefined> {
  return visited.catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ECONNRESET') throw error;
    return undefined;
  });
}

/** Rejects where no connection or no whole answer comes about. */
export async function visit({
  port,
  root,
  address = '127.0.0.1',
  from,
  name,
  host,
  path = '/whoami',
  headers,
  agent,
}: VisitOptions): Promise<Visit> {
  const sent = request({
    agent: agent ?? false,
    host: address,
    localAddress: from,
    port,
    path,
    // an empty text is no server name
    servername: name ?? '',
    ca: root,
    // seen and judged below
    rejectUnauthorized: false,
    headers: {
      Host: host ?? name ?? address,
      ...(agent === undefined && { Connection: 'close' }),
      ...headers,
    },
    timeout: 10_000,
  });
  sent.on('timeout', () => sent.destroy(new Error('no answer within 10 s')));
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const socket = response.socket as TLSSocket;
  const { raw, serialNumber, subjectaltname = '', valid_to } = socket.getPeerCertificate();
  const { authorized } = socket;
  const distrust = String(socket.authorizationError ?? '');
  let body = '';
  for await (const chunk of response) body += String(chunk);
  return {
    serial: serialNumber.toUpperCase(),
    certificate: new X509Certificate(raw).toString(),
    subjectAltName: subjectaltname,
    trusted: authorized,
    chainTrusted: authorized || distrust === 'ERR_TLS_CERT_ALTNAME_INVALID',
    distrust,
    notAfter: Date.parse(valid_to),
    status: response.statusCode!,
    headers: response.headers,
    body,
  };
}
