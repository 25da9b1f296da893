import { reasonOf } from '../core/errors.ts';
import { isIpAddress } from '../core/ip-address.ts';
import { createListener, type OpenListener } from './listener.ts';
import { listen, type ListenOptions } from './plain-server.ts';
import { loadNative, type ListenSocket, type TemplatedApp, type TlsFiles } from './native.ts';
import { problemOf, UnservedCertificate, type TlsCertificate } from './tls-certificate.ts';
import { proveCertificate } from './tls-proof.ts';

export interface TlsServer {
  /**
   * Serves with these from now on, the first for clients that name no server; none: nobody listens. The new ones are
   * proved on a loopback port before the public port sees them, and only then the listener before closes: its connections
   * end with one of their next answers, spread over ten seconds. Rejects with a Failure and leaves everything as it was
   * when that cannot be done.
   */
  use(certificates: readonly TlsCertificate[]): Promise<void>;
  close(): void;
  /** Whether it listens. */
  readonly open: boolean;
}

/** One native app with its certificates. */
interface Front {
  /** What it serves with, to see what is new. */
  readonly certificates: string;
  readonly listener: OpenListener;
  readonly socket: ListenSocket;
  connections(): number;
}

/**
 * For TLS 1.2; those of 1.3 are all good. Forward secrecy and authenticated encryption only (RFC 9325 §4.2). The native
 * server leaves the choice to the client, so there is one for each kind of key: the one that all such clients have.
 */
const ciphers = 'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256';

/** Names that differ in letter case only each take memory until the next swap. */
const maxSpellings = 64;

/** HTTPS over TLS 1.2 and 1.3, sharing the port with the other workers. Listens once there are certificates. */
export function createTlsServer({ host, port, register, watch }: ListenOptions): TlsServer {
  const native = loadNative();
  let current: Front | undefined;
  /** Those before, while they have connections. */
  const retired = new Set<OpenListener>();
  let closed = false;

  const retire = (front: Front | undefined): void => {
    if (front === undefined) return;
    front.listener.endGradually(front.connections());
    native.us_listen_socket_close(front.socket);
    if (front.connections() > 0) retired.add(front.listener);
  };

  return {
    async use(certificates) {
      const text = JSON.stringify(certificates);
      if (text === current?.certificates) return;
      const [byDefault, ...others] = certificates;
      let next: Front | undefined;
      if (byDefault !== undefined) {
        const listener = createListener(true);
        const app = open(native.SSLApp, byDefault);
        register(app, listener);
        if (others.length > 0) serveByName(app, certificates, () => register(app, listener));
        let connections = 0;
        let proved = false;
        app.filter((response, change) => {
          connections += change;
          if (proved) watch(response, change);
          if (connections === 0) retired.delete(listener);
        });
        const trial = listen(app, '127.0.0.1', 0);
        try {
          const trialPort = native.us_socket_local_port(trial);
          for (const certificate of certificates)
            await proveCertificate(certificate, trialPort, certificate === byDefault);
          while (connections > 0) await new Promise((resolve) => setImmediate(resolve));
        } finally {
          native.us_listen_socket_close(trial);
        }
        if (closed) return;
        proved = true;
        next = {
          certificates: text,
          listener,
          socket: listen(app, host, port),
          connections: () => connections,
        };
      }
      retire(current);
      current = next;
    },
    get open() {
      return current !== undefined;
    },
    close() {
      closed = true;
      retire(current);
      current = undefined;
      for (const listener of retired) listener.endAll();
    },
  };
}

/** The native server takes a name's certificate, and routes, in the letters in which the client wrote it. */
function serveByName(app: TemplatedApp, certificates: readonly TlsCertificate[], routes: () => void): void {
  const byName = new Map<string, TlsCertificate>();
  for (const certificate of certificates) {
    for (const name of certificate.names)
      if (!isIpAddress(name) && !byName.has(name)) byName.set(name, certificate);
  }
  const add = (name: string, certificate: TlsCertificate): void => {
    app.addServerName(name, filesOf(certificate));
    app.domain(name);
    routes();
  };
  for (const [name, certificate] of byName) add(name, certificate);
  let spellings = 0;
  app.missingServerName((spelling) => {
    const name = spelling.toLowerCase();
    const certificate = byName.get(name) ?? byName.get(`*${name.slice(name.indexOf('.'))}`);
    if (name === spelling || certificate === undefined || ++spellings > maxSpellings) return;
    add(spelling, certificate);
  });
}

function open(make: (files: TlsFiles) => TemplatedApp, certificate: TlsCertificate): TemplatedApp {
  try {
    return make(filesOf(certificate));
  } catch (error) {
    // the native server does not say why
    const why = problemOf(certificate) ?? reasonOf(error);
    throw new UnservedCertificate(certificate, `cannot be used: ${why}`, {
      code: 'certificate-unusable',
      cause: error,
    });
  }
}

function filesOf({ chainFile, keyFile }: TlsCertificate): TlsFiles {
  return { cert_file_name: chainFile, key_file_name: keyFile, ssl_ciphers: ciphers };
}
