import { readdir } from 'node:fs/promises';
import type { runProgram } from '../run-program.ts';

/** What Compose marks all that it makes with. */
const project = 'label=com.docker.compose.project=appliance';
/** Where Docker keeps volumes by default, also while it is not installed. */
export const volumesFolder = '/var/lib/docker/volumes';
const missing = 127;
const askMs = 20_000;

export interface KeptOptions {
  /** The volume that was chosen on this host, where one was. */
  readonly chosenVolume: string | undefined;
  readonly run: typeof runProgram;
  readonly folder?: string;
}

/** The volumes of ours that lie where Docker keeps them, for when it cannot be asked. */
export async function volumesOnDisk(
  folder = volumesFolder,
  isOurs = hasUsualName,
): Promise<readonly string[]> {
  return (await readdir(folder).catch((): string[] => [])).filter(isOurs);
}

const hasUsualName = (name: string): boolean => /^appliance-postgres-\d+$/.test(name);

/** Whether containers or volumes of ours are on this host, as a sentence; undefined where there is none. Changes nothing. */
export async function keptInContainers(options: KeptOptions): Promise<string | undefined> {
  const { chosenVolume, run, folder = volumesFolder } = options;
  const isOurs = (name: string) => name === chosenVolume || hasUsualName(name);
  const engine = await run('docker', ['version', '--format', '{{.Server.Version}}'], { timeoutMs: askMs });
  if (engine.exitCode === missing) {
    const left = await volumesOnDisk(folder, isOurs);
    return left.length === 0 ? undefined : `Docker is gone, and its volume ${left.join(', ')} is there`;
  }
  const asked = [
    ['container', 'ls', '--all', '--filter', project, '--format', '{{.Names}}'],
    ['volume', 'ls', '--quiet', '--filter', project],
    ['volume', 'ls', '--quiet'],
  ];
  const answers = await Promise.all(asked.map((args) => run('docker', args, { timeoutMs: askMs })));
  if (answers.some(({ exitCode }) => exitCode !== 0))
    return 'Docker does not answer, so nobody can tell what it keeps';
  const [containers = [], marked = [], all = []] = answers.map(({ stdout }) =>
    stdout.split('\n').filter((line) => line !== ''),
  );
  const volumes = [...new Set([...marked, ...all.filter(isOurs)])];
  const found = [
    ...(containers.length > 0 ? [`containers (${containers.join(', ')})`] : []),
    ...(volumes.length > 0 ? [`the volume ${volumes.join(', ')}`] : []),
  ];
  return found.length === 0 ? undefined : `this host keeps its state in ${found.join(' and ')} already`;
}
