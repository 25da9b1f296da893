import { setTimeout as wait } from 'node:timers/promises';
import { ownerToBecome } from '../adapters/data-folder-owner.ts';
import { createLogger } from '../adapters/logger-pino.ts';
import type { CertificateService } from '../certificates/certificate-service.ts';
import type { Config } from '../config/schema.ts';
import type { Failure } from '../core/errors.ts';
import { createTurns } from '../core/turns.ts';
import { version } from '../core/version.ts';
import { runProgram } from '../host/run-program.ts';
import { startControl, type Control } from '../supervisor/control.ts';
import type { RefusedReload } from '../supervisor/control-messages.ts';
import type { SelfCheck } from '../supervisor/generation.ts';
import { lastUpgradeOf } from '../supervisor/last-upgrade.ts';
import { createMetrics } from '../supervisor/metrics.ts';
import { startMetricsServer } from '../supervisor/metrics-server.ts';
import { createServiceManager, takeNotifyVariables } from '../supervisor/notify.ts';
import { joinPredecessor, type Predecessor } from '../supervisor/predecessor.ts';
import { runUntilStopped } from '../supervisor/run.ts';
import { createSupervisor, noTls, type Reloaded, type Settings, Stopped } from '../supervisor/supervisor.ts';
import { upgradeUnderWay } from '../supervisor/upgrade-failure.ts';
import { feedWatchdog } from '../supervisor/watchdog.ts';
import { createMaintenance, wantedCertificates } from './maintenance.ts';
import { orWithout, tellOf } from './or-without.ts';
import { createStateService } from './state-service.ts';
import { workersAsResponder } from './challenges.ts';
import { settingsOf } from './supervisor-settings.ts';
import { createUpgrades, type Upgrades } from './upgrade.ts';
import { workerCommand } from './worker-command.ts';

/** Runs the service in the foreground until it is told to stop. `load` reads the configuration anew each time. */
export async function serve(
  load: () => { readonly config: Config; readonly warnings: readonly string[] },
  ready: (config: Config) => void,
): Promise<void> {
  const predecessor = await joinPredecessor(version, process.env);
  try {
    await serveAfter(predecessor, load, predecessor === undefined ? ready : () => {});
  } catch (error) {
    await predecessor?.failed(error);
    throw error;
  }
}

