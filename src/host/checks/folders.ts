import { accessSync, constants, lstatSync, type Stats } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type Check, failed, type Finding, ok, skipped } from './check.ts';
import type { DoctorContext } from './doctor-context.ts';
import { modeText, pathsBelow, wrongRights } from './file-rights.ts';
import type { Host } from './host.ts';
import { notRunning } from './service.ts';
import { serviceUnit } from '../install/units.ts';

/** The numbers of the user that the service runs as. */
export function serviceUserOf(host: Host): { readonly uid: number; readonly gid: number } | undefined {
  const line = host
    .text('/etc/passwd')
    ?.split('\n')
    .find((each) => each.startsWith('appliance:'));
  const [, , uid, gid] = line?.split(':') ?? [];
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}

const ownerName = 'appliance:appliance';

/** What root leaves there by mistake, the service cannot change. */
const dataFolder: Check<DoctorContext> = {
  name: 'data-folder',
  title: 'folder of the data',
  run({ host, dataFolder: folder, installed }) {
    const found: Stats | undefined = lstatSync(folder, { throwIfNoEntry: false });
    const make = `sudo install -d -o appliance -g appliance -m 0750 ${folder}`;
    if (found === undefined)
      return installed ? failed(`${folder} is missing`, make) : ok('is still to be made');
    if (!found.isDirectory())
      return failed(`${folder} is no folder`, `sudo mv ${folder} ${folder}.other && ${make}`);
    try {
      accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EROFS') throw error;
      return failed(
        `${folder} may not be written: its disk is mounted for reading only`,
        `findmnt -T ${folder}`,
      );
    }
    const user = installed ? serviceUserOf(host) : { uid: found.uid, gid: found.gid };
    if (user === undefined)
      return failed(
        'the user appliance is missing',
        'sudo useradd --system --shell /usr/sbin/nologin appliance',
      );
    const wrong = wrongRights(folder, { forbidden: 0o027, mode: 0o750, owners: [user.uid], ownerName });
    if (wrong !== undefined) return failed(wrong.words, wrong.remedy);
    for (const path of pathsBelow(folder, 4)) {
      if (path.startsWith(join(folder, 'stack'))) continue;
      const inside = lstatSync(path, { throwIfNoEntry: false });
      if (inside === undefined || inside.uid === user.uid) continue;
      return failed(
        `${path} belongs to user ${inside.uid}, and the service cannot change it`,
        `sudo chown -R ${installed ? ownerName : user.uid} ${folder}`,
      );
    }
    return ok(`${folder}, mode ${modeText(found)}`);
  },
};

const runFolder: Check<DoctorContext> = {
  name: 'run-folder',
  title: 'folder of the control socket',
  run({ host, runFolder: folder, installed }) {
    const found = lstatSync(folder, { throwIfNoEntry: false });
    const restart = 'sudo systemctl restart appliance';
    if (found === undefined) return skipped(`${folder} is not there: the service makes it when it starts`);
    const user = installed ? serviceUserOf(host) : undefined;
    const wrong = wrongRights(folder, {
      forbidden: 0o077,
      mode: 0o700,
      ...(user === undefined ? {} : { owners: [user.uid] }),
      ownerName,
    });
    if (wrong === undefined) return ok(`${folder}, mode ${modeText(found)}`);
    return failed(wrong.words, installed ? `${wrong.remedy}, or: ${restart}` : wrong.remedy);
  },
};

const controlSocket: Check<DoctorContext> = {
  name: 'control-socket',
  title: 'control socket',
  async run(context): Promise<Finding> {
    const { host, runFolder: folder, installed } = context;
    const path = join(folder, 'control.sock');
    const found = lstatSync(path, { throwIfNoEntry: false });
    const restart = 'sudo systemctl restart appliance';
    if (found === undefined && !(await isUp(context))) return notRunning;
    if (found === undefined) return failed(`${path} is missing: no command reaches the service`, restart);
    if (!found.isSocket()) return failed(`${path} is no socket`, `sudo rm ${path} && ${restart}`);
    const user = installed ? serviceUserOf(host) : undefined;
    const wrong = wrongRights(path, {
      forbidden: 0o177,
      mode: 0o600,
      ...(user === undefined ? {} : { owners: [user.uid] }),
      ownerName,
    });
    if (wrong !== undefined) return failed(wrong.words, wrong.remedy);
    return (await answers(path)) ? ok(path) : failed(`nobody answers on ${path}`, restart);
  },
};

/** Whether systemd takes the service for running, whether or not its socket is there. */
async function isUp(context: DoctorContext): Promise<boolean> {
  return ((await context.units()).get(serviceUnit)?.mainPid ?? 0) !== 0;
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(true)).once('connect', () => socket.destroy());
    socket.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EACCES' ? reject(error) : resolve(false),
    );
  });
}

export const folderChecks: readonly Check<DoctorContext>[] = [dataFolder, runFolder, controlSocket];
