import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { exitCodes, Failure } from '../../core/errors.ts';
import { runProgram } from '../run-program.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export interface DockerResult {
  /** 124 where it was killed at its time limit. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface DockerRun {
  /** What it reads; nothing where absent. The place for secrets: arguments and environment are for all to see. */
  readonly input?: string;
  /** Besides what docker itself needs of ours. */
  readonly environment?: Environment;
  /** It is killed then; without a limit where absent. */
  readonly timeoutMs?: number;
}

/** The docker client of this host. Neither call puts anything of our environment but docker's own into the child's. */
export interface Docker {
  /** Runs to the end and gives what it wrote, whatever its exit code. */
  run(args: readonly string[], run?: DockerRun): Promise<DockerResult>;
  /** Runs with our terminal. `input`: what comes before what we read ourselves. Gives the exit code. */
  attach(args: readonly string[], run?: DockerRun): Promise<number>;
}

/** What docker reads of its caller; a password that happens to be set in ours goes no further. */
const passedOn =
  /^(PATH|HOME|USER|TERM|LANG|LC_\w+|NO_COLOR|SSH_AUTH_SOCK|XDG_RUNTIME_DIR|DOCKER_(HOST|CONTEXT|CONFIG|CERT_PATH|TLS|TLS_VERIFY|API_VERSION)|COMPOSE_PROJECT_NAME)$/;

/**
 * Finds docker and its Compose plugin. Rejects with a Failure (exit code 3) that says how to get what is missing:
 * `docker-missing`, `compose-missing`, `docker-denied`, `docker-not-running`.
 */
export async function findDocker(
  environment: Environment,
  timeoutMs: number = engineTimeoutMs,
): Promise<Docker> {
  const docker = dockerClient(environment);
  const compose = await docker
    .run(['compose', 'version', '--short'], { timeoutMs })
    .catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      throw missing('docker is not installed', 'docker-missing');
    });
  // what a plugin that has not answered is, nobody knows
  if (compose.exitCode === timedOut) throw unanswered(compose);
  if (compose.exitCode !== 0 || !/^v?([2-9]|\d\d)\./.test(compose.stdout.trim())) {
    const packages = await composePackages(osRelease());
    throw missing('docker has no "docker compose" (version 2)', 'compose-missing', packages);
  }
  const engine = await docker.run(['version', '--format', '{{.Server.Version}}'], { timeoutMs });
  if (engine.exitCode === 0) return docker;
  throw unanswered(engine);
}

/** An engine that says nothing for so long is stuck. */
const engineTimeoutMs = 20_000;
const timedOut = 124;

function unanswered({ stderr }: DockerResult): Failure {
  const why = stderr.trim().split('\n').at(-1) ?? '';
  const denied = /permission denied/i.test(why);
  return new Failure(denied ? 'this user may not use docker' : 'the docker engine does not answer', {
    code: denied ? 'docker-denied' : 'docker-not-running',
    exitCode: exitCodes.checkFailed,
    retryable: !denied,
    remedy: denied ? 'use sudo' : 'start it: sudo systemctl start docker',
    cause: new Error(why),
  });
}

function dockerClient(environment: Environment): Docker {
  const start = (args: readonly string[], run: DockerRun, output: 'pipe' | 'inherit') => {
    const own = Object.entries(environment).filter(([name]) => passedOn.test(name));
    return spawn('docker', args, {
      env: { ...Object.fromEntries(own), ...run.environment },
      stdio: [run.input === undefined && output === 'inherit' ? 'inherit' : 'pipe', output, output],
    });
  };
  return {
    run: (args, run = {}) =>
      new Promise((resolve, reject) => {
        const child = start(args, run, 'pipe');
        let stdout = '';
        let stderr = '';
        child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
        child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
        child.once('error', reject);
        const limit = run.timeoutMs === undefined ? undefined : setTimeout(kill, run.timeoutMs);
        let late = false;
        function kill(): void {
          late = true;
          stderr += `\nno answer within ${(run.timeoutMs ?? 0) / 1000} s`;
          child.kill('SIGKILL');
        }
        child.once('close', (status) => {
          clearTimeout(limit);
          resolve({ exitCode: late ? timedOut : (status ?? exitCodes.fault), stdout, stderr });
        });
        // one that ends without reading all of it says why itself
        child.stdin?.on('error', () => {}).end(run.input);
      }),
    attach: (args, run = {}) =>
      new Promise((resolve, reject) => {
        const child = start(args, run, 'inherit');
        // the terminal sends Ctrl-C to both: what runs inside decides what it means
        const ignore = (): void => {};
        process.on('SIGINT', ignore);
        child.once('error', reject);
        child.once('close', (status) => {
          process.off('SIGINT', ignore);
          process.stdin.unpipe();
          process.stdin.pause();
          resolve(status ?? exitCodes.fault);
        });
        if (child.stdin === null) return;
        child.stdin.on('error', ignore).write(run.input ?? '');
        process.stdin.pipe(child.stdin);
      }),
  };
}

