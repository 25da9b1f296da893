import { readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { composeAssetNames } from '../../core/assets.ts';
import { shellFileMark, shellPlaces, shellPrograms } from '../../core/shell-places.ts';
import { writeFailure } from '../../core/storage-failure.ts';
import { wroteFile } from '../own-files.ts';
import { readAccounts } from './accounts.ts';
import { andForeign, lookAt, readOwnText, removeEmptyFolders, removeFile, removeFolder } from './removal.ts';
import { installedReleases, isReleaseName, readReleases, recordName } from './releases.ts';
import { sysctlFile } from './steps/kernel.ts';
import type { UninstallOptions, UninstallPart, UninstallStep } from './uninstall.ts';

const composeFolder = '/etc/appliance/compose';
/** Which images and which volume are this host's: without it a later release may not find the data. */
const choicesFile = '.env';
const runFolders = ['/run/appliance', '/run/appliance-stack'];
/** What installs and upgrades leave until the host is booted anew. */
const runFiles = [
  '/run/appliance-install.pending',
  '/run/appliance-upgrade.out',
  '/run/appliance-upgrade.err',
];
/** Where a service or root's own `serve` unpacks the native file that is not beside the binary. */
const unpackPlaces = ['/var/tmp', '/dev/shm', '/tmp', '/run'];
const unpackPlaceOfRoot = '/var/cache/appliance';
const nativeName = /^uws-[0-9a-f]+\.node$/;

/** The kernel's setting, shells, what ends with the service, the compose files; and apart, the program itself. */
export async function removeFiles(
  options: UninstallOptions,
): Promise<UninstallPart & { readonly releases: UninstallPart }> {
  const parts = [
    await kernelSetting(options),
    await shellFiles(options),
    await folders(options),
    await composeFiles(options),
  ];
  return {
    steps: parts.flatMap(({ steps = [] }) => steps),
    stays: parts.flatMap(({ stays = [] }) => stays),
    releases: await releases(options),
  };
}

/** The file where it is as we wrote it, and what the running kernel has by it: what other files say of the same, else the kernel's own default. */
async function kernelSetting({ root = '' }: UninstallOptions): Promise<UninstallPart> {
  const path = root + sysctlFile;
  if ((await lookAt(path)) === undefined) return {};
  if (!(await wroteFile(join(installedReleases.folder, recordName), sysctlFile, root)))
    return { stays: [`${sysctlFile}: it is not as the appliance wrote it, so it is yours`] };
  return {
    steps: [
      {
        name: 'restore-kernel-setting',
        does: `remove ${sysctlFile} and put net.ipv4.tcp_migrate_req back`,
        async run() {
          const value = (await settingElsewhere(root)) ?? '0';
          await removeFile(path);
          // a container may have no such setting, or not be allowed to change it
          await writeFile(`${root}/proc/sys/net/ipv4/tcp_migrate_req`, value).catch(() => undefined);
          return [];
        },
      },
    ],
  };
}

/** As sysctl.d(5) orders them: by name whatever the folder, the last one counts, and sysctl.conf comes after all. */
async function settingElsewhere(root: string): Promise<string | undefined> {
  const places = ['/usr/lib/sysctl.d', '/usr/local/lib/sysctl.d', '/run/sysctl.d', '/etc/sysctl.d'];
  const byName = new Map<string, string>();
  for (const place of places) {
    for (const name of await readdir(root + place).catch((): string[] => [])) {
      if (name.endsWith('.conf')) byName.set(name, join(root + place, name));
    }
  }
  byName.delete(sysctlFile.slice(sysctlFile.lastIndexOf('/') + 1));
  const inOrder = [...byName].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path);
  let value: string | undefined;
  for (const path of [...inOrder, `${root}/etc/sysctl.conf`]) {
    const text = await readFile(path, 'utf8').catch(() => '');
    for (const [, found] of text.matchAll(/^\s*-?\s*net[./]ipv4[./]tcp_migrate_req\s*=\s*([01])\s*$/gm))
      value = found;
  }
  return value;
}

async function shellFiles({ root = '' }: UninstallOptions): Promise<UninstallPart> {
  const places = Object.entries(shellPlaces) as [keyof typeof shellPlaces, string][];
  const found: (typeof places)[number][] = [];
  const stays: string[] = [];
  for (const [shell, path] of places) {
    const text = await readOwnText(root + path);
    if (text?.includes(shellFileMark)) found.push([shell, path]);
    else if (await lookAt(root + path)) stays.push(`${path}: the appliance did not write it`);
  }
  if (found.length === 0) return { stays };
  const step: UninstallStep = {
    name: 'remove-shell-files',
    does: `remove ${found.map(([, path]) => path).join(', ')}`,
    async run() {
      for (const [shell, path] of found) {
        await removeFile(root + path);
        // made for this file, unless a package brought them
        if (await lookAt(root + shellPrograms[shell])) continue;
        await removeEmptyFolders(dirname(root + path), root + topOf(path));
      }
      return [];
    },
  };
  return { steps: [step], stays };
}

/** What every host has from its first day. */
function topOf(path: string): string {
  const tops = ['/etc', '/usr/local/share/man', '/usr/local/share'];
  return tops.find((top) => path.startsWith(`${top}/`)) ?? dirname(path);
}

