import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomically } from '../../core/atomic-file.ts';
import { exitCodes, Failure, UsageError } from '../../core/errors.ts';
import { readTextFile } from '../../core/text-file.ts';
import { composeRevision, keepChoices, settleFolder } from './compose-files.ts';
import { type ComposeProject, composeProject } from './compose.ts';
import { type Docker, findDocker } from './docker.ts';
import { copyPostgres } from './postgres-copy.ts';
import { settleDatabase, setLogin } from './postgres-role.ts';
import { containerUser, type StackLayout } from './stack-layout.ts';
import { mustBeRoot, stackUp, type StackUp, untilHealthy } from './stack.ts';

export interface PostgresUpgrade extends StackUp {
  /** `postgres:19.1-trixie` */
  readonly image: string;
}

/** What an upgrade leaves. */
export interface PostgresUpgraded {
  readonly oldVolume: string;
  readonly newVolume: string;
}

/**
 * Moves PostgreSQL to a newer major version: a second server, hardened like the first, fills a volume of its own with a
 * dump of the first, whose clients are kept out meanwhile; rows are counted; then the new one takes its place. The old
 * volume stays. Whoever is killed on the way leaves the old server as it was, or kept from its clients until the next
 * `stack up`; the same call starts over.
 */
export async function upgradePostgres(upgrade: PostgresUpgrade): Promise<PostgresUpgraded> {
  const { layout, services, environment, image, progress } = upgrade;
  mustBeRoot('the containers are');
  if (services.postgres === undefined)
    throw new UsageError('the database is not in a container of this host');
  const { role } = services.postgres;
  const docker = await findDocker(environment);
  const project = composeProject(docker, layout, {}, false);
  const current = (await project.list()).find(({ service }) => service === 'postgres');
  if (current?.health !== 'healthy') {
    throw new Failure('the container of postgres is not running', {
      code: 'stack-not-running',
      exitCode: exitCodes.notRunning,
      remedy: 'start it: sudo appliance stack up',
    });
  }
  const oldVolume = await project.databaseVolume();
  const newVolume = await volumeFor(project, image, current.image, oldVolume, progress);
  await makeVolume(docker, layout, newVolume, current.name);

  const next = await nextServer(docker, layout, image, newVolume, current.name);
  try {
    progress(`starting ${image} beside it`);
    await next.project.up(['postgres']);
    const [started] = await untilHealthy(next.project, ['postgres'], upgrade.timeoutMs, () => {});
    progress('keeping the service from its database; it answers without');
    await setLogin(project, role, false);
    await copyPostgres({
      docker,
      from: { container: current.name },
      to: { container: started?.name ?? '' },
      oldSocketFolder: '/run/old-postgres',
      progress,
    });
    await settleDatabase(next.project, services.postgres);
  } catch (error) {
    await next.project.down().catch(() => undefined);
    await setLogin(project, role, true).catch(() => undefined);
    await docker.run(['volume', 'rm', newVolume]);
    await rm(journalPath(layout), { force: true });
    throw error;
  } finally {
    await rm(next.override, { force: true });
  }
  await next.project.down();
  // from here on the volume is whole, and no later run may take it for one that it can throw away
  await rm(journalPath(layout), { force: true });
  await keepChoices(layout.composeFolder, { POSTGRES_IMAGE: image, POSTGRES_VOLUME: newVolume });
  await stackUp(upgrade);
  return { oldVolume, newVolume };
}

/** The name of the volume that is being filled, until it is in use. */
function journalPath({ composeFolder }: StackLayout): string {
  return join(composeFolder, '.upgrade');
}

async function volumeFor(
  project: ComposeProject,
  image: string,
  currentImage: string,
  oldVolume: string,
  progress: (step: string) => void,
): Promise<string> {
  await project.fetchImage(image, progress);
  const [from, to] = [
    await project.variableOf(currentImage, 'PG_MAJOR'),
    await project.variableOf(image, 'PG_MAJOR'),
  ];
  if (from === undefined || to === undefined) {
    throw new UsageError(
      `${to === undefined ? image : currentImage} is not an official image of PostgreSQL`,
      'take postgres:VERSION',
    );
  }
  if (Number(to) <= Number(from)) {
    throw new UsageError(
      `${image} has PostgreSQL ${to}, which is no newer major version than ${from}`,
      `for another ${from}, POSTGRES_IMAGE=${image} appliance stack up`,
    );
  }
  return `${oldVolume.replace(/-\d+$/, '')}-${to}`;
}

/** A volume that an interrupted upgrade was filling is made anew; any other may hold what somebody needs. */
async function makeVolume(
  docker: Docker,
  layout: StackLayout,
  volume: string,
  container: string,
): Promise<void> {
  if ((await readTextFile(journalPath(layout))).text === volume) {
    await docker.run(['rm', '--force', nextName(container)]);
    await docker.run(['volume', 'rm', volume]);
  }
  if ((await docker.run(['volume', 'inspect', volume])).exitCode === 0) {
    throw new UsageError(
      `there is a volume ${volume} already`,
      `if nobody needs what it holds: docker volume rm ${volume}`,
    );
  }
  await writeFileAtomically(journalPath(layout), volume, 0o644);
  const project = container.replace(/-postgres-\d+$/, '');
  const labels = [
    '--label',
    `com.docker.compose.project=${project}`,
    '--label',
    'com.docker.compose.volume=postgres',
  ];
  await docker.run(['volume', 'create', ...labels, volume]);
}

function nextName(container: string): string {
  return `${container}-next`;
}

/** The same service once more: another project, with a folder for its socket, and the old server's within reach. */
async function nextServer(
  docker: Docker,
  layout: StackLayout,
  image: string,
  volume: string,
  container: string,
) {
  const socketsFolder = join(layout.socketsFolder, 'next');
  await settleFolder(socketsFolder, 0o700, { uid: 0, gid: 0 });
  await settleFolder(join(socketsFolder, 'postgres'), 0o755, containerUser);
  const override = join(layout.composeFolder, '.upgrade.yaml');
  const mount = {
    type: 'bind',
    source: layout.postgresHost.replaceAll('$', '$$$$'),
    target: '/run/old-postgres',
    bind: { create_host_path: false },
  };
  const service = { container_name: nextName(container), restart: 'no', volumes: [mount] };
  await writeFileAtomically(override, JSON.stringify({ services: { postgres: service } }), 0o644);
  const variables = {
    COMPOSE_PROJECT_NAME: `${container.replace(/-postgres-\d+$/, '')}-next`,
    POSTGRES_IMAGE: image,
    POSTGRES_VOLUME: volume,
    STACK_REVISION: await composeRevision(layout.composeFolder),
  };
  return {
    override,
    project: composeProject(docker, { ...layout, socketsFolder }, variables, false, [override]),
  };
}
