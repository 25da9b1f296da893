import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { connectToService } from '../../src/supervisor/control-client.ts';
import type { ServiceState } from '../../src/supervisor/control-messages.ts';
import { type Appliance, applianceCommand, startAppliance } from './appliance.ts';
import { freePort } from './free-port.ts';
import { startSteadyVisits, type SteadyOptions, type SteadyVisits } from './steady-visits.ts';
import { until } from './until.ts';

/** What scripts read; the part that is looked at here. */
export interface StatusJson {
  readonly schema: number;
  readonly state: {
    readonly database: { readonly ok: boolean; readonly words: string; readonly remedy?: string };
    readonly cache: { readonly ok: boolean; readonly words: string; readonly remedy?: string };
    readonly visits: { readonly waiting: number; readonly written: number; readonly blurred: number };
  };
}

/** A running service with visitors, whose database and cache get into trouble. */
export interface StateScene {
  readonly appliance: Appliance;
  readonly visits: SteadyVisits;
  /** What the service knows, by its socket; while it reloads, waits for that. */
  state(): Promise<ServiceState>;
  /** Gives what a command for this host prints. */
  command(...parameters: string[]): Promise<string>;
  /** By the command, in both of its forms. */
  status(): Promise<{ readonly text: string; readonly json: StatusJson }>;
  metric(name: string): Promise<number | undefined>;
  /** The body of `/health/ready` for the host itself; and what others get. */
  ready(): Promise<{ readonly status: number; readonly degraded: readonly string[]; readonly bare: string }>;
  /**
   * Waits until all say that this is missing, in these words; none: that all is well, which after some time away takes up to 30 s
   * until it is dialled again.
   */
  untilDegraded(words: readonly string[], timeoutMs?: number): Promise<void>;
  /** Writes a file of the secrets folder anew. */
  secrets(name: string, lines: Readonly<Record<string, string | number>>): void;
  /** Memory of the supervisor, bytes. */
  memoryBytes(): Promise<number>;
  /** Ends the visits, then the service. */
  stop(): Promise<void>;
}

export interface SceneOptions {
  /** Lines of files of the secrets folder. */
  readonly secrets?: Readonly<Record<string, Readonly<Record<string, string | number>>>>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly wrapper?: readonly string[];
  readonly visits?: SteadyOptions;
  prepare?(folder: string): void;
}

const run = promisify(execFile);

export async function startStateScene(options: SceneOptions = {}): Promise<StateScene> {
  const metricsPort = await freePort();
  let folder = '';
  const write: StateScene['secrets'] = (name, lines) => {
    const all = name === 'app.env' ? { APP_RUN_DIR: join(folder, 'run'), ...lines } : lines;
    const text = Object.entries(all).map(([key, value]) => `${key}=${value}\n`);
    writeFileSync(join(folder, 'secrets', name), text.join(''), { mode: 0o640 });
  };
  const appliance = await startAppliance({
    flags: ['--secrets-dir', 'secrets', '--workers', '2'],
    environment: {
      APP_METRICS_LISTEN: `127.0.0.1:${metricsPort}`,
      ...options.environment,
    },
    ...(options.wrapper === undefined ? {} : { wrapper: options.wrapper }),
    prepare(made) {
      folder = made;
      mkdirSync(join(folder, 'secrets'), { mode: 0o750 });
      for (const [name, lines] of Object.entries({ 'app.env': {}, ...options.secrets })) write(name, lines);
      options.prepare?.(folder);
    },
  });
  const visits = startSteadyVisits(appliance.port, options.visits);
  const runDir = join(folder, 'run');
  const [file, ...leading] = applianceCommand();
  const command = async (...parameters: string[]): Promise<string> => {
    const environment = {
      PATH: process.env['PATH'],
      HOME: folder,
      APP_RUN_DIR: runDir,
      APP_DATA_DIR: join(folder, 'data'),
    };
    return (await run(file, [...leading, ...parameters], { cwd: folder, env: environment })).stdout;
  };
  const scene: StateScene = {
    appliance,
    visits,
    command,
    async state() {
      let found: ServiceState | undefined;
      await until('the service to know its state', async () => {
        // a reload has it open its socket anew
        const status = await connectToService<object, object>(runDir)
          .status()
          .catch(() => undefined);
        found = status?.state;
        return found !== undefined;
      });
      return found!;
    },
    async status() {
      const [text, json] = await Promise.all([command('status'), command('status', '--json')]);
      return { text, json: JSON.parse(json) as StatusJson };
    },
    async metric(name) {
      const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
      const line = new RegExp(`^appliance_${name} (.*)$`, 'm').exec(text);
      return line === null ? undefined : Number(line[1]);
    },
    async ready() {
      const url = `${appliance.url}/health/ready`;
      // what stays open delays the end of the service
      const own = await fetch(url, { headers: { connection: 'close' } });
      const { degraded } = (await own.json()) as { degraded: readonly string[] };
      const others = await fetch(url, { headers: { 'x-forwarded-for': '192.0.2.1', connection: 'close' } });
      return { status: own.status, degraded, bare: (await others.text()).trim() };
    },
    async untilDegraded(words, timeoutMs = 90_000) {
      let last = '';
      const holds = async (): Promise<boolean> => {
        // each connection may come to another worker
        const asked = Array.from({ length: 4 }, () => scene.ready());
        // a reload may have the kernel reset a connection that no worker has seen
        const answers = await Promise.all(asked).catch(() => undefined);
        if (answers === undefined) return false;
        last = JSON.stringify(answers.map(({ degraded }) => degraded));
        return answers.every(({ degraded }) => JSON.stringify(degraded) === JSON.stringify(words));
      };
      await until(`"${words.join()}" is missing`, holds, timeoutMs).catch((error: unknown) => {
        throw new Error(`${String(error)}; it is ${last}; ${appliance.log()}`, { cause: error });
      });
    },
    secrets: write,
    async memoryBytes() {
      const { stdout } = await run('grep', ['VmRSS', `/proc/${appliance.pid}/status`]);
      return Number(/\d+/.exec(stdout)?.[0]) * 1024;
    },
    async stop() {
      await visits.stop();
      await appliance.stop();
    },
  };
  return scene;
}
