import { exitCodes, Failure, reasonOf } from '../core/errors.ts';
import { createTurns } from '../core/turns.ts';
import type { Logger } from '../ports/logger.ts';
import type { VisitBatch } from '../ports/visit-batch.ts';
import type { TlsSettings } from '../http/public-server.ts';
import type { WorkerCommand } from './child.ts';
import { startGeneration, type Generation, type SelfCheck, type WorkerState } from './generation.ts';
import type { EditionInUse, WorkerChange, WorkerSettings } from './messages.ts';
import type { MetricsServer } from './metrics-server.ts';
import type { Metrics } from './metrics.ts';
import { claimPort, type PortClaim } from './port-claim.ts';

/** What the supervisor takes from the configuration. */
export interface Settings {
  readonly workers: number;
  /** Without what changes while workers run: that is kept here. */
  readonly worker: Omit<WorkerSettings, keyof WorkerChange>;
  readonly metricsListen: { readonly host: string; readonly port: number } | undefined;
}

export interface SupervisorOptions {
  /** Reads the configuration anew. Throws with every problem in the message when it is bad. */
  load(): Settings;
  readonly command: WorkerCommand;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Told of visits as workers count them, once a second. */
  onVisits(batch: VisitBatch): void;
  /** A worker that took the place of another does not serve every certificate, and why. */
  onWithoutTls(failure: Failure): void;
  startMetricsServer(listen: { readonly host: string; readonly port: number }): Promise<MetricsServer>;
  /** Claims of the supervisor whose place this one takes; that one has the metrics until `openMetrics`. */
  readonly inherited?: readonly PortClaim[] | undefined;
}

/** Asked to stop before it had started. */
export class Stopped extends Failure {
  constructor() {
    super('stopped before the workers were ready', { code: 'stopped', exitCode: exitCodes.done });
  }
}

/** Workers that start now would not serve every certificate. */
class WithoutTls extends Failure {
  constructor({ message, code, remedy, exitCode }: Failure) {
    super(message, { code, exitCode, ...(remedy === undefined ? {} : { remedy }) });
  }
}

/** What became of a reload; nothing stands in it where that was done. */
export interface Reloaded {
  /** Why it was refused. */
  readonly refused?: string;
  /** Where it was refused because workers that start now would not serve every certificate. */
  readonly withoutTls?: Failure;
}

export interface Supervisor {
  /** Claims the port and brings up the first workers; throws a Failure when that cannot be done, with nothing left running. */
  start(): Promise<void>;
  /** Rolls to workers with the configuration as it is now; when that fails gives why, as the log does, and changes nothing. */
  reload(): Promise<Reloaded>;
  /**
   * Makes a change in all workers, now and of generations to come; before the start, in those that start. Resolves when
   * every worker holds it; rejects with the Failure of the first that cannot.
   */
  change(change: WorkerChange): Promise<void>;
  /** The GeoIP databases that the newest worker answers from. */
  editions(): readonly EditionInUse[];
  /** The workers that take new connections. */
  workers(): readonly WorkerState[];
  /** What is wrong with them, in words; empty when all of them answer and none has died. Never rejects. */
  faults(): Promise<readonly string[]>;
  /** The names that every worker serves over HTTPS, with the fingerprint of each one's certificate. */
  https(): Readonly<Record<string, string>>;
  claims(): readonly PortClaim[];
  /** Frees the metrics' port for a successor. */
  closeMetrics(): void;
  /** Never rejects. */
  openMetrics(): Promise<void>;
  /** Asks each of these for a record of whoami, and waits for `withinMs` at most. Never rejects. */
  selfCheck(withinMs: number): Promise<SelfCheck>;
  /** Lets open requests finish and ends. Called again, it ends at once. */
  stop(): Promise<void>;
}

/** No HTTPS. */
export const noTls: TlsSettings = {
  certificates: [],
  rules: { redirectNames: [], laterNames: [], hstsNames: [], hsts: 'auto', since: 0 },
};

const metricsAgainMs = 5000;

/** One that takes longer to answer is not well. */
const answerMs = 2000;

/** The native server gives back little of what a swap of certificates takes, some 50 KB: then new workers take over. */
const swapsOfAGeneration = 100;

