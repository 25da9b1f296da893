import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../../src/core/errors.ts';
import type { BenchCertificate } from './certificate.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/until.ts';
import { childrenOf, startPinned } from './pinned-process.ts';
import { scratchFolder } from './scratch.ts';

const root = join(import.meta.dirname, '..', '..');

/** What is measured: the file that APPLIANCE_BINARY names, else the one that was built, else the sources. */
export interface Product {
  readonly file: string;
  readonly arguments: readonly string[];
  readonly packaged: boolean;
  readonly version: string;
}

export function findProduct(): Product {
  const built = join(root, 'dist', 'appliance');
  const binary = process.env['APPLIANCE_BINARY'] ?? (existsSync(built) ? built : undefined);
  const file = binary ?? process.execPath;
  const args = binary === undefined ? [join(root, 'src', 'main.ts')] : [];
  const version = execFileSync(file, [...args, 'version'], { encoding: 'utf8' })
    .trim()
    .split('\n')[0]!;
  return { file, arguments: args, packaged: binary !== undefined, version };
}

/** A running `appliance serve` on loopback. */
export interface RunningProduct {
  readonly origin: string;
  /** Of HTTPS; nobody listens there without a certificate. */
  readonly httpsPort: number;
  /** Where its control socket is. */
  readonly runDir: string;
  readonly pid: number;
  /** PIDs of its workers. */
  readonly workers: readonly number[];
  stop(): Promise<void>;
}

export interface ServeOptions {
  readonly workers: number | 'auto';
  readonly core?: number;
  /** Serves HTTPS with it as well. */
  readonly certificate?: BenchCertificate;
  /** More of the configuration. */
  readonly environment?: { readonly [key: string]: string };
}

/** Starts it with an empty data folder and returns when every worker answers. */
export async function serveProduct(product: Product, options: ServeOptions): Promise<RunningProduct> {
  const { process, ...places } = await launchProduct(product, options);
  const ready = (): boolean => process.output().includes('answers on');
  let how: number | NodeJS.Signals | undefined;
  void process.ended.then((end) => (how = end));
  await until('the product answers', () => {
    if (how === undefined) return ready();
    throw new Failure(`the product ended with ${how}:\n${process.output()}`, { code: 'bench-start' });
  });
  return {
    ...places,
    pid: process.pid,
    workers: childrenOf(process.pid),
    stop: () => process.stop(),
  };
}

/** Starts it and returns at once. */
export async function launchProduct(
  product: Product,
  { workers, core, certificate, environment: more = {} }: ServeOptions,
) {
  const folder = scratchFolder();
  const [port, httpsPort] = [await freePort(), await freePort()];
  const runDir = join(folder, 'run');
  const environment = {
    PATH: globalThis.process.env['PATH'],
    HOME: globalThis.process.env['HOME'],
    APP_HTTP_PORT: String(port),
    APP_HTTPS_PORT: String(httpsPort),
    APP_WORKERS: String(workers),
    APP_DATA_DIR: join(folder, 'data'),
    APP_RUN_DIR: runDir,
    ...(certificate === undefined ? {} : certificateSettings(certificate)),
    ...more,
  };
  if (certificate !== undefined) {
    const args = [...product.arguments, 'renew-certs', '--import', certificate.folder];
    execFileSync(product.file, args, { cwd: folder, env: environment, stdio: 'pipe' });
  }
  const process = startPinned(product.file, [...product.arguments, 'serve'], {
    ...(core === undefined ? {} : { core }),
    folder,
    environment,
  });
  return { origin: `http://127.0.0.1:${port}`, httpsPort, runDir, process };
}

/** An authority that nobody can reach: the certificate is imported, and not due in the time that a bench takes. */
function certificateSettings({ caFile }: BenchCertificate) {
  return {
    CERT_DOMAIN: '127.0.0.1',
    CERT_DIRECTORY_URL: 'https://127.0.0.1:9/directory',
    CERT_CA_FILE: caFile,
  };
}
