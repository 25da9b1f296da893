import { join } from 'node:path';
import { isSea } from 'node:sea';
import { openGeoDatabase } from './adapters/geo-database-maxmind.ts';
import { createLogger } from './adapters/logger-pino.ts';
import { createReverseDns } from './adapters/reverse-dns-system.ts';
import { settings, type Config } from './config/schema.ts';
import { Failure } from './core/errors.ts';
import { parseNetwork, type IpNetwork } from './core/ip-address.ts';
import { version } from './core/version.ts';
import { clientAddressRule } from './http/client-address.ts';
import { createCounter } from './http/counts.ts';
import { createRouter } from './http/router.ts';
import { allRoutes } from './http/routes/all.ts';
import { startServer, type Server } from './http/server.ts';
import type { WorkerSettings } from './supervisor/messages.ts';
import { createMetrics } from './supervisor/metrics.ts';
import { startMetricsServer } from './supervisor/metrics-server.ts';
import { runUntilStopped } from './supervisor/run.ts';
import { createSupervisor, type Settings } from './supervisor/supervisor.ts';
import { runWorker, type WorkerService } from './supervisor/worker.ts';
import { createLookup } from './whoami/lookup.ts';

/** Runs the service in the foreground until it is told to stop. `load` reads the configuration anew each time. */
export async function serve(
  load: () => { readonly config: Config; readonly warnings: readonly string[] },
  ready: (config: Config) => void,
): Promise<void> {
  let { config } = load();
  const log = createLogger(config.logLevel);
  const metrics = createMetrics(version);
  const supervisor = createSupervisor({
    load(): Settings {
      const loaded = load();
      config = loaded.config;
      log.setLevel(config.logLevel);
      for (const warning of loaded.warnings) log.warn({}, warning);
      return settingsOf(config);
    },
    command: {
      file: process.execPath,
      arguments: isSea()
        ? ['worker', `--node-options=${workerFlags.join(' ')}`]
        : [...workerFlags, process.argv[1]!, 'worker'],
      environment: {
        ...withoutSecrets(process.env),
        // The native server reads its limit here; 4 KiB, its default, is less than some browsers' cookies.
        UWS_HTTP_MAX_HEADERS_SIZE: String(maxHeaderBytes),
      },
    },
    log,
    metrics,
    startMetricsServer: (listen) => startMetricsServer(metrics, listen),
  });
  await runUntilStopped(supervisor, () => ready(config));
}

/** Runs a worker process until its supervisor tells it to end. */
export function work(): Promise<void> {
  return runWorker(startWorker);
}

/**
 * Under random callers a worker held about 150 MB of its own without these, 40 to 60 with them, at the same CPU
 * time a request. The second is a hard limit: a worker that leaks ends and is replaced before the host suffers.
 * Without the third, the engine concludes from the first ten thousand callers, who are remembered, that what is made
 * for a caller lives long, and makes it where the garbage collector seldom looks: 1.5 µs more for each stranger.
 */
const workerFlags = [
  '--max-semi-space-size=4',
  '--max-old-space-size=128',
  '--no-allocation-site-pretenuring',
  // else SIGUSR1 opens the debugger to everybody on the host, also before our code runs
  '--disable-sigusr1',
];

/** For all header lines of a request; what nginx allows for one of them. */
const maxHeaderBytes = 16 * 1024;

/** Whoever gave us a secret in the environment gave it to this process, not to its children. */
function withoutSecrets(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const secrets = new Set(settings.filter(([, { secret }]) => secret).map(([, { key }]) => key));
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !secrets.has(name)));
}

function settingsOf(config: Config): Settings {
  return {
    workers: config.workers,
    metricsListen: config.metricsListen,
    worker: {
      listenHost: config.listenHost,
      httpPort: config.httpPort,
      ourNames: [...new Set([...(config.certDomains ?? []), ...(config.publicNames ?? [])])],
      trustedProxies: config.trustedProxies,
      clientAddressHeader: config.clientAddressHeader,
      geoipDir: join(config.dataDir, 'geoip'),
      reverseDns: config.reverseDns,
      portTest: config.portTest,
      logLevel: config.logLevel,
    },
  };
}

function startWorker(worker: WorkerSettings): WorkerService {
  const log = createLogger(worker.logLevel);
  const geo = openGeoDatabase(worker.geoipDir);
  const lookup = createLookup(geo);
  const counter = createCounter(() => ({ ...lookup.counts, unreadableRecords: geo.unreadable() }));
  const routes = allRoutes({
    version,
    editions: geo.editions,
    portTest: worker.portTest,
    hostnameOf: worker.reverseDns ? createReverseDns() : undefined,
    health: () => ({ draining: server.draining, degraded: [], version }),
  });
  const server: Server = startServer({
    host: worker.listenHost,
    port: worker.httpPort,
    ourNames: worker.ourNames,
    rules: {
      clientAddress: clientAddressRule(worker.clientAddressHeader, worker.trustedProxies.map(network)),
      clientAddressHeader: worker.clientAddressHeader,
      lookup,
    },
    router: createRouter(routes),
    counter,
    log,
  });
  return { server, counter };
}

function network(text: string): IpNetwork {
  const parsed = parseNetwork(text);
  if (parsed === undefined) throw new Failure(`not a network: ${text}`, { code: 'fault' });
  return parsed;
}
