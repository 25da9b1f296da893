import { exitCodes, Failure, UsageError } from '../../core/errors.ts';
import { composeProject, type ComposeProject, type Container } from './compose.ts';
import { findDocker } from './docker.ts';
import type { StackLayout } from './stack-layout.ts';
import type { StackServices } from './stack-services.ts';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

type Environment = Readonly<Record<string, string | undefined>>;

/** The project as the last `stack up` left it; undefined where there was none. */
async function foundProject(
  layout: StackLayout,
  environment: Environment,
): Promise<ComposeProject | undefined> {
  const docker = await findDocker(environment);
  if (!existsSync(join(layout.composeFolder, 'compose.yaml'))) return undefined;
  return composeProject(docker, layout, {}, false);
}

/** Ends the containers. Their volumes stay. Gives false where there was nothing to end. */
export async function stackDown(
  layout: StackLayout,
  environment: Environment,
  progress: (step: string) => void,
): Promise<boolean> {
  const project = await foundProject(layout, environment);
  const containers = await project?.list();
  if (project === undefined || containers === undefined || containers.length === 0) return false;
  progress(`stopping ${containers.map(({ service }) => service).join(', ')}`);
  await project.down();
  return true;
}

export async function stackContainers(
  layout: StackLayout,
  environment: Environment,
): Promise<readonly Container[]> {
  const project = await foundProject(layout, environment);
  return project === undefined ? [] : project.list();
}

export interface LogRequest {
  readonly services: readonly string[];
  readonly follow: boolean;
  readonly tail: string | undefined;
}

/** Prints what the containers wrote. Gives docker's exit code. */
export async function stackLogs(
  layout: StackLayout,
  environment: Environment,
  log: LogRequest,
): Promise<number> {
  const project = await foundProject(layout, environment);
  const known = (await project?.list())?.map(({ service }) => service) ?? [];
  if (project === undefined || known.length === 0) throw notRunning('there are no containers');
  const unknown = log.services.find((service) => !known.includes(service));
  if (unknown !== undefined) {
    throw new UsageError(`there is no container "${unknown}"`, `there is ${known.join(', ')}`);
  }
  const flags = [
    ...(log.follow ? ['--follow'] : []),
    ...(log.tail === undefined ? [] : ['--tail', log.tail]),
  ];
  return project.attach(['--profile', 'front', 'logs', ...flags, ...log.services]);
}

/**
 * psql in the container, as the service's role: what is made there is the service's. `RESET ROLE` makes it the
 * superuser. Needs no password. Gives psql's exit code; rejects with `stack-not-running` (exit code 6).
 */
export async function databaseShell(
  layout: StackLayout,
  environment: Environment,
  postgres: StackServices['postgres'],
  args: readonly string[],
  terminal: boolean,
): Promise<number> {
  if (postgres === undefined) throw elsewhere('the database', 'POSTGRES_HOST', 'psql');
  const project = await runningProject(layout, environment, 'postgres');
  const role = ['--env', `PGOPTIONS=-crole=${postgres.role}`];
  const psql = ['psql', '--username=postgres', `--dbname=${postgres.database}`];
  const noTerminal = terminal ? [] : ['--no-TTY'];
  return project.attach(['exec', ...noTerminal, ...role, 'postgres', ...psql, ...args]);
}

/** One line after another, to an open `redis-cli`. */
export interface CacheShell {
  /** Its arguments, for one command; none for a session. */
  readonly args: readonly string[];
  readonly environment: Environment;
}

/**
 * redis-cli in the container, signed in: the password goes in by its standard input, which it asks for with
 * `--askpass`. What we read ourselves follows. Gives redis-cli's exit code; rejects with `stack-not-running`.
 */
export async function cacheShell(
  layout: StackLayout,
  redis: StackServices['redis'],
  { args, environment }: CacheShell,
): Promise<number> {
  if (redis === undefined) throw elsewhere('the cache', 'REDIS_HOST', 'redis-cli');
  const project = await runningProject(layout, environment, 'redis');
  const cli = 'exec "$(command -v redis-cli valkey-cli | head -n 1)" -s /run/redis/redis.sock --askpass "$@"';
  return project.attach(['exec', '--no-TTY', 'redis', 'sh', '-c', cli, 'redis-cli', ...args], {
    input: `${redis.password}\n`,
  });
}

async function runningProject(
  layout: StackLayout,
  environment: Environment,
  service: string,
): Promise<ComposeProject> {
  const project = await foundProject(layout, environment);
  const container = (await project?.list())?.find((each) => each.service === service);
  if (project !== undefined && container?.state === 'running') return project;
  throw notRunning(`the container of ${service} is not running`);
}

function notRunning(message: string): Failure {
  return new Failure(message, {
    code: 'stack-not-running',
    exitCode: exitCodes.notRunning,
    remedy: 'start it: sudo appliance stack up',
  });
}

function elsewhere(what: string, key: string, program: string): Failure {
  return new Failure(`${what} is not in a container of this host`, {
    code: 'stack-not-configured',
    exitCode: exitCodes.usage,
    remedy: `use ${program} with the server that ${key} names; without ${key} it is embedded`,
  });
}
