import { Failure } from '../../core/errors.ts';
import type { Host } from './host.ts';

/** A container of our project as docker has it. */
export interface Container {
  readonly service: string;
  readonly name: string;
  /** Docker's word: running, exited, restarting, … */
  readonly state: string;
  /** healthy, unhealthy, starting; undefined where it has no such check. */
  readonly health: string | undefined;
  /** The name that it was made from, and the id that this name had then. */
  readonly image: string;
  readonly imageId: string;
  /** The revision of the compose file that it was made by. */
  readonly revision: string | undefined;
  /** How often docker started it again. */
  readonly restarts: number;
  /** `ADDRESS:PORT` of this host, for each port that is published. */
  readonly published: readonly string[];
}

interface Inspected {
  readonly Name: string;
  readonly Image: string;
  readonly RestartCount: number;
  readonly State: { readonly Status: string; readonly Health?: { readonly Status: string } };
  readonly Config: { readonly Image: string; readonly Labels: Readonly<Record<string, string>> };
  readonly HostConfig: {
    readonly PortBindings?: Readonly<Record<string, readonly { HostIp: string; HostPort: string }[] | null>>;
  };
}

const project = 'appliance';

/** Rejects with the Failure `docker-failed` where docker does not tell. */
export async function readContainers(host: Host): Promise<readonly Container[]> {
  const filter = `label=com.docker.compose.project=${project}`;
  const listed = await host.run('docker', ['ps', '--all', '--quiet', '--no-trunc', '--filter', filter]);
  if (listed.exitCode !== 0) throw failure(listed.stderr);
  const ids = listed.stdout.split('\n').filter((id) => id !== '');
  if (ids.length === 0) return [];
  const inspected = await host.run('docker', ['inspect', ...ids]);
  // one that went away in between is missing, and the others are there
  if (inspected.stdout.trim() === '') throw failure(inspected.stderr);
  const found = JSON.parse(inspected.stdout) as readonly Inspected[];
  return found.map(containerOf).sort((a, b) => (a.service < b.service ? -1 : 1));
}

function containerOf({ Name, Image, RestartCount, State, Config, HostConfig }: Inspected): Container {
  const bindings = Object.values(HostConfig.PortBindings ?? {}).flatMap((list) => list ?? []);
  return {
    service: Config.Labels['com.docker.compose.service'] ?? Name.slice(1),
    name: Name.slice(1),
    state: State.Status,
    health: State.Health?.Status,
    image: Config.Image,
    imageId: Image,
    revision: Config.Labels['appliance.revision'],
    restarts: RestartCount,
    published: bindings.map(({ HostIp, HostPort }) => `${HostIp}:${HostPort}`),
  };
}

function failure(stderr: string): Failure {
  const why = stderr.trim().split('\n').at(-1) ?? '';
  const denied = /permission denied/i.test(why);
  return new Failure(denied ? 'this user may not ask docker' : 'docker does not tell of its containers', {
    code: denied ? 'docker-denied' : 'docker-failed',
    remedy: denied ? 'use sudo' : 'sudo systemctl restart docker',
    cause: new Error(why),
  });
}
