import { join } from 'node:path';
import { exitCodes, Failure } from '../../core/errors.ts';
import type { Docker, DockerRun } from './docker.ts';
import type { StackLayout } from './stack-layout.ts';

/** A container of the project as it is now. */
export interface Container {
  readonly service: string;
  readonly name: string;
  readonly image: string;
  /** Docker's word: running, exited, restarting, … */
  readonly state: string;
  /** healthy, unhealthy, starting; undefined where it does not run. */
  readonly health: string | undefined;
  /** Docker's sentence: `Up 2 hours (healthy)`. */
  readonly status: string;
}

/** The compose project of this host. Each call rejects with the Failure `docker-failed` where docker refuses. */
export interface ComposeProject {
  /** Pulls the images that are not here. Rejects with `image-missing` where that cannot be done. */
  fetchImage(image: string, progress: (step: string) => void): Promise<void>;
  fetchImages(services: readonly string[], progress: (step: string) => void): Promise<void>;
  imageOf(service: string): Promise<string>;
  /** The name of the volume with the data of PostgreSQL. */
  databaseVolume(): Promise<string>;
  /** A variable that the image itself sets. */
  variableOf(image: string, name: string): Promise<string | undefined>;
  up(services: readonly string[]): Promise<void>;
  /** Volumes stay. */
  down(): Promise<void>;
  restart(service: string): Promise<void>;
  list(): Promise<readonly Container[]>;
  lastLines(service: string): Promise<string>;
  /** Runs a program in a running container with that input, and gives what it printed. */
  execute(service: string, command: readonly string[], input: string): Promise<string>;
  /** Any of docker compose's own commands, with our terminal. */
  attach(args: readonly string[], run?: DockerRun): Promise<number>;
}

const linesShown = 15;

/** `variables` are the compose file's; none of them is a secret. */
export function composeProject(
  docker: Docker,
  layout: StackLayout,
  variables: Readonly<Record<string, string>>,
  front: boolean,
  /** Further compose files, over the first. */
  overrides: readonly string[] = [],
): ComposeProject {
  const folder = layout.composeFolder;
  const environment = {
    ...variables,
    STACK_SECRETS: layout.secretsFolder,
    STACK_SOCKETS: layout.socketsFolder,
  };
  const compose = (...args: readonly string[]): string[] => {
    const profile = front ? ['--profile', 'front'] : [];
    return [
      'compose',
      '--project-directory',
      folder,
      '--file',
      join(folder, 'compose.yaml'),
      ...overrides.flatMap((file) => ['--file', file]),
      ...profile,
      ...args,
    ];
  };
  const run = async (args: readonly string[], input?: string): Promise<string> => {
    const result = await docker.run(args, { environment, ...(input === undefined ? {} : { input }) });
    if (result.exitCode === 0) return result.stdout;
    throw refused(result.stderr);
  };
  const config = async (): Promise<ComposeConfig> =>
    JSON.parse(await run(compose('--profile', 'front', 'config', '--format', 'json'))) as ComposeConfig;
  const imageOf = async (service: string): Promise<string> => (await config()).services[service]?.image ?? '';
  const fetchImage = async (image: string, progress: (step: string) => void): Promise<void> => {
    if ((await docker.run(['image', 'inspect', '--format', '{{.Id}}', image])).exitCode === 0) return;
    progress(`fetching ${image}`);
    const pulled = await docker.run(['pull', '--quiet', image]);
    if (pulled.exitCode === 0) return;
    throw new Failure(`the image ${image} is not here and cannot be fetched`, {
      code: 'image-missing',
      exitCode: exitCodes.checkFailed,
      retryable: true,
      remedy: `on a host that can, "docker pull ${image} && docker save ${image} -o FILE"; here "docker load -i FILE", or "appliance install --images FILE"; where nothing is kept in containers yet, "appliance install --no-containers" does without`,
      cause: new Error(lastLine(pulled.stderr)),
    });
  };
  return {
    imageOf,
    databaseVolume: async () => (await config()).volumes['postgres']?.name ?? '',
    fetchImage,
    async fetchImages(services, progress) {
      for (const service of services) await fetchImage(await imageOf(service), progress);
    },
    async variableOf(image, name) {
      const variables = JSON.parse(
        await run(['image', 'inspect', '--format', '{{json .Config.Env}}', image]),
      ) as string[] | null;
      return variables?.find((each) => each.startsWith(`${name}=`))?.slice(name.length + 1);
    },
    up: async (services) =>
      void (await run(compose('up', '--detach', '--no-build', '--pull', 'never', ...services))),
    down: async () => void (await run(compose('--profile', 'front', 'down'))),
    restart: async (service) => void (await run(compose('restart', service))),
    list: async () =>
      containersIn(await run(compose('--profile', 'front', 'ps', '--all', '--format', 'json'))),
    async lastLines(service) {
      const lines = ['logs', '--no-color', '--no-log-prefix', '--tail', String(linesShown), service];
      const { stdout, stderr } = await docker.run(compose('--profile', 'front', ...lines), { environment });
      return (stdout + stderr).replaceAll('\u001b[2K', '').trim();
    },
    execute: (service, command, input) => run(compose('exec', '--no-TTY', service, ...command), input),
    attach: (args, options = {}) => docker.attach(compose(...args), { ...options, environment }),
  };
}

interface ComposeConfig {
  readonly services: Readonly<Record<string, { readonly image: string }>>;
  readonly volumes: Readonly<Record<string, { readonly name: string }>>;
}

interface PsLine {
  readonly Service: string;
  readonly Name: string;
  readonly Image: string;
  readonly State: string;
  readonly Health?: string;
  readonly Status?: string;
}

/** One object a line, or a list of them, as older releases print it. */
function containersIn(output: string): Container[] {
  const text = output.trim();
  const lines = text.startsWith('[') ? [text] : text.split('\n').filter((line) => line !== '');
  return lines
    .flatMap((line) => JSON.parse(line) as PsLine | PsLine[])
    .map(({ Service, Name, Image, State, Health, Status }) => ({
      service: Service,
      name: Name,
      image: Image,
      state: State,
      health: Health || undefined,
      status: Status ?? '',
    }))
    .sort((a, b) => (a.service < b.service ? -1 : 1));
}

function refused(stderr: string): Failure {
  return new Failure(`docker refused: ${lastLine(stderr)}`, {
    code: 'docker-failed',
    remedy: 'see "journalctl --unit docker" for more',
  });
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
