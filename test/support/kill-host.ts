import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assignment } from '../../src/core/assignment.ts';
import { configOf, loadConfig } from '../../src/config/load.ts';
import { parseEnvFile } from '../../src/config/env-file.ts';
import { connectToService, type ServiceStatus } from '../../src/supervisor/control-client.ts';
import { openCache, openDatabase } from '../../src/wire/state.ts';
import { type Appliance, applianceCommand, launchAppliance } from './appliance.ts';
import { freePort } from './free-port.ts';
import type { State } from './known-data.ts';
import { logLines } from './log-lines.ts';
import { type Postgres, startPostgres } from './postgres.ts';
import { type StackServer, startStackRedis } from './stack-servers.ts';
import { until } from './until.ts';

/** `embedded`: one SQLite file. `stack`: PostgreSQL 18 and Redis where the containers of a host that is not installed would be met. */
export type KillHostKind = 'embedded' | 'stack';

export interface Ended {
  readonly status: number | NodeJS.Signals;
  readonly out: string;
  readonly err: string;
}

export interface RunningCommand {
  kill(): void;
  hasEnded(): boolean;
  /** What it has printed to standard error. */
  err(): string;
  readonly ended: Promise<Ended>;
}

export interface KillHost {
  readonly kind: KillHostKind;
  readonly folder: string;
  readonly dataDir: string;
  readonly secretsDir: string;
  readonly port: number;
  readonly postgres: Postgres | undefined;
  readonly redis: { kill(): Promise<void>; start(): Promise<void> } | undefined;
  service(): Appliance;
  /** Starts a service; resolves at once. */
  launch(): Promise<Appliance>;
  /** Waits until the service that was launched last answers. */
  untilItAnswers(): Promise<void>;
  /** Of the running service; rejects where there is none. */
  status(): Promise<ServiceStatus>;
  /** Runs the real command. `kill` is SIGKILL. */
  start(command: readonly string[], input?: string): RunningCommand;
  run(command: readonly string[], input?: string): Promise<Ended>;
  /** Database and cache, as this process has them. */
  state(): State;
  /** Opens them anew, as the files say. */
  reopenState(): Promise<void>;
  /** `POSTGRES_PASSWORD` or `REDIS_PASS`, as the files have it. */
  passwordIn(file: 'postgres.env' | 'redis.env', key: string): string;
  /** Ends everything and removes its files. */
  remove(): Promise<void>;
}

