import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CertificateStatus } from '../../src/certificates/certificate-service.ts';
import { applianceCommand, startAppliance, type Appliance } from './appliance.ts';
import { freePort } from './free-port.ts';
import type { Pebble } from './pebble.ts';
import { visit, type Visit, type VisitOptions } from './tls-visit.ts';
import { until } from './until.ts';

/** Configuration by the keys of `acme.env` and `app.env`; undefined leaves a key out. */
export type Settings = Readonly<Record<string, string | undefined>>;

/** What `status --json` says, as far as tests ask. */
export interface StatusDocument {
  readonly workers: readonly { readonly pid: number; readonly restarts: number }[];
  readonly certificates: readonly (Pick<
    CertificateStatus,
    'names' | 'authority' | 'servedAuthority' | 'state' | 'serial' | 'reason' | 'lastError'
  > & { readonly notBefore?: string; readonly notAfter?: string; readonly nextAttemptAt: string })[];
}

export interface CommandResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface PlainAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A host of its own for `appliance`: folders, ports and configuration, and an authority that can reach it. */
export interface CertifiedAppliance {
  readonly folder: string;
  readonly dataDir: string;
  /** Where its control socket is. */
  readonly runDir: string;
  readonly httpPort: number;
  readonly httpsPort: number;
  /** PEM file of the authority's root, for curl and openssl. */
  readonly rootFile: string;
  readonly root: string;
  /** The service that runs now. */
  readonly service: Appliance;
  /** Changes the files of the secrets folder; keys that are not named stay. */
  configure(settings: Settings): void;
  /** Starts the service and waits until it answers. */
  start(): Promise<Appliance>;
  /** Sends SIGHUP and waits until the new workers have taken over. */
  reload(): Promise<void>;
  /** Runs another command of the product, with the same configuration. */
  command(...words: readonly string[]): Promise<CommandResult>;
  status(): Promise<StatusDocument>;
  /** One request over a fresh TLS connection. */
  visit(options?: Omit<VisitOptions, 'port' | 'root'>): Promise<Visit>;
  /** One request over plain HTTP. */
  plain(path: string, headers?: Readonly<Record<string, string>>): Promise<PlainAnswer>;
  /** The serials that `connections` fresh connections see, each once. */
  serials(name?: string, connections?: number): Promise<string[]>;
  /** Resolves with the serial once the first certificate (or the one of `name`) is of the configured authority and serves, and is not `other`. */
  issued(options?: {
    readonly name?: string;
    readonly other?: string;
    readonly timeoutMs?: number;
  }): Promise<string>;
  stop(): Promise<void>;
}