/** systemd removes the first with its unit, where it runs. */
async function folders({ run, root = '' }: UninstallOptions): Promise<UninstallPart> {
  const found: string[] = [];
  const stays: string[] = [];
  for (const path of runFolders) {
    const stats = await lookAt(root + path);
    if (stats?.isDirectory()) found.push(path);
    else if (stats !== undefined) stays.push(`${path}: is no folder, so it is not the appliance's`);
  }
  found.push(...(await unpackFolders(root)));
  for (const path of runFiles) if ((await readOwnText(root + path)) !== undefined) found.push(path);
  if (found.length === 0) return { stays };
  const step: UninstallStep = {
    name: 'remove-run-folders',
    does: `remove ${found.join(', ')}`,
    async run() {
      const left: string[] = [];
      for (const path of found) left.push(...(await removeFolder(root + path, run)));
      return left.map((path) => `${path}: something is mounted there`);
    },
  };
  return { steps: [step], stays };
}

/** Those with nothing else in them. */
async function unpackFolders(root: string): Promise<readonly string[]> {
  const user = (await readAccounts(root)).users.find(({ name }) => name === 'appliance');
  const ofService = user === undefined ? [] : unpackPlaces.map((place) => `${place}/appliance-${user.uid}`);
  const found: string[] = [];
  for (const path of [unpackPlaceOfRoot, ...ofService]) {
    if (!(await lookAt(root + path))?.isDirectory()) continue;
    const names = await readdir(root + path);
    if (names.every((name) => nativeName.test(name))) found.push(path);
  }
  return found;
}

async function composeFiles({ purge, run, root = '' }: UninstallOptions): Promise<UninstallPart> {
  const path = root + composeFolder;
  const found = await lookAt(path);
  if (found === undefined) return {};
  if (!found.isDirectory())
    return { stays: [`${composeFolder}: is no folder, so it is not the appliance's`] };
  const kept = (await lookAt(join(path, choicesFile))) !== undefined && !purge;
  const all = await readdir(path);
  const others = all.filter((name) => !isComposeName(name));
  const foreign = purge ? [] : others;
  const names = all.filter((name) => !foreign.includes(name) && (!kept || name !== choicesFile));
  const stays = foreign.map((name) => `${composeFolder}/${name}: the appliance did not write it`);
  if (kept) stays.push(`${composeFolder}/${choicesFile}: which images and which volume are this host's`);
  const staying = [...(kept ? [choicesFile] : []), ...foreign];
  if (staying.length > 0 && names.length === 0) return { stays };
  const step: UninstallStep = {
    name: 'remove-compose-files',
    does: `remove ${composeFolder}${staying.length > 0 ? ` but for ${staying.join(', ')}` : andForeign(others.map((name) => join(composeFolder, name)))}`,
    async run() {
      const left: string[] = [];
      for (const name of names) left.push(...(await removeFolder(join(path, name), run)));
      if (staying.length === 0) left.push(...(await removeFolder(path, run)));
      // where nothing else was ever configured
      await rmdir(dirname(path)).catch(() => undefined);
      return left.map((each) => `${each}: something is mounted there`);
    },
  };
  return { steps: [step], stays };
}

/** What is unpacked there, at the top, and the records beside it. */
function isComposeName(name: string): boolean {
  return name.startsWith('.') || composeAssetNames.some((asset) => asset.split('/')[1] === name);
}

/** All versions, and the link where it is ours: one that leads elsewhere, or a binary copied by hand, stays. */
async function releases({ run, root = '' }: UninstallOptions): Promise<UninstallPart> {
  const place = { folder: root + installedReleases.folder, link: root + installedReleases.link };
  const { link } = await readReleases(place);
  const stays: string[] = [];
  if (link === 'file') stays.push(`${installedReleases.link}: a file that was put there by hand`);
  if (link === 'elsewhere') stays.push(`${installedReleases.link}: it leads elsewhere`);
  const steps: UninstallStep[] = [];
  const { ours, foreign } = await inReleases(place.folder);
  for (const name of foreign) stays.push(`${installedReleases.folder}/${name}: no release of the appliance`);
  if (ours !== undefined) {
    steps.push({
      name: 'remove-releases',
      does: `remove ${foreign.length > 0 ? `the releases in ${installedReleases.folder}` : installedReleases.folder}`,
      async run() {
        const left: string[] = [];
        for (const name of (await inReleases(place.folder)).ours ?? [])
          left.push(...(await removeFolder(join(place.folder, name), run)));
        await rmdir(place.folder).catch(() => undefined);
        return left.map((path) => `${path}: something is mounted there`);
      },
    });
  }
  if (link === 'ours') {
    steps.push({
      name: 'remove-link',
      does: `remove ${installedReleases.link}`,
      async run() {
        await removeFile(place.link).catch((error: unknown) => {
          throw writeFailure(place.link, error);
        });
        return [];
      },
    });
  }
  return { steps, stays };
}

/** `ours` is undefined where there is no such folder, or a link in its place. */
async function inReleases(
  folder: string,
): Promise<{ ours: readonly string[] | undefined; foreign: readonly string[] }> {
  const found = await lookAt(folder);
  if (found === undefined) return { ours: undefined, foreign: [] };
  if (!found.isDirectory()) return { ours: undefined, foreign: ['.'] };
  const names = await readdir(folder);
  // beside the releases lie records of an install, whose names begin with a dot
  const isOurs = (name: string) => isReleaseName(name) || name.startsWith('.');
  const ours = names.filter(isOurs);
  return {
    ours: ours.length === 0 && names.length > 0 ? undefined : ours,
    foreign: names.filter((name) => !isOurs(name)),
  };
}
