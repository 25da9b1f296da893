import { exitCodes, Failure, reasonOf } from '../core/errors.ts';
import type { Logger } from '../ports/logger.ts';
import type { WorkerCommand } from './child.ts';
import { startGeneration, type Generation } from './generation.ts';
import type { WorkerSettings } from './messages.ts';
import type { MetricsServer } from './metrics-server.ts';
import type { Metrics } from './metrics.ts';
import { claimPort, type PortClaim } from './port-claim.ts';

/** What the supervisor takes from the configuration. */
export interface Settings {
  readonly workers: number;
  readonly worker: WorkerSettings;
  readonly metricsListen: { readonly host: string; readonly port: number } | undefined;
}

export interface SupervisorOptions {
  /** Reads the configuration anew. Throws with every problem in the message when it is bad. */
  load(): Settings;
  readonly command: WorkerCommand;
  readonly log: Logger;
  readonly metrics: Metrics;
  startMetricsServer(listen: { readonly host: string; readonly port: number }): Promise<MetricsServer>;
}

/** Asked to stop before it had started. */
export class Stopped extends Failure {
  constructor() {
    super('stopped before the workers were ready', { code: 'stopped', exitCode: exitCodes.done });
  }
}

export interface Supervisor {
  /** Claims the port and brings up the first workers; throws a Failure when that cannot be done, with nothing left running. */
  start(): Promise<Settings>;
  /** Rolls to workers with the configuration as it is now; when that fails says why and changes nothing. */
  reload(): Promise<void>;
  /** Lets open requests finish and ends. Called again, it ends at once. */
  stop(): Promise<void>;
}

export function createSupervisor(options: SupervisorOptions): Supervisor {
  const { log, metrics } = options;
  let number = 0;
  let current: { generation: Generation; claim: PortClaim; settings: Settings } | undefined;
  let starting: Generation | undefined;
  let metricsServer: MetricsServer | undefined;
  let stopping = false;
  const retiring = new Map<Generation, Promise<void>>();
  let turn: Promise<unknown> = Promise.resolve();

  const bringUp = async (settings: Settings): Promise<Generation> => {
    if (stopping) throw new Stopped();
    number++;
    const generation = startGeneration({
      number,
      size: settings.workers,
      settings: settings.worker,
      command: options.command,
      log,
      onCounts: metrics.add,
      onRestart: metrics.workerRestarted,
      onGone: metrics.forget,
    });
    starting = generation;
    try {
      await generation.ready;
      return generation;
    } catch (error) {
      generation.kill();
      throw error;
    } finally {
      starting = undefined;
    }
  };

  const claimFor = (settings: Settings): Promise<PortClaim> => {
    const { listenHost: host, httpPort: port } = settings.worker;
    if (current?.claim.host === host && current.claim.port === port) return Promise.resolve(current.claim);
    return claimPort(host, port);
  };

  const listenForMetrics = async (wanted: Settings['metricsListen']): Promise<void> => {
    const { host, port } = metricsServer ?? {};
    if (wanted?.host === host && wanted?.port === port) return;
    const started = wanted === undefined ? undefined : await options.startMetricsServer(wanted);
    metricsServer?.close();
    metricsServer = started;
  };

  const retire = (generation: Generation): void => {
    retiring.set(
      generation,
      generation.retire().then(() => void retiring.delete(generation)),
    );
  };

  /** One change at a time: a reload asked for while starting comes after. */
  const inTurn = <Result>(action: () => Promise<Result>): Promise<Result> => {
    const result = turn.then(action);
    turn = result.catch(() => {});
    return result;
  };

  return {
    start: () =>
      inTurn(async () => {
        const settings = options.load();
        const claim = await claimFor(settings);
        await listenForMetrics(settings.metricsListen);
        current = { generation: await bringUp(settings), claim, settings };
        return settings;
      }),
    reload: () =>
      inTurn(async () => {
        if (stopping || current === undefined) return;
        const before = current;
        let claim: PortClaim | undefined;
        try {
          const settings = options.load();
          claim = await claimFor(settings);
          const generation = await bringUp(settings);
          current = { generation, claim, settings };
          if (claim !== before.claim) before.claim.release();
          await listenForMetrics(settings.metricsListen).catch((error: unknown) =>
            log.error({ reason: reasonOf(error) }, 'metrics stay where they were'),
          );
          log.info(
            { generation: number, workers: settings.workers },
            'reloaded; the workers before finish what they have',
          );
          retire(before.generation);
        } catch (error) {
          if (claim !== undefined && claim !== before.claim) claim.release();
          if (!stopping)
            log.error({ reason: reasonOf(error) }, 'the reload was refused; everything goes on as before');
        }
      }),
    async stop() {
      if (stopping) {
        log.warn({}, 'ending at once');
        for (const generation of retiring.keys()) generation.kill();
        return;
      }
      stopping = true;
      log.info({}, 'stopping: open requests are finished, new connections refused');
      starting?.kill();
      if (current !== undefined) retire(current.generation);
      await Promise.all(retiring.values());
      metricsServer?.close();
      current?.claim.release();
    },
  };
}
