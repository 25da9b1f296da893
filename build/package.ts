import { chmod, mkdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import pkg from '@yao-pkg/pkg/lib-es5/sea.js';

/** The official Node that carries the bundle: the same that runs the build. */
export const nodeBinary = process.execPath;

export interface Package {
  /** One CommonJS file that needs nothing beside itself. */
  readonly bundle: string;
  /** Files for `readAsset`, by name. */
  readonly assets: Readonly<Record<string, string>>;
  readonly output: string;
}

/**
 * Makes one executable of the official Node, the bundle and the assets: the same bytes for the same input,
 * in whatever folder the checkout lies. Throws pkg's errors.
 */
export async function packageBinary({ bundle, assets, output }: Package): Promise<void> {
  const folder = join(dirname(bundle), 'pkg');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  // Node keeps the bundle's path as it was given. pkg works in a new folder below TMPDIR, from where this
  // relative path leads to the bundle; the absolute one would differ from one checkout to the next.
  const main = join('..', '..', basename(bundle));
  const temporary = process.env['TMPDIR'];
  process.env['TMPDIR'] = folder;
  try {
    await pkg.default(bundle, {
      targets: [{ platform: 'linux', arch: 'x64', nodeRange: `node${process.versions.node}`, output }],
      nodePath: nodeBinary,
      // pkg's types leave out `main`
      seaConfig: Object.assign({ main }, seaConfig, { assets }),
    });
  } finally {
    if (temporary === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = temporary;
    await rm(folder, { recursive: true, force: true });
  }
  await chmod(output, 0o755);
}

/**
 * Else the engine lets lie what a host with much memory allows: 180 MB and more in a supervisor that counts strangers, of
 * which 15 are alive; with these it holds 67 (ADR 13). The second is a hard limit too. Workers have their own.
 */
const heapFlags = ['--max-semi-space-size=4', '--max-old-space-size=512'];

const seaConfig = {
  // SIGUSR1 would open the debugger to everybody on the host, already before our code runs
  execArgv: ['--disable-sigusr1', ...heapFlags],
  disableExperimentalSEAWarning: true,
  useSnapshot: false,
  // Would save 15 ms of a start. But V8 writes the same bytes twice only under a fixed hash seed, and rejects such a cache
  // under any other; and a server does not fix its seed, or strangers could choose keys that collide.
  useCodeCache: false,
  // the supervisor gives its workers flags with --node-options; a NODE_OPTIONS that happens to be set in the
  // environment must not load code into a server
  execArgvExtension: 'cli',
};
