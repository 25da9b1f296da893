import { setTimeout as wait } from 'node:timers/promises';
import { composeRevision, choicesFrom, keepChoices, unpackComposeFiles } from './compose-files.ts';
import { composeProject, type Container, type ComposeProject } from './compose.ts';
import { writeContainerSecrets } from './container-secrets.ts';
import { findDocker } from './docker.ts';
import { settleDatabase } from './postgres-role.ts';
import type { StackLayout } from './stack-layout.ts';
import type { StackServices } from './stack-services.ts';
import { exitCodes, Failure, UsageError } from '../../core/errors.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export interface StackUp {
  readonly layout: StackLayout;
  readonly services: StackServices;
  readonly dataFolder: string;
  /** Starts nginx too. */
  readonly front: boolean;
  readonly environment: Environment;
  readonly timeoutMs: number;
  readonly progress: (step: string) => void;
}

const pollMs = 500;

/** Starting what is down or changed, and leaving alone what is up: the same call again changes nothing. */
export async function stackUp(up: StackUp): Promise<readonly Container[]> {
  const { layout, services, environment, progress } = up;
  const names = serviceNames(up);
  const docker = await findDocker(environment);
  const chosen = choicesFrom(environment);
  await unpackComposeFiles(layout.composeFolder);
  const { redisChanged } = await writeContainerSecrets(layout, services, up.dataFolder);
  const project = composeProject(
    docker,
    layout,
    { ...chosen, STACK_REVISION: await composeRevision(layout.composeFolder) },
    up.front,
  );
  await project.fetchImages(names, progress);
  if (services.postgres !== undefined) await checkMajor(project);
  // a later release may have another default for the volume, and the data is in this one
  const volume = services.postgres === undefined ? {} : { POSTGRES_VOLUME: await project.databaseVolume() };
  await keepChoices(layout.composeFolder, { ...chosen, ...volume });
  progress(`starting ${names.join(', ')}`);
  const running = (await project.list()).filter(({ state }) => state === 'running');
  await project.up(names);
  if (redisChanged && running.some(({ service }) => service === 'redis')) {
    progress('restarting redis, whose password is another now');
    await project.restart('redis');
  }
  const containers = await untilHealthy(project, names, up.timeoutMs, progress);
  if (services.postgres !== undefined) await settleDatabase(project, services.postgres);
  return containers;
}

function serviceNames({ services, front }: StackUp): string[] {
  const names = [
    ...(services.postgres === undefined ? [] : ['postgres']),
    ...(services.redis === undefined ? [] : ['redis']),
    ...(front ? ['nginx'] : []),
  ];
  if (names.length > 0) return names;
  throw new Failure('the configuration names no server that runs in a container of this host', {
    code: 'stack-not-configured',
    exitCode: exitCodes.usage,
    remedy: '"appliance secrets init" makes postgres.env and redis.env for the containers',
  });
}

/** Throws the Failure `needs-root`, exit code 2. */
export function mustBeRoot(why: string): void {
  if (process.geteuid?.() === 0) return;
  throw new Failure(`only root can do this: ${why}`, {
    code: 'needs-root',
    exitCode: exitCodes.usage,
    remedy: 'use sudo',
  });
}

/**
 * A server of another major version would start with an empty database beside the old one, in the same volume. Each
 * major version has a volume of its own, whose name ends with its number.
 */
async function checkMajor(project: ComposeProject): Promise<void> {
  const volume = await project.databaseVolume();
  const image = await project.imageOf('postgres');
  const major = await project.variableOf(image, 'PG_MAJOR');
  if (major === undefined || volume.endsWith(`-${major}`)) return;
  throw new UsageError(
    `the image ${image} has PostgreSQL ${major}, and the volume ${volume} holds the data of another version`,
    `stay with POSTGRES_IMAGE=postgres:${/\d+$/.exec(volume)?.[0] ?? 'VERSION'}, or move the data while that runs: ` +
      `sudo appliance stack upgrade-postgres --image ${image}`,
  );
}

/** Waits, and says which are; rejects with `stack-unhealthy` (exit code 3) and the end of the log of one that is not. */
export async function untilHealthy(
  project: ComposeProject,
  names: readonly string[],
  timeoutMs: number,
  progress: (step: string) => void,
): Promise<readonly Container[]> {
  const giveUpAt = performance.now() + timeoutMs;
  const told = new Set<string>();
  for (;;) {
    const containers = (await project.list()).filter(({ service }) => names.includes(service));
    for (const { service, health } of containers) {
      if (health === 'healthy' && !told.has(service)) {
        told.add(service);
        progress(`${service} is healthy`);
      }
    }
    if (told.size === names.length && containers.every(({ health }) => health === 'healthy'))
      return containers;
    const bad = containers.find(
      ({ state, health }) => state === 'restarting' || state === 'exited' || health === 'unhealthy',
    );
    const late = performance.now() > giveUpAt;
    if (bad !== undefined || late) {
      const name = bad?.service ?? names.find((each) => !told.has(each)) ?? names.join(', ');
      const log = await project.lastLines(name);
      throw new Failure(
        late && bad === undefined
          ? `${name} is not healthy after ${Math.round(timeoutMs / 1000)} s`
          : `${name} does not come up (${bad?.status ?? bad?.state ?? 'unknown'})`,
        {
          code: 'stack-unhealthy',
          exitCode: exitCodes.checkFailed,
          retryable: true,
          remedy: `see all it wrote with "appliance stack logs ${name}"`,
          ...(log === '' ? {} : { cause: new Error(`its log ends with:\n${log}`) }),
        },
      );
    }
    await wait(pollMs);
  }
}