async function serveAfter(
  predecessor: Predecessor | undefined,
  load: () => { readonly config: Config; readonly warnings: readonly string[] },
  ready: (config: Config) => void,
): Promise<void> {
  let { config } = load();
  let loaded = config;
  const startedAt = Date.now();
  // two versions may be telling of workers of the same name
  const log = createLogger(config.logLevel, predecessor === undefined ? {} : { release: version });
  const systemd = createServiceManager(
    predecessor?.manager ?? takeNotifyVariables(process.env),
    runProgram,
    log,
  );
  const metrics = createMetrics(version);
  const supervisor = createSupervisor({
    load(): Settings {
      const { config: next, warnings } = load();
      loaded = next;
      log.setLevel(next.logLevel);
      for (const warning of warnings) log.warn({}, warning);
      return settingsOf(next);
    },
    command: workerCommand(),
    log,
    metrics,
    onVisits: (batch) => state.addVisits(batch),
    onWithoutTls: (failure) => void maintenance.certificates?.unusable(failure),
    startMetricsServer: (listen) => startMetricsServer(metrics, listen),
    inherited: predecessor?.claims,
  });
  const state = createStateService({
    log,
    editions: supervisor.editions,
    mayPrune: () => !upgrades.underWay,
    onDegraded: (degraded) => void supervisor.change({ degraded }).catch(() => {}),
  });
  metrics.state(state.status);
  const responder = workersAsResponder(supervisor);
  let control: Control | undefined;
  let refusedReload: RefusedReload | undefined;
  let stopping = false;
  let speaks = false;
  const ending = new AbortController();
  const left = Promise.withResolvers<void>();
  /** Start and reloads, one after the other, whoever sends SIGHUP twice. */
  const inTurn = createTurns();
  /** Resolves when the start or reload that is under way has ended. */
  const underWay = () => inTurn(() => {});

  const upgrades = createUpgrades({
    supervisor,
    systemd,
    log,
    inTurn,
    dataDir: () => config.dataDir,
    pause: () => maintenance.stop(),
    async resume() {
      await orWithout(log, async () => control?.retake(), noControl);
      await orWithout(log, supervisor.openMetrics, 'nobody can read the metrics');
      await maintenance.start(config, ending.signal);
    },
  });

  const maintenance = createMaintenance({
    log,
    async createCertificates(wanted) {
      const { createCertificates } = await import('./certificates.ts');
      return createCertificates({
        config: wanted,
        responder,
        log,
        holder: 'the service',
        serve: (tls) => supervisor.change({ tls }),
        record: state.recordCertificate,
      });
    },
  });
  // of those that a reload has just taken out nothing is told, though they are still being put away
  const certificateStatus = async () =>
    loaded.certificates === undefined ? [] : ((await maintenance.certificates?.status()) ?? []);
  metrics.certificates(certificateStatus);
  const certificatesToRenew = async (): Promise<CertificateService> => {
    if (!upgrades.underWay) await underWay();
    if (upgrades.underWay) throw upgradeUnderWay();
    return wantedCertificates(maintenance);
  };
  const startControlSocket = async (): Promise<void> => {
    // whoever asks during a reload finds it: "secrets rotate" must never take the service for one that does not run
    if (control !== undefined) return;
    const handlers = {
      status: async () => ({
        version,
        pid: process.pid,
        startedAt,
        listenHost: config.listenHost,
        httpPort: config.httpPort,
        ...(config.certificates === undefined ? {} : { httpsPort: config.httpsPort }),
        workers: supervisor.workers(),
        certificates: await certificateStatus(),
        state: state.status(),
        geoip: supervisor.editions(),
        backups: await (await import('./backup-schedule.ts')).backupsStatus(config),
        refusedReload,
        lastUpgrade: await lastUpgradeOf(config.dataDir, upgrades.underWay),
        upgrading: upgrades.underWay,
      }),
      async renewCerts(...[options, progress, signal]: Parameters<CertificateService['renew']>) {
        return (await certificatesToRenew()).renew(options, progress, signal);
      },
      async importCertificate({ chain, key }: { readonly chain: string; readonly key: string }) {
        return (await certificatesToRenew()).import(chain, key);
      },
      async upgrade(...parts: Parameters<Upgrades['upgrade']>) {
        const result = await upgrades.upgrade(...parts);
        // whoever asked is told first
        setImmediate(() => void end().then(left.resolve, left.reject));
        return result;
      },
    };
    control = await startControl({
      folder: config.runDir,
      handlers,
      log,
      takeOver: predecessor !== undefined,
    });
  };
  const afterStart = async (firstStart: boolean): Promise<void> => {
    config = loaded;
    // the end writes the visits that were counted, and needs the database for it
    if (stopping) return;
    const withoutState = (error: unknown) =>
      tellOf(log, error, "the database is another release's: visits wait, and nobody can sign in");
    await state.start(config, firstStart ? endFor : withoutState).catch((error: unknown) => {
      if (firstStart) throw error;
      withoutState(error);
    });
    if (stopping) return;
    // whoever follows another takes all of it or nothing
    if (firstStart && predecessor !== undefined) await startControlSocket();
    else await orWithout(log, startControlSocket, noControl);
    await maintenance.start(config, ending.signal);
  };

  /** Serves beside the predecessor until that has seen enough. What only one may do is the predecessor's until then. */
  const beWatched = async ({ watched }: Predecessor): Promise<void> => {
    config = loaded;
    if (config.certificates !== undefined)
      await (await maintenance.prepareCertificates(config)).serveWhatThereIs();
    const health = async () => ({ faults: await supervisor.faults(), https: supervisor.https() });
    await watched(health, ending.signal);
    await supervisor.openMetrics();
  };

  /** For `systemctl status`. */
  const words = ({ workers, answering }: SelfCheck): string =>
    `${answering} of ${workers} workers answer ${portWords(loaded)}` +
    (refusedReload === undefined ? '' : '; the reload was refused, the log says why');
  const wellWords = async () => words(await supervisor.selfCheck(1000));

  /** From now on this process tells systemd how the service is. */
  const speak = async (): Promise<void> => {
    speaks = true;
    const well = await wellWords();
    void systemd.ready(well);
    // the one before may have fed it last almost a whole turn ago
    if (predecessor !== undefined && systemd.watchdogEveryMs !== undefined) void systemd.watchdog(well);
    const { selfCheck } = supervisor;
    void feedWatchdog({ systemd, selfCheck, words, log }, ending.signal);
  };

  const startAll = async (): Promise<void> => {
    const owner = ownerToBecome(config.dataDir);
    if (owner !== undefined) {
      // What lies there is another user's to change, links included, and root would follow them.
      log.warn(
        { folder: config.dataDir, uid: owner.uid },
        'root serves from a data folder of another user: run the service as that user',
      );
    }
    predecessor?.gone.addEventListener('abort', () => void end());
    await supervisor.start();
    try {
      if (predecessor === undefined) {
        // callers are answered from here on, whatever becomes of the rest; and whoever waited for that can ask how it is
        config = loaded;
        await orWithout(log, startControlSocket, noControl);
        await speak();
        await afterStart(true);
      } else {
        await beWatched(predecessor);
        await afterStart(true);
        await predecessor.taken(ending.signal);
        await speak();
      }
    } catch (error) {
      await end();
      throw error;
    }
  };
  /** What is damaged in the store of certificates is put right first, as by a start. */
  const reloadWorkers = async (): Promise<Reloaded> => {
    const reloaded = await supervisor.reload();
    const { certificates } = maintenance;
    if (reloaded.withoutTls === undefined || certificates === undefined || stopping) return reloaded;
    const enough = new AbortController();
    await Promise.race([
      certificates.unusable(reloaded.withoutTls),
      wait(puttingRightMs, undefined, { signal: enough.signal }).catch(() => {}),
    ]);
    enough.abort();
    log.info({}, 'the certificates were looked at; reloading once more');
    return supervisor.reload();
  };
  const reloadAll = async (): Promise<void> => {
    // what waited for an upgrade is for the one who serves now
    if (upgrades.successorPid !== undefined) return void process.kill(upgrades.successorPid, 'SIGHUP');
    if (stopping) return;
    void systemd.reloading('reading the configuration again');
    const { refused, withoutTls } = await reloadWorkers();
    // also where it was good, and something else kept it from being taken over
    if (refused !== undefined) {
      loaded = config;
      log.setLevel(config.logLevel);
    }
    refusedReload =
      refused === undefined ? undefined : { atMs: Date.now(), reason: refused, remedy: withoutTls?.remedy };
    const well = await wellWords();
    if (!stopping) void systemd.ready(well);
    if (refused !== undefined) return;
    await maintenance.stop();
    if (stopping) return;
    if (loaded.certificates === undefined && config.certificates !== undefined)
      await supervisor.change({ tls: noTls });
    if (loaded.runDir !== config.runDir) {
      await control?.close();
      control = undefined;
    }
    await afterStart(false);
  };

  const endNow = (): void => {
    upgrades.kill();
    void supervisor.stop();
  };
  /** Ends with what would have kept it from starting, had that been known in time. */
  const endFor = (failure: Failure): void =>
    void end().then(() => inTurn(() => left.reject(failure)), left.reject);
  let ended: Promise<void> | undefined;
  /** Ends everything, once. */
  const end = (): Promise<void> => (ended ??= endAll());
  const endAll = async (): Promise<void> => {
    stopping = true;
    ending.abort(new Stopped());
    // of one that was only watched, systemd hears nothing
    const told = speaks ? systemd.stopping('open requests are finished, new connections refused') : undefined;
    await Promise.all([upgrades.end(), control?.close(), maintenance.stop(), supervisor.stop()]);
    // what the workers told last
    await state.flush();
    await state.stop();
    await told;
  };

  await runUntilStopped(
    {
      start: () => inTurn(startAll),
      reload: () =>
        inTurn(reloadAll).catch((error: unknown) =>
          log.error({ err: error }, 'the reload was not done to its end'),
        ),
      async stop() {
        // asked again; the predecessor and systemd ask one after the other
        if (ended !== undefined && predecessor?.gone.aborted !== true) endNow();
        await end();
      },
      left: left.promise,
    },
    () => ready(config),
  );
}

/** An order takes seconds. An authority that is down must not hold up a reload for long. */
const puttingRightMs = 60_000;

const noControl = '"appliance status" and "renew-certs" cannot reach this service';

function portWords({ listenHost, httpPort, httpsPort, certificates }: Config): string {
  const where = listenHost === '::' || listenHost === '0.0.0.0' ? '' : ` of ${listenHost}`;
  return certificates === undefined
    ? `on port ${httpPort}${where}`
    : `on ports ${httpPort} and ${httpsPort}${where}`;
}
