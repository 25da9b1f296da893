import { existsSync } from 'node:fs';
import { totalmem } from 'node:os';
import { freeBytes } from '../../core/disk-room.ts';
import { version } from '../../core/version.ts';
import { installedReleases, releaseBinary } from '../install/releases.ts';
import { type Check, failed, type HostContext, ok, warning } from './check.ts';
import type { Host } from './host.ts';

const mb = 1_000_000;
const programRoom = 400 * mb;
const dataRoom = 300 * mb;
const imagesRoom = 1500 * mb;

/** Room for what an install brings: the program twice, data, images; for what is there already none is wanted. */
const installRoom: Check = {
  name: 'disk-room',
  title: 'room on the disks',
  async run({ host, dataFolder, containers, images }) {
    const isPlaced = existsSync(host.path(releaseBinary(installedReleases, version)));
    const imagesFolder = containers ? await folderOfMissingImages(host, images ?? []) : undefined;
    const wanted = [
      ...(isPlaced ? [] : [{ folder: '/usr/local/lib', bytes: programRoom }]),
      { folder: dataFolder, bytes: dataRoom },
      ...(imagesFolder === undefined ? [] : [{ folder: imagesFolder, bytes: imagesRoom }]),
    ];
    const lacking: string[] = [];
    for (const { folder, bytes } of wanted) {
      const free = await freeBytes(host.path(folder));
      if (free < bytes)
        lacking.push(`${folder} has ${Math.floor(free / mb)} MB free and needs ${bytes / mb} MB`);
    }
    if (lacking.length === 0) return ok('there is room for all of it');
    return failed(
      lacking.join('; '),
      'see what takes it: df -h; sudo du -xh --max-depth=2 / | sort -h | tail',
    );
  },
};

const askMs = 4000;

/** Where Docker will keep them, which its owner may have moved; undefined where all of them are there. */
async function folderOfMissingImages(host: Host, images: readonly string[]): Promise<string | undefined> {
  const [info, found] = await Promise.all([
    host.run('docker', ['info', '--format', '{{.DockerRootDir}}'], askMs),
    host.run('docker', ['image', 'inspect', '--format', '{{.Id}}', ...images], askMs),
  ]);
  if (images.length > 0 && found.exitCode === 0) return undefined;
  const folder = info.stdout.trim();
  return info.exitCode === 0 && folder.startsWith('/') ? folder : '/var/lib/docker';
}

const leastMemory = 400 * mb;
const containersMemory = 900 * mb;

const memory: Check<Pick<HostContext, 'containers'>> = {
  name: 'memory-size',
  title: 'memory',
  run({ containers }) {
    const total = totalmem();
    const found = `${Math.round(total / mb)} MB of memory`;
    if (total >= (containers ? containersMemory : leastMemory)) return ok(found);
    return warning(
      `${found} are few`,
      containers
        ? 'take a larger host, or --no-containers, which needs less'
        : 'take a larger host, or add swap space',
    );
  },
};

export const roomChecks: readonly Check[] = [installRoom, memory];