/** Makes one, and starts its servers; for a program of `runOnOwnNetwork`. The service is still to be launched. */
export async function makeKillHost(kind: KillHostKind): Promise<KillHost> {
  const folder = mkdtempSync(join(tmpdir(), 'kills-'));
  // In memory: SIGKILL needs no disk, and on a busy one visits wait for longer than they may. Of this run's mounts alone, and open
  // to whom root runs PostgreSQL as.
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'mode=755', 'none', folder]);
  const [dataDir, secretsDir, runDir] = ['data', 'secrets', 'run'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  mkdirSync(dataDir, { mode: 0o755 });
  mkdirSync(secretsDir, { mode: 0o750 });
  const put = (name: string, text: string) => writeFileSync(join(secretsDir, name), text, { mode: 0o640 });
  // no backup but those of the run, at midnight either
  put('app.env', 'APP_WORKERS=2\nAPP_KEEP_ADDRESSES=30\nBACKUP_KEEP=3\nBACKUP_SCHEDULE=off\n');
  const port = await freePort();
  const environment = {
    PATH: process.env['PATH']!,
    HOME: folder,
    APP_HTTP_PORT: String(port),
    APP_DATA_DIR: dataDir,
    APP_RUN_DIR: runDir,
    APP_SECRETS_DIR: secretsDir,
    // a run starts hundreds of programs
    NODE_COMPILE_CACHE: join(folder, 'compiled'),
  };
  const passwordIn = (file: string, key: string): string => {
    const { assignments } = parseEnvFile(readFileSync(join(secretsDir, file), 'utf8'));
    return assignments.find((each) => each.key === key)?.value ?? '';
  };
  const { postgres, redis } =
    kind === 'stack'
      ? await startServers(dataDir, put, passwordIn)
      : { postgres: undefined, redis: undefined };

  const load = () => configOf(loadConfig({ flags: {}, environment, workingFolder: folder }));
  let state: State | undefined;
  const openState = async (): Promise<void> => {
    const config = load();
    state = { database: await openDatabase(config), cache: await openCache(config, logLines()) };
    await state.database.migrate();
  };
  const closeState = async (): Promise<void> => {
    await Promise.all([state?.database.close(), state?.cache.close()]);
  };
  await openState();

  let appliance: Appliance | undefined;
  const start: KillHost['start'] = (command, input) => {
    const [program, ...leading] = applianceCommand();
    const child = spawn(program, [...leading, ...command], { cwd: folder, env: environment });
    let [out, err] = ['', ''];
    child.stdout.on('data', (chunk) => (out += String(chunk)));
    child.stderr.on('data', (chunk) => (err += String(chunk)));
    child.stdin.on('error', () => undefined);
    child.stdin.end(input ?? '');
    const ended = once(child, 'close').then(([status, signal]) => ({
      status: (signal ?? status) as number | NodeJS.Signals,
      out,
      err,
    }));
    return {
      kill: () => void child.kill('SIGKILL'),
      hasEnded: () => child.exitCode !== null || child.signalCode !== null,
      err: () => err,
      ended,
    };
  };
  return {
    kind,
    folder,
    dataDir,
    secretsDir,
    port,
    postgres,
    redis,
    passwordIn,
    service: () => appliance!,
    async launch() {
      appliance = await launchAppliance({ environment, folder, port });
      return appliance;
    },
    async untilItAnswers() {
      const launched = appliance!;
      let over: number | NodeJS.Signals | undefined;
      void launched.ended.then((how) => (over = how));
      await until(
        'the service answers',
        () => {
          if (over !== undefined) throw new Error(`the service ended with ${over}:\n${launched.log()}`);
          return launched.stdout().includes('answers on');
        },
        30_000,
      );
    },
    status: () => connectToService(runDir).status(),
    start,
    run: (command, input) => start(command, input).ended,
    state: () => state!,
    async reopenState() {
      await closeState();
      await openState();
    },
    async remove() {
      await closeState();
      await appliance?.stop();
      await redis?.kill();
      await postgres?.remove();
      execFileSync('umount', ['--lazy', folder]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function startServers(
  dataDir: string,
  put: (name: string, text: string) => void,
  passwordIn: (file: string, key: string) => string,
): Promise<Required<Pick<KillHost, 'postgres' | 'redis'>>> {
  const sockets = join(dataDir, 'stack', 'sockets');
  mkdirSync(sockets, { recursive: true, mode: 0o755 });
  // the port that its container has, and nobody else on this network
  const postgres = await startPostgres('embedded', { port: 5432 });
  symlinkSync(postgres.socketFolder, join(sockets, 'postgres'));
  const socket = join(sockets, 'redis', 'redis.sock');
  const password = `p "a' \\s #s`;
  const lines = (...pairs: readonly (readonly [string, string])[]) =>
    pairs.map(([key, value]) => `${assignment(key, value)}\n`).join('');
  put(
    'postgres.env',
    lines(
      ['POSTGRES_HOST', join(sockets, 'postgres')],
      ['POSTGRES_DB', postgres.database],
      ['POSTGRES_USER', postgres.user],
      ['POSTGRES_PASSWORD', postgres.password],
    ),
  );
  put(
    'redis.env',
    lines(['REDIS_CONNECTION_TYPE', 'unix'], ['REDIS_HOST', socket], ['REDIS_PASS', password]),
  );
  put('redis.password.conf', `requirepass "${password.replaceAll(/["\\]/g, String.raw`\$&`)}"\n`);
  let server: (StackServer & { kill(): Promise<void> }) | undefined;
  const redis = {
    kill: async () => server?.kill(),
    async start() {
      server = await startStackRedis(socket, passwordIn('redis.env', 'REDIS_PASS'));
    },
  };
  await redis.start();
  return { postgres, redis };
}
