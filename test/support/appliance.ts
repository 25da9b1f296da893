import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { childrenOf, commandOf } from './child-processes.ts';
import { freePort } from './free-port.ts';
import { until } from './until.ts';

const root = join(import.meta.dirname, '..', '..');

/** A running `appliance serve`, from the sources or from the file that APPLIANCE_BINARY names. */
export interface Appliance {
  readonly port: number;
  readonly url: string;
  readonly pid: number;
  /** A folder for data, secrets and the like; unless it was given, gone after `stop`. */
  readonly folder: string;
  /** PIDs of the workers that live now. */
  workers(): number[];
  /** All that it printed to standard error so far. */
  log(): string;
  stdout(): string;
  kill(signal: NodeJS.Signals): void;
  /** Its exit status, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  /** Ends it, waits, cleans up. */
  stop(): Promise<void>;
}

export interface ApplianceOptions {
  readonly environment?: { readonly [key: string]: string };
  readonly flags?: readonly string[];
  readonly port?: number;
  /** Where it runs, to be used again; else a folder of its own is made. */
  readonly folder?: string;
  /** What it is started by, which becomes it: `unshare -m sh -c …`. */
  readonly wrapper?: readonly string[];
  /** Called with its folder before it starts. */
  prepare?(folder: string): void;
}

/** The command line of the product: file and leading arguments. */
export function applianceCommand(): [file: string, ...leading: string[]] {
  const binary = process.env['APPLIANCE_BINARY'];
  return binary === undefined ? [process.execPath, join(root, 'src', 'main.ts')] : [binary];
}

/** Starts one on a free port and returns at once; `ended` tells when it gives up. */
export async function launchAppliance(options: ApplianceOptions = {}): Promise<Appliance> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'appliance-test-'));
  options.prepare?.(folder);
  const port = options.port ?? (await freePort());
  const [file, ...leading] = [...(options.wrapper ?? []), ...applianceCommand()] as [string, ...string[]];
  const child = spawn(file, [...leading, 'serve', ...(options.flags ?? [])], {
    cwd: folder,
    env: {
      PATH: process.env['PATH'],
      HOME: folder,
      APP_HTTP_PORT: String(port),
      APP_DATA_DIR: join(folder, 'data'),
      ...options.environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  let stdout = '';
  child.stderr.on('data', (chunk) => (log += String(chunk)));
  child.stdout.on('data', (chunk) => (stdout += String(chunk)));
  const ended = once(child, 'close').then(
    ([status, signal]) => (signal ?? status) as number | NodeJS.Signals,
  );
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    pid: child.pid!,
    folder,
    // a program that it runs, as systemd-notify, is a child too
    workers: () => childrenOf(child.pid!).filter((pid) => commandOf(pid).includes('worker')),
    log: () => log,
    stdout: () => stdout,
    kill: (signal) => child.kill(signal),
    ended,
    async stop() {
      child.kill('SIGTERM');
      // Ends at the second asking, whatever is still open.
      const second = setTimeout(() => child.kill('SIGTERM'), 2000);
      await ended;
      clearTimeout(second);
      if (options.folder === undefined) rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Starts one and waits until it answers. */
export async function startAppliance(options: ApplianceOptions = {}): Promise<Appliance> {
  const appliance = await launchAppliance(options);
  let over: number | NodeJS.Signals | undefined;
  void appliance.ended.then((how) => (over = how));
  await until('the appliance answers', async () => {
    if (over !== undefined) throw new Error(`appliance ended with ${over}:\n${appliance.log()}`);
    return appliance.stdout().includes('answers on') && (await fetch(`${appliance.url}/health/live`)).ok;
  });
  return appliance;
}