function missing(what: string, code: string, packages?: readonly string[]): Failure {
  const remedy = howToInstall(osRelease(), packages);
  return new Failure(what, { code, exitCode: exitCodes.checkFailed, remedy });
}

/** What os-release(5) says of this host; nothing where it says nothing. */
export function osRelease(): string {
  try {
    return readFileSync('/etc/os-release', 'utf8');
  } catch {
    return '';
  }
}

/** The packages of Docker with Compose v2, by distribution and the oldest release that has them. */
const packagesByRelease = [
  { id: 'ubuntu', from: 22.04, packages: ['docker.io', 'docker-compose-v2'] },
  // the client is a package of its own there
  { id: 'debian', from: 13, packages: ['docker.io', 'docker-cli', 'docker-compose'] },
] as const;

/** The names of the distribution's own packages, by os-release(5); undefined where it has no Compose v2. */
export function dockerPackages(release: string): readonly string[] | undefined {
  const { id, version } = distributionOf(release);
  // a release without a number is the one to come
  return packagesByRelease.find((each) => each.id === id && !(version < each.from))?.packages;
}

/**
 * The names of the packages that give Compose v2 to the Docker that is here, which stays: Docker's own packages and the
 * distribution's put each other out. Undefined where there are none. `run`: as `runProgram`.
 */
export async function composePackages(
  release: string,
  run: (file: string, args: readonly string[]) => Promise<{ readonly stdout: string }> = runProgram,
): Promise<readonly string[] | undefined> {
  const packages = dockerPackages(release) ?? [];
  const format = '--showformat=${Package} ${db:Status-Status}\n';
  const { stdout } = await run('dpkg-query', ['--show', format, 'docker-ce-cli', ...packages]);
  const states = new Map(
    stdout.split('\n').map((line) => {
      const [name = '', state] = line.split(' ');
      return [name, state] as const;
    }),
  );
  if (states.get('docker-ce-cli') === 'installed') return ['docker-compose-plugin'];
  if (packages.length === 0) return undefined;
  const isCompose = (name: string) => name.startsWith('docker-compose');
  const isHere = (name: string) => !['config-files', 'not-installed', undefined].includes(states.get(name));
  // of an install that was cut off, the engine may lack too
  const lacking = packages.some((name) => !isCompose(name) && isHere(name))
    ? packages.filter((name) => states.get(name) !== 'installed')
    : [];
  return lacking.length > 0 ? lacking : packages.filter(isCompose);
}

/** The command that installs Docker with Compose v2 from the distribution's own packages, or `packages`, where it has them. */
export function howToInstall(
  release: string,
  packages: readonly string[] | undefined = dockerPackages(release),
): string {
  if (packages !== undefined) return `sudo apt-get install ${packages.join(' ')}`;
  const { id, version } = distributionOf(release);
  if (id !== 'debian')
    return 'install Docker Engine with its Compose plugin: https://docs.docker.com/engine/install/';
  return (
    `Debian ${version} has no package of it: install docker-ce and docker-compose-plugin from Docker's own ` +
    'packages, as https://docs.docker.com/engine/install/debian/ says'
  );
}

function distributionOf(release: string): { id: string; version: number } {
  const valueOf = (key: string) => new RegExp(`^${key}="?([^"\n]*)`, 'm').exec(release)?.[1];
  return { id: valueOf('ID') ?? '', version: Number.parseFloat(valueOf('VERSION_ID') ?? '') };
}