export function createSupervisor(options: SupervisorOptions): Supervisor {
  const { log, metrics } = options;
  let number = 0;
  let current:
    { generation: Generation; claims: readonly PortClaim[]; settings: Settings; swaps: number } | undefined;
  let changing: Required<WorkerChange> = {
    tls: noTls,
    challenges: {},
    degraded: [],
  };
  /** What the workers have taken over of it. */
  let servedTls = noTls;
  let starting: Generation | undefined;
  let metricsServer: MetricsServer | undefined;
  let stopping = false;
  let editions: readonly EditionInUse[] = [];
  const retiring = new Map<Generation, Promise<void>>();

  const bringUp = async (settings: Settings): Promise<Generation> => {
    if (stopping) throw new Stopped();
    number++;
    const generation = startGeneration({
      number,
      size: settings.workers,
      settings: { ...settings.worker, ...changing },
      command: options.command,
      log,
      onCounts(slot, { visits, ...counts }) {
        metrics.add(slot, counts);
        if (visits !== undefined) options.onVisits(visits);
      },
      onRestart: metrics.workerRestarted,
      onWithoutTls: options.onWithoutTls,
      onReady: (inUse) => (editions = inUse),
      onGone: metrics.forget,
    });
    starting = generation;
    try {
      await generation.ready;
      const { withoutTls } = generation;
      const losesTls =
        withoutTls !== undefined && current !== undefined && current.generation.withoutTls === undefined;
      if (losesTls) throw new WithoutTls(withoutTls);
      return generation;
    } catch (error) {
      generation.kill();
      throw error;
    } finally {
      starting = undefined;
    }
  };

  /** The ports of these settings: those that are held already, and new ones. Holds none more when one cannot be had. */
  const claimFor = async (settings: Settings): Promise<readonly PortClaim[]> => {
    const { listenHost: host, httpPort, httpsPort, https } = settings.worker;
    const held = current?.claims ?? options.inherited ?? [];
    const claims: PortClaim[] = [];
    try {
      for (const port of https ? [httpPort, httpsPort] : [httpPort]) {
        const same = held.find((claim) => claim.host === host && claim.port === port);
        const isOurs = held.some((claim) => claim.port === port);
        claims.push(same ?? (await claimPort(host, port, isOurs)));
      }
    } catch (error) {
      release(claims, held);
      throw error;
    }
    return claims;
  };
  const release = (claims: readonly PortClaim[], except: readonly PortClaim[] = []): void => {
    for (const claim of claims) if (!except.includes(claim)) claim.release();
  };

  const listenForMetrics = async (wanted: Settings['metricsListen']): Promise<void> => {
    const before = metricsServer;
    if (wanted?.host === before?.host && wanted?.port === before?.port) return;
    // two of them cannot have one port
    const isSamePort = before !== undefined && wanted?.port === before.port;
    if (isSamePort) before.close();
    try {
      metricsServer = wanted === undefined ? undefined : await options.startMetricsServer(wanted);
    } catch (error) {
      if (isSamePort) metricsServer = await options.startMetricsServer(before).catch(() => undefined);
      throw error;
    }
    if (!isSamePort) before?.close();
  };
  let metricsTimer: NodeJS.Timeout | undefined;
  /** What only tells of the service keeps nobody from being served: it is tried again until it listens. Never rejects. */
  const serveMetrics = async (wanted: Settings['metricsListen'], isToldOf = false): Promise<void> => {
    clearTimeout(metricsTimer);
    try {
      await listenForMetrics(wanted);
    } catch (error) {
      if (!isToldOf)
        log.error({ reason: reasonOf(error) }, 'metrics cannot be served there; it is tried again by itself');
      metricsTimer = setTimeout(() => {
        void inTurn(async () => {
          if (!stopping) await serveMetrics(current?.settings.metricsListen, true);
        });
      }, metricsAgainMs).unref();
    }
  };

  const retire = (generation: Generation): void => {
    retiring.set(
      generation,
      generation.retire().then(() => void retiring.delete(generation)),
    );
  };

  /** One change at a time: a reload asked for while starting comes after. */
  const inTurn = createTurns();

  return {
    start: () =>
      inTurn(async () => {
        const settings = options.load();
        const claims = await claimFor(settings);
        release(options.inherited ?? [], claims);
        if (options.inherited === undefined) await serveMetrics(settings.metricsListen);
        current = { generation: await bringUp(settings), claims, settings, swaps: 0 };
      }),
    reload: () =>
      inTurn(async () => {
        if (stopping || current === undefined) return { refused: 'it is ending' };
        const before = current;
        let claims: readonly PortClaim[] = [];
        try {
          const settings = options.load();
          claims = await claimFor(settings);
          const generation = await bringUp(settings);
          current = { generation, claims, settings, swaps: 0 };
          release(before.claims, claims);
          await serveMetrics(settings.metricsListen);
          log.info(
            { generation: number, workers: settings.workers },
            'reloaded; the workers before finish what they have',
          );
          retire(before.generation);
          return {};
        } catch (error) {
          release(claims, before.claims);
          const reason = reasonOf(error);
          if (!stopping) log.error({ reason }, 'the reload was refused; everything goes on as before');
          return { refused: reason, ...(error instanceof WithoutTls && { withoutTls: error }) };
        }
      }),
    change: (change) =>
      inTurn(async () => {
        changing = { ...changing, ...change };
        if (current === undefined) return;
        if (change.tls === undefined || ++current.swaps <= swapsOfAGeneration) {
          await current.generation.change(change);
        } else {
          const before = current.generation;
          current = { ...current, generation: await bringUp(current.settings), swaps: 0 };
          retire(before);
        }
        servedTls = change.tls ?? servedTls;
      }),
    editions: () => editions,
    workers: () => current?.generation.workers() ?? [],
    async faults() {
      if (current === undefined) return ['there are no workers'];
      const { workers, answering } = await current.generation.selfCheck(answerMs);
      const died = current.generation.workers().reduce((sum, { restarts }) => sum + restarts, 0);
      const silent = workers - answering;
      return [
        ...(died > 0 ? [`workers died (${died})`] : []),
        ...(silent > 0 ? [`${silent} of ${workers} workers do not answer`] : []),
      ];
    },
    https: () =>
      current === undefined || current.generation.withoutTls !== undefined
        ? {}
        : Object.fromEntries(
            servedTls.certificates.flatMap(({ names, fingerprint }) =>
              names.map((name) => [name, fingerprint]),
            ),
          ),
    claims: () => current?.claims ?? [],
    closeMetrics() {
      clearTimeout(metricsTimer);
      metricsServer?.close();
      metricsServer = undefined;
    },
    openMetrics: () => inTurn(() => serveMetrics(current?.settings.metricsListen)),
    selfCheck: async (withinMs) =>
      (await current?.generation.selfCheck(withinMs)) ?? { workers: 0, answering: 0 },
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
      clearTimeout(metricsTimer);
      metricsServer?.close();
      release(current?.claims ?? []);
    },
  };
}
