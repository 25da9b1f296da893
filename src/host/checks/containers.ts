import { composeRevision, readChoices } from '../stack/compose-files.ts';
import { stackLayout } from '../stack/stack-layout.ts';
import { countText } from '../../core/count-text.ts';
import { readAsset } from '../../core/assets.ts';
import { type Check, failed, type Finding, ok, skipped, warning } from './check.ts';
import type { Container } from './container-facts.ts';
import type { DoctorContext } from './doctor-context.ts';

const up = 'sudo appliance stack up';
const manyRestarts = 3;

/** A question of the containers; skipped where there are to be none. */
function ofContainers(
  name: string,
  title: string,
  judge: (containers: readonly Container[], context: DoctorContext) => Promise<Finding> | Finding,
): Check<DoctorContext> {
  return {
    name,
    title,
    async run(context) {
      if (!context.containers) return skipped('database and cache are not containers here');
      return judge(await context.ownContainers(), context);
    },
  };
}

/** Those that the configuration wants. */
function wantedServices({ configuration: { values }, installed, dataFolder }: DoctorContext): string[] {
  const layout = stackLayout({ installed, dataDir: dataFolder });
  return [
    ...(values.postgresHost === layout.postgresHost ? ['postgres'] : []),
    ...(values.redisHosts?.[0] === layout.redisSocket ? ['redis'] : []),
  ];
}

/** Failed where some are wanted and were never made, or were removed: of them nothing else can be said. */
function missingOf(containers: readonly Container[], context: DoctorContext): Finding | undefined {
  const missing = wantedServices(context).filter(
    (service) => !containers.some((each) => each.service === service),
  );
  return missing.length === 0 ? undefined : failed(`there is no container of ${missing.join(', ')}`, up);
}

const runningContainers = ofContainers('containers', 'containers', (containers, context) => {
  const missing = missingOf(containers, context);
  if (missing !== undefined) return missing;
  const down = containers.filter(({ state }) => state !== 'running');
  if (down.length > 0) {
    return failed(down.map(({ service, state }) => `${service} is ${state}`).join(', '), up);
  }
  return ok(
    `${containers.map(({ service }) => service).join(', ')} ${containers.length === 1 ? 'runs' : 'run'}`,
  );
});

const health = ofContainers('container-health', 'health of containers', (containers, context) => {
  const missing = missingOf(containers, context);
  if (missing !== undefined) return missing;
  const ill = containers.filter(({ health }) => health !== undefined && health !== 'healthy');
  const bad = ill.find(({ health }) => health === 'unhealthy');
  if (bad !== undefined) {
    return failed(
      `${bad.service} is unhealthy`,
      `see why: sudo appliance stack logs ${bad.service} --tail 50; then: sudo docker restart ${bad.name}`,
    );
  }
  const restless = containers.find(({ restarts }) => restarts >= manyRestarts);
  if (restless !== undefined) {
    return warning(
      `${restless.service} was started again ${countText(restless.restarts, 'time')}`,
      `sudo appliance stack logs ${restless.service} --tail 50`,
    );
  }
  const [starting] = ill;
  return starting === undefined
    ? ok('all are healthy')
    : warning(`${starting.service} is ${starting.health}`, 'wait a minute, then ask again');
});

/** The image that each service is to run: chosen, or the one that this release pins. */
async function pinnedImages({ installed, dataFolder }: DoctorContext): Promise<ReadonlyMap<string, string>> {
  const { composeFolder } = stackLayout({ installed, dataDir: dataFolder });
  const chosen: Readonly<Record<string, string | undefined>> = await readChoices(composeFolder);
  const text = readAsset('compose/compose.yaml').toString('utf8');
  const pins = text.matchAll(/image: \$\{(([A-Z]+)_IMAGE):-([^}]+)\}/g);
  return new Map(
    [...pins].map(([, key = '', name = '', image = '']) => [name.toLowerCase(), chosen[key] ?? image]),
  );
}

const images = ofContainers('container-images', 'images of containers', async (containers, context) => {
  const missing = missingOf(containers, context);
  if (missing !== undefined) return missing;
  const pinned = await pinnedImages(context);
  for (const { service, image, imageId } of containers) {
    const wanted = pinned.get(service);
    if (wanted === undefined) continue;
    if (image !== wanted) return failed(`${service} runs ${image}, and ${wanted} is pinned`, up);
    const found = await context.host.run('docker', ['image', 'inspect', '--format', '{{.Id}}', wanted]);
    if (found.exitCode === 0 && found.stdout.trim() !== imageId) {
      return failed(`${service} runs an older ${wanted} than is on this host`, up);
    }
  }
  const { composeFolder } = stackLayout({ installed: context.installed, dataDir: context.dataFolder });
  const revision = await composeRevision(composeFolder);
  const old = containers.find((each) => each.revision !== undefined && each.revision !== revision);
  if (old !== undefined) {
    return warning(`${old.service} was made by another release, or by hand`, up);
  }
  return ok('are those that are pinned');
});

/** What docker publishes goes past ufw: the whole network would be let in. */
const published = ofContainers('container-ports', 'ports of containers', (containers) => {
  const open = containers.flatMap(({ service, published }) =>
    published.filter((each) => /^(|0\.0\.0\.0|::):/.test(each)).map((each) => `${service} (${each})`),
  );
  if (open.length === 0) return ok('none is open to the network');
  return failed(
    `docker opens to every network, past the firewall: ${open.join(', ')}`,
    `take "ports:" out of the compose files in /etc/appliance/compose, then: ${up}`,
  );
});

export const containerChecks: readonly Check<DoctorContext>[] = [
  runningContainers,
  health,
  images,
  published,
];
