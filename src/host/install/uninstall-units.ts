import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../../core/errors.ts';
import { installedReleases } from './releases.ts';
import { lookAt, removeFile, removeFolder } from './removal.ts';
import { unitKind } from './unit-kind.ts';
import { allUnits, backupTimer, stackUnit, unitsFolder } from './units.ts';
import type { UninstallOptions, UninstallPart, UninstallStep } from './uninstall.ts';

/** Who starts others is stopped before them. */
const unitNames = [
  backupTimer,
  ...allUnits.filter((name) => ![backupTimer, stackUnit].includes(name)),
  stackUnit,
];

/** When the timer last came, which systemd keeps for itself. */
const stamp = '/var/lib/systemd/timers/stamp-appliance-backup.timer';
/** PostgreSQL gets a minute to end, and units wait for each other. */
const stopMs = 180_000;
const askMs = 20_000;

/** Stops what runs, takes the files of the units away, with the links by which they are enabled. */
export async function removeUnits({ purge, run, root = '' }: UninstallOptions): Promise<UninstallPart> {
  const folder = root + unitsFolder;
  const stays: string[] = [];
  const ours: string[] = [];
  for (const name of unitNames) {
    const kind = await unitKind(join(folder, name));
    if (kind !== 'foreign') ours.push(name);
    else
      stays.push(
        `${unitsFolder}/${name}: it does not run ${installedReleases.link}, so it is not the appliance's`,
      );
  }
  // a timer says nothing of the program: it goes with its service
  if (ours.includes(backupTimer) && !ours.includes('appliance-backup.service'))
    ours.splice(ours.indexOf(backupTimer), 1);

  const active = async (): Promise<readonly string[]> => {
    const shown = await run('systemctl', ['show', '--property=Id,ActiveState', ...ours], {
      timeoutMs: askMs,
    });
    if (shown.exitCode !== 0) return [];
    const idle = /^ActiveState=(inactive|failed)$/m;
    const found = shown.stdout.split('\n\n').filter((block) => block.includes('Id=') && !idle.test(block));
    return found.flatMap((block) => ours.filter((name) => block.split('\n').includes(`Id=${name}`)));
  };
  const files = async (): Promise<readonly string[]> => {
    const dropIns = ours.map((name) => join(folder, `${name}.d`));
    const all = [
      ...ours.map((name) => join(folder, name)),
      ...(await enablingLinks(folder, ours)),
      ...(ours.includes(backupTimer) ? [root + stamp] : []),
      ...(purge ? dropIns : []),
    ];
    const found = await Promise.all(all.map(async (path) => ((await lookAt(path)) ? [path] : [])));
    return found.flat();
  };

  const steps: UninstallStep[] = [];
  const running = await active();
  if (running.length > 0) {
    steps.push({
      name: 'stop-units',
      does: `stop ${running.join(', ')}`,
      async run() {
        const names = await active();
        if (names.length === 0) return [];
        const stop = () => run('systemctl', ['stop', ...names], { timeoutMs: stopMs });
        if ((await stop()).exitCode === 0) return [];
        await run('systemctl', ['kill', '--signal=SIGKILL', ...names], { timeoutMs: askMs });
        const again = await stop();
        if (again.exitCode === 0) return [];
        throw new Failure(`${names.join(', ')} cannot be stopped`, {
          code: 'unit-not-stopped',
          remedy: `see what it says: systemctl status ${names.join(' ')}`,
          cause: new Error(again.stderr.trim()),
        });
      },
    });
  }
  const there = await files();
  if (there.length > 0) {
    steps.push({
      name: 'remove-units',
      does: `remove ${there.map((path) => path.slice(root.length)).join(', ')}`,
      async run() {
        const left: string[] = [];
        for (const path of await files()) {
          if (path.endsWith('.d')) left.push(...(await removeFolder(path, run)));
          else await removeFile(path);
        }
        // without systemd there is nobody to be told
        await run('systemctl', ['daemon-reload'], { timeoutMs: stopMs });
        await run('systemctl', ['reset-failed', ...ours], { timeoutMs: askMs });
        return left.map((path) => `${path}: something is mounted there`);
      },
    });
  }
  if (!purge) {
    for (const name of ours) {
      if (await lookAt(join(folder, `${name}.d`)))
        stays.push(`${unitsFolder}/${name}.d: your changes of the unit`);
    }
  }
  return { steps, stays };
}

/** What `systemctl enable` made, which stays when a unit's file is gone. */
async function enablingLinks(folder: string, names: readonly string[]): Promise<readonly string[]> {
  const folders = await readdir(folder).catch((): string[] => []);
  return folders
    .filter((each) => /\.(wants|requires|upholds)$/.test(each))
    .flatMap((each) => names.map((name) => join(folder, each, name)));
}
