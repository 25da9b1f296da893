import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCertificateStore } from '../../src/adapters/certificate-store-files.ts';
import { relativeFolder } from '../../src/adapters/certificate-store-names.ts';
import { checkPair } from '../../src/core/certificate-pair.ts';
import type { StoredCertificate } from '../../src/ports/certificate-store.ts';
import { applianceCommand, launchAppliance, type Appliance } from './appliance.ts';
import { freePort } from './free-port.ts';
import { until } from './until.ts';

/** What a command printed and how it ended. */
export interface CommandResult {
  readonly exitCode: number | NodeJS.Signals;
  readonly out: string;
  readonly err: string;
}

export interface RunningCommand {
  readonly child: ChildProcess;
  /** What it printed to standard error so far. */
  err(): string;
  readonly ended: Promise<CommandResult>;
}

export interface CommandOptions {
  readonly environment?: Readonly<Record<string, string>>;
  /** What it is started by: `strace -f …`. */
  readonly wrapper?: readonly string[];
}

/** One host on which commands and the service get certificates: a data folder, a configuration, ports of its own. */
export interface CertificateHost {
  readonly folder: string;
  /** `APP_DATA_DIR/certificates`. */
  readonly store: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly httpsPort: number;
  start(words: readonly string[], options?: CommandOptions): RunningCommand;
  run(words: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** Starts the service; resolves when it says that it answers. Ended by `clear` at the latest. */
  serve(environment?: Readonly<Record<string, string>>, wrapper?: readonly string[]): Promise<Appliance>;
  /** Where the certificate lies that is got from an authority for `CERT_DOMAIN`, whose first name is the host's. */
  place(directoryUrl: string): string;
  /** What the store loads, read as the next process does. */
  load(directoryUrl: string): Promise<StoredCertificate | undefined>;
  /** Ends the services, removes the folder. */
  clear(): Promise<void>;
}

export interface CertificateHostOptions {
  readonly name: string;
  readonly httpPort: number;
  readonly environment: Readonly<Record<string, string>>;
}

export async function makeCertificateHost(options: CertificateHostOptions): Promise<CertificateHost> {
  const folder = mkdtempSync(join(tmpdir(), 'certificate-host-'));
  const httpsPort = await freePort();
  const store = join(folder, 'data', 'certificates');
  const environment = {
    APP_HTTP_PORT: String(options.httpPort),
    APP_HTTPS_PORT: String(httpsPort),
    APP_DATA_DIR: join(folder, 'data'),
    APP_RUN_DIR: join(folder, 'run'),
    CERT_DOMAIN: options.name,
    CERT_EMAIL: 'owner@example.com',
    ...options.environment,
  };
  const services: Appliance[] = [];
  const quiet = { debug() {}, info() {}, warn() {}, error() {}, debugging: false };

  function start(words: readonly string[], { environment: more = {}, wrapper = [] }: CommandOptions = {}) {
    const [file, ...leading] = [...wrapper, ...applianceCommand()] as [string, ...string[]];
    const child = spawn(file, [...leading, ...words], {
      cwd: folder,
      env: { PATH: process.env['PATH'], HOME: folder, ...environment, ...more },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const said = { out: '', err: '' };
    child.stdout.on('data', (chunk) => (said.out += String(chunk)));
    child.stderr.on('data', (chunk) => (said.err += String(chunk)));
    const ended = once(child, 'close').then(([status, signal]): CommandResult => ({
      exitCode: (signal ?? status) as number | NodeJS.Signals,
      ...said,
    }));
    return { child, err: () => said.err, ended };
  }

  return {
    folder,
    store,
    environment,
    httpsPort,
    start,
    run: (words, options) => start(words, options).ended,
    async serve(more = {}, wrapper = []) {
      const service = await launchAppliance({
        port: options.httpPort,
        wrapper,
        environment: { APP_WORKERS: '1', ...environment, ...more },
      });
      services.push(service);
      let over: number | NodeJS.Signals | undefined;
      void service.ended.then((how) => (over = how));
      await until('the service answers', () => {
        if (over !== undefined) throw new Error(`the service ended with ${over}:\n${service.log()}`);
        return service.stdout().includes('answers on');
      });
      return service;
    },
    place: (authority) => join(store, relativeFolder({ authority, name: options.name })),
    load: (authority) =>
      createCertificateStore({ folder: store, log: quiet }).load({ authority, name: options.name }),
    async clear() {
      await Promise.all(services.map((service) => service.stop()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Whether a folder of the store has a pair under its own names, one that belongs together. */
export function hasPair(place: string): boolean {
  const [chain, key] = ['certificate.pem', 'key.pem'].map((name) => join(place, name));
  if (!existsSync(chain!) || !existsSync(key!)) return false;
  checkPair(readFileSync(chain!, 'utf8'), readFileSync(key!, 'utf8'));
  return true;
}

/** Names and permission bits of all that lies below a folder, sorted: `640 a/b`. */
export function modesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .flatMap((path) => {
      // it may be gone again
      const found = statSync(join(folder, path), { throwIfNoEntry: false });
      return found === undefined ? [] : [`${(found.mode & 0o777).toString(8)} ${path}`];
    })
    .sort();
}

/** PEM files in one, for a setting that takes one. */
export function bundle(file: string, ...files: readonly string[]): string {
  for (const each of files) appendFileSync(file, `${readFileSync(each, 'utf8').trim()}\n`);
  return file;
}
