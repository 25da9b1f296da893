import { join } from 'node:path';
import { ourNames } from '../config/our-names.ts';
import type { Config } from '../config/schema.ts';
import type { Settings } from '../supervisor/supervisor.ts';

/** What of the configuration the supervisor and its workers need. */
export function settingsOf(config: Config): Settings {
  return {
    workers: config.workers,
    metricsListen: config.metricsListen,
    worker: {
      https: config.certificates !== undefined,
      listenHost: config.listenHost,
      httpPort: config.httpPort,
      httpsPort: config.httpsPort,
      ourNames: ourNames(config),
      trustedProxies: config.trustedProxies,
      clientAddressHeader: config.clientAddressHeader,
      geoipDir: join(config.dataDir, 'geoip'),
      reverseDns: config.reverseDns,
      portTest: config.portTest,
      countVisits: config.visits,
      keepAddresses: config.keepAddressesDays !== undefined,
      logLevel: config.logLevel,
    },
  };
}
