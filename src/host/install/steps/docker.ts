import { spawn } from 'node:child_process';
import { setTimeout as wait } from 'node:timers/promises';
import { exitCodes, Failure, reasonOf } from '../../../core/errors.ts';
import { composePackages, dockerPackages, findDocker, howToInstall } from '../../stack/docker.ts';
import { runProgram } from '../../run-program.ts';
import type { Step } from '../plan.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** `ready`: it answers. `missing`: not installed. `no-compose`: its Compose plugin is not. `stopped`: it does not answer. */
export type DockerState = 'ready' | 'missing' | 'no-compose' | 'stopped';

export async function dockerState(environment: Environment): Promise<DockerState> {
  try {
    await findDocker(environment);
    return 'ready';
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return error.code === 'docker-missing'
      ? 'missing'
      : error.code === 'compose-missing'
        ? 'no-compose'
        : 'stopped';
  }
}

/** The packages that it lacks, none where it is only stopped; undefined where there are none of it. */
export async function lackingPackages(
  found: DockerState | 'not-needed',
  release: string,
): Promise<readonly string[] | undefined> {
  if (found === 'missing') return dockerPackages(release);
  return found === 'no-compose' ? composePackages(release) : [];
}

/** Docker, or what it lacks, from packages. `found` is what there was before; `release` what os-release(5) says. */
export function dockerStep(
  found: Exclude<DockerState, 'ready'>,
  packages: readonly string[] | undefined,
  release: string,
  environment: Environment,
): Step {
  const names = packages?.join(', ') ?? '';
  const { does, words } = {
    missing: { does: `install ${names} of the distribution`, words: 'not installed' },
    'no-compose': { does: `install ${names} for the Docker that is here`, words: 'without Compose' },
    stopped: { does: 'start Docker', words: 'not running' },
  }[found];
  return {
    name: 'docker',
    does,
    look: () =>
      packages === undefined
        ? Promise.reject(noPackages(release))
        : Promise.resolve({ state: 'to-do', words }),
    async act({ progress, signal }) {
      if (packages !== undefined && packages.length > 0) await install(packages, progress, signal);
      progress('starting Docker');
      const { exitCode, stderr } = await runProgram('systemctl', ['enable', '--now', 'docker.service'], {
        timeoutMs: 120_000,
      });
      if (exitCode !== 0) throw notStarted(stderr);
      await findDocker(environment);
    },
  };
}

/** Exit code 3, with the way out by name. */
function noPackages(release: string): Failure {
  return new Failure('Docker with Compose is not here, and this distribution has no packages of it', {
    code: 'docker-missing',
    exitCode: exitCodes.checkFailed,
    remedy: `${howToInstall(release)}; or keep the state in a file of this host: --no-containers`,
  });
}

async function install(
  packages: readonly string[],
  progress: (words: string) => void,
  signal: AbortSignal,
): Promise<void> {
  // what an earlier run, or somebody else, was cut off at
  await runProgram('dpkg', ['--configure', '-a'], { environment: quiet, timeoutMs: longMs });
  progress('fetching the list of packages');
  await update(progress, signal);
  // an engine of another maker is not to go for it, nor anything else
  await apt(['install', '--yes', '--no-remove', '--no-install-recommends', ...packages], progress, signal);
}

/** What `DPkg::Lock::Timeout` does not cover: another apt that fetches the lists, as Debian's own does twice a day. */
async function update(progress: (words: string) => void, signal: AbortSignal): Promise<void> {
  const giveUpAt = performance.now() + listsLockMs;
  for (;;) {
    try {
      return await apt(['update'], progress, signal);
    } catch (error) {
      const isLocked = reasonOf(error).includes('Could not get lock /var/lib/apt/lists/lock');
      if (!isLocked || performance.now() > giveUpAt) throw error;
      progress(`waiting: ${reasonOf(error)}`);
      await wait(1000, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }
}

const listsLockMs = 120_000;
const longMs = 900_000;
const quiet = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C.UTF-8',
  DEBIAN_FRONTEND: 'noninteractive',
  NEEDRESTART_MODE: 'l',
};
/** A network that is not there says so in seconds; another apt at work is waited for. */
const flags = [
  'Acquire::Retries=1',
  'Acquire::http::Timeout=20',
  'Acquire::https::Timeout=20',
  'DPkg::Lock::Timeout=120',
  'Dpkg::Options::=--force-confold',
  'APT::Color=0',
].flatMap((option) => ['-o', option]);
const told = /^(Get:\d+ .*|Unpacking \S+|Setting up \S+|Fetched .*)/;

/** Rejects with `packages-failed` (exit code 3). */
function apt(args: readonly string[], progress: (words: string) => void, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('apt-get', [...flags, ...args], { env: quiet, stdio: ['ignore', 'pipe', 'pipe'] });
    const errors: string[] = [];
    const stop = () => child.kill('SIGTERM');
    signal.addEventListener('abort', stop);
    const lines = (take: (line: string) => void) => {
      let rest = '';
      return (text: string) => {
        const parts = (rest + text).split('\n');
        rest = parts.pop() ?? '';
        parts.forEach(take);
      };
    };
    child.stdout.setEncoding('utf8').on(
      'data',
      lines((line) => {
        const words = told.exec(line)?.[1];
        if (words !== undefined) progress(words);
      }),
    );
    child.stderr.setEncoding('utf8').on(
      'data',
      lines((line) => {
        if (/^(E|W|Err):? /.test(line)) errors.push(line.replace(/^(E|W|Err):? */, ''));
      }),
    );
    child.once('error', (error) => reject(failed(args, [reasonOf(error)])));
    child.once('close', (status) => {
      signal.removeEventListener('abort', stop);
      if (signal.aborted) reject(signal.reason as Error);
      else if (status === 0) resolve();
      else reject(failed(args, errors));
    });
  });
}

function failed([what]: readonly string[], errors: readonly string[]): Failure {
  // see --no-remove
  if (errors.some((line) => line.includes('remove is disabled')))
    return new Failure('the packages of Docker would put out others that are installed', {
      code: 'packages-conflict',
      exitCode: exitCodes.checkFailed,
      remedy:
        'see which (the same command of apt-get with --simulate, without --no-remove), or keep the state in a file of this ' +
        'host: --no-containers',
    });
  const why = errors.find((line) => !line.startsWith('Unable to fetch some')) ?? 'it did not say why';
  return new Failure(`apt-get ${what ?? ''} failed: ${why}`, {
    code: 'packages-failed',
    exitCode: exitCodes.checkFailed,
    retryable: true,
    remedy:
      'see that this host reaches the packages of its distribution (sudo apt-get update), or keep the state in a file of this ' +
      'host: --no-containers',
  });
}

function notStarted(stderr: string): Failure {
  return new Failure(`Docker does not start: ${stderr.trim().split('\n')[0] ?? ''}`, {
    code: 'docker-not-running',
    exitCode: exitCodes.checkFailed,
    retryable: true,
    remedy:
      'see why (sudo journalctl --unit docker; "sudo systemctl unmask docker" where it is masked), or keep the state in a file ' +
      'of this host: --no-containers',
  });
}
