import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isTemporaryName } from '../../core/atomic-file.ts';
import { Failure } from '../../core/errors.ts';
import { secretsFiles } from '../stack/secrets-files.ts';
import { readAccounts, type User } from './accounts.ts';
import { andForeign, lookAt, removeFolder } from './removal.ts';
import type { UninstallOptions, UninstallPart, UninstallStep } from './uninstall.ts';

const userName = 'appliance';
const configuration = '/etc/appliance';
const data = '/var/lib/appliance';
const lastUpgradeName = 'last-upgrade.json';
/** login.defs(5): SYS_UID_MAX of Debian and Ubuntu. */
const lastSystemNumber = 999;
const marksOfData = ['certificates', 'geoip', 'backups', 'www', 'stack', 'state.sqlite'];
/** One of these lies in the folder of every appliance, from the first start on. */
const marks: Readonly<Record<string, readonly string[]>> = {
  [configuration]: ['secrets', 'compose', 'stack'],
  [data]: marksOfData,
};

/** What the appliance makes in each. */
const ownNames: Readonly<Record<string, readonly string[]>> = {
  [configuration]: ['secrets', 'compose', 'stack'],
  [join(configuration, 'secrets')]: [...secretsFiles, 'acme-ca.pem'],
  [data]: [...marksOfData, 'disk-alert.json', lastUpgradeName],
};

/** What only goes when it is asked for: data, secrets, and the user whose they are. */
export async function removeData({
  purge,
  dataFolder,
  run,
  root = '',
}: UninstallOptions): Promise<UninstallPart> {
  const accounts = await readAccounts(root);
  const user = accounts.users.find(({ name }) => name === userName);
  const isOurUser = user !== undefined && (await isService(user, root));
  const steps: UninstallStep[] = [];
  const stays: string[] = [];

  /** The service's own, or with what only the appliance has where it is root's or of a number that nobody has any more. */
  const isOurs = async (path: string): Promise<boolean> => {
    const found = await lookAt(root + path);
    if (found === undefined || !found.isDirectory()) return false;
    const owner = accounts.users.find(({ uid }) => uid === found.uid);
    if (owner !== undefined && owner === user) return isOurUser;
    const names = await readdir(root + path);
    const hasMark = names.length === 0 || names.some((name) => marks[path]?.includes(name));
    return hasMark && (owner === undefined || owner.uid === process.geteuid?.());
  };
  const removal = (name: string, path: string, what: string): UninstallStep => ({
    name,
    does: `delete ${path}: ${what}`,
    async run() {
      const left = await removeFolder(root + path, run);
      return left.map((each) => `${each}: something is mounted there`);
    },
  });

  const folders = [
    ['remove-data', data, 'visits, people, certificates with their keys, backups'],
    ['remove-configuration', configuration, 'configuration, passwords, keys'],
  ] as const;
  for (const [name, path, usual] of folders) {
    if ((await lookAt(root + path)) === undefined) continue;
    if (!(await isOurs(path)))
      stays.push(`${path}: it does not look like the appliance's, or is another user's`);
    else if (purge) steps.push(removal(name, path, `${usual}${andForeign(await ofOthers(root, path))}`));
    else {
      stays.push(`${path}: ${usual}`);
      const cutOff = path === data ? await halfWritten(root + data) : [];
      if (cutOff.length > 0)
        steps.push({
          name: 'remove-half-written',
          does: `remove what an upgrade left in ${data}: ${cutOff.join(', ')}`,
          async run() {
            for (const name of cutOff) await removeFolder(join(root + data, name), run);
            return [];
          },
        });
    }
  }
  if (dataFolder !== data && (await lookAt(root + dataFolder)) !== undefined)
    stays.push(`${dataFolder}: the folder of APP_DATA_DIR, which only you know`);

  const group = accounts.groups.find(({ name }) => name === userName);
  if (user !== undefined && !isOurUser)
    stays.push(`the user ${userName}: it is no system user without a home`);
  else if (!purge && user !== undefined) stays.push(`the user ${userName}: it owns the above`);
  else if (purge && (user !== undefined || (group !== undefined && group.members === ''))) {
    const what = [...(user === undefined ? [] : ['user']), ...(group === undefined ? [] : ['group'])].join(
      ' and the ',
    );
    steps.push({
      name: 'remove-user',
      does: `remove the ${what} ${userName}`,
      run: () => removeUser(root, run),
    });
  }
  return { steps, stays };
}

/** What a service that was killed while it handed over did not come to rename. */
async function halfWritten(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder);
  return names.filter((name) => name.startsWith(`.${lastUpgradeName}.`) && isTemporaryName(name));
}

/** Paths below a folder of ours that are none of the appliance's: what somebody put there, or another program. */
async function ofOthers(root: string, folder: string): Promise<readonly string[]> {
  const names = (await readdir(root + folder)).toSorted();
  const others = names.filter((name) => !isOwnName(folder, name)).map((name) => join(folder, name));
  const inner = folder === configuration && names.includes('secrets') ? join(folder, 'secrets') : undefined;
  const isFolder = inner !== undefined && (await lookAt(root + inner))?.isDirectory();
  return isFolder ? [...others, ...(await ofOthers(root, inner))] : others;
}

/** With locks, what killed writers left, and what stands beside a file of that name: a database's log, a copy. */
function isOwnName(folder: string, name: string): boolean {
  if (name.startsWith('.') || name.endsWith('.lock')) return true;
  return (
    ownNames[folder]?.some(
      (own) => name === own || (/^[.-]/.test(name.slice(own.length)) && name.startsWith(own)),
    ) ?? false
  );
}

async function removeUser(root: string, run: UninstallOptions['run']): Promise<readonly string[]> {
  const now = await readAccounts(root);
  const ended = async (program: string) => {
    const { exitCode, stderr } = await run(program, [userName], { timeoutMs: 60_000 });
    if (exitCode === 0) return;
    throw new Failure(`the user or group ${userName} cannot be removed`, {
      code: 'user-not-removed',
      remedy: `end what still runs as that user (pgrep -lu ${userName}), then run this again`,
      cause: new Error(stderr.trim().split('\n').at(-1)),
    });
  };
  if (now.users.some(({ name }) => name === userName)) await ended('userdel');
  // it goes with the user, unless it had another one too
  const group = (await readAccounts(root)).groups.find(({ name }) => name === userName);
  if (group === undefined) return [];
  if (group.members !== '') return [`the group ${userName}: others are in it`];
  await ended('groupdel');
  return [];
}

/** A person, or another program's user, has a home that is there. */
async function isService({ uid, home }: User, root: string): Promise<boolean> {
  if (uid === 0 || uid > lastSystemNumber) return false;
  return home === data || (await lookAt(root + home)) === undefined;
}