export interface CertifiedOptions {
  readonly pebble: Pick<Pebble, 'directoryUrl' | 'caFile' | 'httpPort' | 'root'>;
  readonly settings: Settings;
  /** Of the service alone. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** Prepares one that asks `pebble`; nothing runs yet. */
export async function prepareAppliance(options: CertifiedOptions): Promise<CertifiedAppliance> {
  const { pebble } = options;
  const folder = mkdtempSync(join(tmpdir(), 'certified-appliance-'));
  const secrets = join(folder, 'secrets');
  const dataDir = join(folder, 'data');
  const runDir = join(folder, 'run');
  const rootFile = join(folder, 'root.pem');
  mkdirSync(secrets);
  const root = await pebble.root();
  writeFileSync(rootFile, root);
  const httpsPort = await freePort();
  const environment = {
    APP_SECRETS_DIR: secrets,
    APP_DATA_DIR: dataDir,
    APP_RUN_DIR: runDir,
    APP_HTTP_PORT: String(pebble.httpPort),
    ...options.environment,
  };
  let settings: Settings = {
    APP_HTTPS_PORT: String(httpsPort),
    APP_WORKERS: '2',
    CERT_EMAIL: 'owner@example.com',
    CERT_DIRECTORY_URL: pebble.directoryUrl,
    CERT_CA_FILE: pebble.caFile,
  };
  let service: Appliance | undefined;

  const appliance: CertifiedAppliance = {
    folder,
    dataDir,
    runDir,
    httpPort: pebble.httpPort,
    httpsPort,
    rootFile,
    root,
    get service() {
      if (service === undefined) throw new Error('the service was not started');
      return service;
    },
    configure(changes) {
      settings = { ...settings, ...changes };
      for (const [file, prefix] of [
        ['acme.env', /^CERT_/],
        ['app.env', /^APP_/],
      ] as const) {
        const lines = Object.entries(settings).flatMap(([key, value]) =>
          prefix.test(key) && value !== undefined ? `${key}='${value}'\n` : [],
        );
        writeFileSync(join(secrets, file), lines.join(''));
        chmodSync(join(secrets, file), 0o640);
      }
    },
    async start() {
      service = await startAppliance({ port: pebble.httpPort, environment });
      return service;
    },
    async reload() {
      const reloads = () => appliance.service.log().split('"reloaded;').length;
      const before = reloads();
      appliance.service.kill('SIGHUP');
      await until('the new workers have taken over', () => reloads() > before);
    },
    async command(...words) {
      const [file, ...leading] = applianceCommand();
      const child = spawn(file, [...leading, ...words], {
        cwd: folder,
        env: { PATH: process.env['PATH'], HOME: folder, ...environment },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let stdout = '';
      let stderr = '';
      child.stdout.on('data', (chunk) => (stdout += String(chunk)));
      child.stderr.on('data', (chunk) => (stderr += String(chunk)));
      const [exitCode] = (await once(child, 'close')) as [number | null];
      return { exitCode, stdout, stderr };
    },
    async status() {
      const { exitCode, stdout, stderr } = await appliance.command('status', '--json');
      if (exitCode !== 0) throw new Error(`status ended with ${exitCode}: ${stdout}${stderr}`);
      return JSON.parse(stdout) as StatusDocument;
    },
    visit: (how = {}) => visit({ ...how, port: httpsPort, root }),
    async plain(path, headers) {
      const sent = request({ agent: false, host: '127.0.0.1', port: pebble.httpPort, path, headers });
      sent.end();
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      let body = '';
      for await (const chunk of response) body += String(chunk);
      return { status: response.statusCode!, headers: response.headers, body };
    },
    async serials(name, connections = 20) {
      const seen = new Set<string>();
      for (let count = 0; count < connections; count++) seen.add((await appliance.visit({ name })).serial);
      return [...seen];
    },
    async issued({ name, other, timeoutMs = 90_000 } = {}) {
      const first = (settings['CERT_DOMAIN'] ?? '').split(/[,;]/)[0]!;
      const asked = name ?? (isIP(first) === 0 ? first.replace('*', 'any') : undefined);
      let serial = '';
      await until(
        'a certificate of the authority serves',
        async () => {
          // HTTPS may be yet to come
          const seen = await appliance.visit({ name: asked }).catch(() => undefined);
          serial = seen?.serial ?? '';
          if (seen?.chainTrusted !== true || serial === other) return false;
          // one worker may still be proving it
          const serials = await appliance.serials(asked).catch(() => []);
          return serials.length === 1 && serials[0] === serial;
        },
        timeoutMs,
      ).catch((error: unknown) => {
        throw new Error(`no certificate:\n${appliance.service.log()}`, { cause: error });
      });
      return serial;
    },
    async stop() {
      if (service !== undefined) await endAtOnce(service);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  appliance.configure(options.settings);
  return appliance;
}

/** Asked a second time, a service does not wait for connections that stay open. */
async function endAtOnce(service: Appliance): Promise<void> {
  let over = false;
  void service.ended.then(() => (over = true));
  service.kill('SIGTERM');
  await until('it is stopping', () => over || service.log().includes('stopping: '));
  await service.stop();
}

/** Prepares one and starts it. */
export async function startCertified(options: CertifiedOptions): Promise<CertifiedAppliance> {
  const appliance = await prepareAppliance(options);
  try {
    await appliance.start();
  } catch (error) {
    await appliance.stop();
    throw error;
  }
  return appliance;
}

/** A file's text without the white space around it; empty where there is none. */
export function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}
