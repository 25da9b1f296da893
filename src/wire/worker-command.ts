import { isSea } from 'node:sea';
import { settings } from '../config/schema.ts';
import type { WorkerCommand } from '../supervisor/child.ts';

/** The command line that starts a worker from this very program. */
export function workerCommand(): WorkerCommand {
  return {
    file: process.execPath,
    arguments: isSea()
      ? ['worker', `--node-options=${workerFlags.join(' ')}`]
      : [...workerFlags, process.argv[1]!, 'worker'],
    environment: {
      ...withoutSecrets(process.env),
      // The native server reads its limit here; 4 KiB, its default, is less than some browsers' cookies.
      UWS_HTTP_MAX_HEADERS_SIZE: String(maxHeaderBytes),
    },
  };
}

/**
 * Under random callers a worker held about 150 MB of its own without these, 40 to 60 with them, at the same CPU
 * time a request. The second is a hard limit: a worker that leaks ends and is replaced before the host suffers.
 * Without the third, the engine concludes from the first ten thousand callers, who are remembered, that what is made
 * for a caller lives long, and makes it where the garbage collector seldom looks: 1.5 µs more for each stranger.
 */
const workerFlags = [
  '--max-semi-space-size=4',
  '--max-old-space-size=128',
  '--no-allocation-site-pretenuring',
  // else SIGUSR1 opens the debugger to everybody on the host, also before our code runs
  '--disable-sigusr1',
];

/** For all header lines of a request; what nginx allows for one of them. */
const maxHeaderBytes = 16 * 1024;

/** Whoever gave us a secret in the environment gave it to this process, not to its children. */
export function withoutSecrets(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const secrets = new Set(settings.filter(([, { secret }]) => secret).map(([, { key }]) => key));
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !secrets.has(name)));
}
