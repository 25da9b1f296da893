import { openGeoDatabase } from '../adapters/geo-database-maxmind.ts';
import { createLogger } from '../adapters/logger-pino.ts';
import { createReverseDns } from '../adapters/reverse-dns-system.ts';
import { Failure } from '../core/errors.ts';
import { parseNetwork, type IpNetwork } from '../core/ip-address.ts';
import { version } from '../core/version.ts';
import { startCheckServer } from '../http/check-server.ts';
import { clientAddressRule } from '../http/client-address.ts';
import { createCounter } from '../http/counts.ts';
import { ListenError } from '../http/listen-error.ts';
import { startPublicServer, type PublicServer, type TlsSettings } from '../http/public-server.ts';
import { problemOf, UnservedCertificate } from '../http/tls-certificate.ts';
import { createRouter } from '../http/router.ts';
import { allRoutes } from '../http/routes/all.ts';
import { createDescriptorWatch } from '../supervisor/descriptor-watch.ts';
import type { WorkerSettings } from '../supervisor/messages.ts';
import { runWorker, type WorkerService } from '../supervisor/worker.ts';
import { createLookup } from '../whoami/lookup.ts';
import { createVisitTally } from '../whoami/visit-tally.ts';

/** Runs a worker process until its supervisor tells it to end. */
export function work(): Promise<void> {
  return runWorker(startWorker);
}

async function startWorker(worker: WorkerSettings): Promise<WorkerService> {
  const log = createLogger(worker.logLevel);
  const geo = openGeoDatabase(worker.geoipDir);
  const lookup = createLookup(geo);
  const counter = createCounter(() => ({ ...lookup.counts, unreadableRecords: geo.unreadable() }));
  const visits = worker.countVisits ? createVisitTally(worker) : undefined;
  let challenges = challengeMap(worker);
  let { degraded } = worker;
  const routes = allRoutes({
    version,
    editions: geo.editions,
    portTest: worker.portTest,
    hostnameOf: worker.reverseDns ? createReverseDns() : undefined,
    challenges: () => challenges,
    health: () => ({
      draining: server.draining,
      degraded: worker.https && !server.secure ? ['HTTPS is not served', ...degraded] : degraded,
      version,
    }),
  });
  const router = createRouter(routes);
  const rules = {
    clientAddress: clientAddressRule(worker.clientAddressHeader, worker.trustedProxies.map(network)),
    clientAddressHeader: worker.clientAddressHeader,
    lookup,
  };
  const server: PublicServer = startPublicServer({
    host: worker.listenHost,
    httpPort: worker.httpPort,
    httpsPort: worker.httpsPort,
    ourNames: worker.ourNames,
    rules,
    router,
    counter,
    visits,
    log,
  });
  const withoutTls = await useTlsThatWorks(server, worker.tls);
  return {
    server,
    // its own look-up: what it is asked is nobody's visit
    checkServer: startCheckServer({ ...rules, lookup: createLookup(geo, 1) }, router, log),
    counter,
    isOutOfDescriptors: createDescriptorWatch(log),
    takeVisits: () => visits?.take(),
    withoutTls,
    editions: geo.editions.map(({ type, builtAt, source }) => ({ type, builtMs: builtAt.getTime(), source })),
    async change(change) {
      if (change.challenges !== undefined) challenges = challengeMap({ challenges: change.challenges });
      degraded = change.degraded ?? degraded;
      if (change.tls !== undefined) await server.useTls(change.tls);
    },
  };
}

/**
 * A port that cannot be had is a mistake of the configuration. One certificate that is lost, damaged or of no use takes
 * neither the others with it nor plain HTTP. Resolves with the first failure, undefined where all are served.
 */
async function useTlsThatWorks(server: PublicServer, tls: TlsSettings): Promise<unknown> {
  try {
    await server.useTls(tls);
    return undefined;
  } catch (error) {
    if (error instanceof ListenError) throw error;
    const unserved = error instanceof UnservedCertificate ? error.certificate : undefined;
    const certificates = tls.certificates.filter(
      (each) => each !== unserved && problemOf(each) === undefined,
    );
    const fewer = { ...tls, certificates };
    if (certificates.length < tls.certificates.length) await useTlsThatWorks(server, fewer);
    else await server.useTls(tls).catch(() => {});
    return error;
  }
}

function challengeMap({ challenges }: Pick<WorkerSettings, 'challenges'>): ReadonlyMap<string, string> {
  return new Map(Object.entries(challenges));
}

function network(text: string): IpNetwork {
  const parsed = parseNetwork(text);
  if (parsed === undefined) throw new Failure(`not a network: ${text}`, { code: 'fault' });
  return parsed;
}
