import type { Logger } from '../ports/logger.ts';
import { createCounter } from './counts.ts';
import { createExchange } from './exchange.ts';
import { createHttpsPolicy } from './https-policy.ts';
import { createPeers } from './peers.ts';
import { type PlainServer, startPlainServer } from './plain-server.ts';
import type { RequestRules } from './request.ts';
import type { Router } from './router.ts';

const nothing = () => ({ lookups: 0, cacheHits: 0, unreadableRecords: 0 });

/**
 * Answers as the public ports do, on a loopback port of this worker alone: those are shared, and whoever asks there cannot
 * choose who answers. Nothing that is asked here is counted or logged. Throws ListenError.
 */
export function startCheckServer(rules: RequestRules, router: Router, log: Logger): PlainServer {
  const peers = createPeers();
  const register = createExchange({
    ourNames: [],
    rules,
    router,
    httpsPolicy: createHttpsPolicy(() => false),
    peers,
    counter: createCounter(nothing),
    visits: undefined,
    // nobody's request
    log: { ...log, debugging: false },
  });
  const watch: Parameters<typeof startPlainServer>[0]['watch'] = (response, change) =>
    peers.connection(response, change > 0);
  return startPlainServer({ host: '127.0.0.1', port: 0, register, watch });
}
