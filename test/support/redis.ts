import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';
import { until } from './until.ts';

export interface RedisOptions {
  readonly password?: string;
  /** PEM files: listens with TLS instead of plainly. */
  readonly tls?: { readonly certificateFile: string; readonly keyFile: string };
  /** Further lines of redis.conf. */
  readonly settings?: readonly string[];
  /** `valkey-server` speaks the same language. */
  readonly program?: string;
  readonly port?: number;
}

/** A server of a test's own: a free port, a folder, nothing written to disk; it ends with the test's process, however that ends. */
export interface RedisProcess {
  readonly port: number;
  readonly socket: string;
  /** Runs a command by redis-cli and gives what it prints. */
  cli(...command: readonly string[]): Promise<string>;
  log(): string;
  /** SIGSTOP and SIGCONT: it keeps its connections and says nothing. */
  freeze(): void;
  thaw(): void;
  /** SIGKILL; `start` starts it again, empty, in the same place. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Ends it for good and removes its folder. */
  stop(): Promise<void>;
}

/** Starts `redis-server` on 127.0.0.1 and a Unix socket; resolves when it takes connections. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisProcess> {
  const { password, tls, settings = [], program = 'redis-server' } = options;
  const port = options.port ?? (await freePort());
  const folder = mkdtempSync(join(tmpdir(), 'redis-test-'));
  const socket = join(folder, 'redis.sock');
  const authority =
    tls === undefined ? [] : ['tls-auth-clients no', `tls-ca-cert-file ${tls.certificateFile}`];
  const listen =
    tls === undefined
      ? [`port ${port}`]
      : [
          'port 0',
          `tls-port ${port}`,
          `tls-cert-file ${tls.certificateFile}`,
          `tls-key-file ${tls.keyFile}`,
          ...authority,
        ];
  const configuration = [
    'bind 127.0.0.1',
    ...listen,
    `unixsocket ${socket}`,
    'save ""',
    'appendonly no',
    `dir ${folder}`,
    ...(password === undefined ? [] : [`requirepass ${quoted(password)}`, `masterauth ${quoted(password)}`]),
    ...settings,
  ];
  const server = serverProcess(program, folder, configuration, /Ready to accept connections/);
  await server.start();
  return {
    port,
    socket,
    cli: (...command) => redisCli(['-s', socket, ...command], password),
    ...server,
  };
}

/** One group `mymaster`: a primary, a replica and three sentinels, which find a dead primary after a second. */
export async function startSentinels(password: string): Promise<{
  readonly ports: readonly number[];
  readonly servers: readonly RedisProcess[];
  /** The port of whom the sentinels hold for the primary now. */
  primary(): Promise<number>;
  /** Watches the primary under another name from now on. */
  rename(name: string): Promise<void>;
  stop(): Promise<void>;
}> {
  const first = await startRedis({ password });
  const second = await startRedis({ password, settings: [`replicaof 127.0.0.1 ${first.port}`] });
  const servers = [first, second];
  await until('the replica follows', async () =>
    (await second.cli('info')).includes('master_link_status:up'),
  );
  const sentinels = await Promise.all(
    [1, 2, 3].map(async () => {
      const port = await freePort();
      const folder = mkdtempSync(join(tmpdir(), 'sentinel-test-'));
      const configuration = [
        'bind 127.0.0.1',
        `port ${port}`,
        `dir ${folder}`,
        `sentinel monitor mymaster 127.0.0.1 ${first.port} 2`,
        `sentinel auth-pass mymaster ${quoted(password)}`,
        'sentinel down-after-milliseconds mymaster 1000',
        'sentinel failover-timeout mymaster 5000',
      ];
      const server = serverProcess('redis-server', folder, configuration, /monitor master mymaster/, [
        '--sentinel',
      ]);
      await server.start();
      return { port, ...server };
    }),
  );
  const ask = (port: number, ...command: string[]) => redisCli(['-p', String(port), ...command], undefined);
  await until('the sentinels know each other and the replica', async () => {
    const answers = await Promise.all(sentinels.map(({ port }) => ask(port, 'info', 'sentinel')));
    return answers.every((answer) => answer.includes('slaves=1,sentinels=3'));
  });
  return {
    ports: sentinels.map(({ port }) => port),
    servers,
    async primary() {
      const answer = await ask(sentinels[0]!.port, 'sentinel', 'get-master-addr-by-name', 'mymaster');
      return Number(answer.split('\n')[1]);
    },
    async rename(name) {
      for (const { port } of sentinels) {
        await ask(port, 'sentinel', 'remove', 'mymaster');
        await ask(port, 'sentinel', 'monitor', name, '127.0.0.1', String(first.port), '2');
      }
    },
    async stop() {
      await Promise.all([...servers, ...sentinels].map((server) => server.stop()));
    },
  };
}

/** Three primaries, which share the slots. */
export async function startCluster(
  password: string,
): Promise<{ readonly servers: readonly RedisProcess[]; stop(): Promise<void> }> {
  const servers = await Promise.all(
    [1, 2, 3].map(async () =>
      startRedis({
        password,
        settings: ['cluster-enabled yes', 'cluster-node-timeout 2000', `cluster-port ${await freePort()}`],
      }),
    ),
  );
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.stop()));
  };
  try {
    const addresses = servers.map(({ port }) => `127.0.0.1:${port}`);
    await redisCli(['--cluster', 'create', ...addresses, '--cluster-yes'], password);
    await until('the cluster is whole', async () => {
      const states = await Promise.all(servers.map((server) => server.cli('cluster', 'info')));
      return states.every((state) => state.includes('cluster_state:ok'));
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return { servers, stop };
}

const quoted = (text: string) => `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`;

async function redisCli(parameters: readonly string[], password: string | undefined): Promise<string> {
  const env = {
    PATH: process.env['PATH'],
    ...(password === undefined ? {} : { REDISCLI_AUTH: password }),
  };
  const { stdout } = await promisify(execFile)('redis-cli', [...parameters], { env, timeout: 30_000 });
  return stdout;
}

function serverProcess(
  program: string,
  folder: string,
  configuration: readonly string[],
  ready: RegExp,
  flags: readonly string[] = [],
) {
  let log = '';
  let child: ChildProcess | undefined;
  let closed: Promise<unknown> = Promise.resolve();
  const kill = async (): Promise<void> => {
    child?.kill('SIGKILL');
    child = undefined;
    await closed;
  };
  return {
    log: () => log,
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    kill,
    async start() {
      mkdirSync(folder, { recursive: true });
      const file = join(folder, 'server.conf');
      writeFileSync(file, `${configuration.join('\n')}\n`, { mode: 0o600 });
      const before = log.length;
      // the kernel ends it with whoever started it
      const started = spawn('setpriv', ['--pdeathsig', 'KILL', program, file, ...flags], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      child = started;
      started.stdout.on('data', (chunk) => (log += String(chunk)));
      started.stderr.on('data', (chunk) => (log += String(chunk)));
      closed = once(started, 'close');
      await until(`${program} is ready`, () => {
        if (started.exitCode !== null) throw new Error(`${program} ended: ${log.slice(before)}`);
        return ready.test(log.slice(before));
      });
    },
    async stop() {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
