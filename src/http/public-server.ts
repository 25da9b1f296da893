import type { Logger } from '../ports/logger.ts';
import type { VisitTally } from '../whoami/visit-tally.ts';
import type { Counter } from './counts.ts';
import { createExchange } from './exchange.ts';
import { createHttpsPolicy, type HttpsRules } from './https-policy.ts';
import { createPeers } from './peers.ts';
import { startPlainServer } from './plain-server.ts';
import type { RequestRules } from './request.ts';
import type { Router } from './router.ts';
import type { TlsCertificate } from './tls-certificate.ts';
import { createTlsServer } from './tls-server.ts';

/** What HTTPS serves with. */
export interface TlsSettings {
  /** The first is for clients that name no server. None: no HTTPS. */
  readonly certificates: readonly TlsCertificate[];
  readonly rules: HttpsRules;
}

export interface PublicServerOptions {
  readonly host: string;
  readonly httpPort: number;
  readonly httpsPort: number;
  /** Names that requests must be for; with none, every `Host` is served. */
  readonly ourNames: readonly string[];
  readonly rules: RequestRules;
  readonly router: Router;
  readonly counter: Counter;
  /** None where visits are not counted. */
  readonly visits: VisitTally | undefined;
  readonly log: Logger;
}

/** All that a worker listens on. */
export interface PublicServer {
  /** Rejects with a Failure when a certificate cannot be served; then everything stays as it was. */
  useTls(settings: TlsSettings): Promise<void>;
  /** Whether HTTPS is served. */
  readonly secure: boolean;
  /** Stops listening; `drained` is called once, when the last connection is gone. */
  drain(drained: () => void): void;
  readonly draining: boolean;
}

/** Listens for plain HTTP at once. Throws ListenError when the port cannot be had. */
export function startPublicServer(options: PublicServerOptions): PublicServer {
  const { host, httpPort, httpsPort, ourNames, rules, router, counter, visits, log } = options;
  const httpsPolicy = createHttpsPolicy((peer) => rules.clientAddress.trusts(peer));
  const peers = createPeers();
  let draining = false;
  let drained: (() => void) | undefined;
  const register = createExchange({ ourNames, rules, router, httpsPolicy, peers, counter, visits, log });
  const common = {
    host,
    register,
    watch(response: Parameters<typeof peers.connection>[0], change: 1 | -1) {
      counter.connection(change);
      peers.connection(response, change > 0);
      if (drained !== undefined && counter.connections() === 0) drained();
    },
  };
  const plain = startPlainServer({ ...common, port: httpPort });
  const tls = createTlsServer({ ...common, port: httpsPort });

  return {
    async useTls(settings) {
      await tls.use(settings.certificates);
      httpsPolicy.use(settings.rules, httpsPort);
    },
    get secure() {
      return tls.open;
    },
    get draining() {
      return draining;
    },
    drain(whenDrained) {
      if (draining) return;
      draining = true;
      plain.close();
      tls.close();
      if (counter.connections() === 0) whenDrained();
      else drained = whenDrained;
    },
  };
}
