import { lstatSync, readdirSync } from 'node:fs';
import { type Check, failed, ok } from './check.ts';
import type { Host } from './host.ts';
import { lostAndFound } from '../lost-and-found.ts';

const name = 'appliance';
/** Of system users, by Debian's policy and by systemd's. */
const largestSystemId = 999;

/** The user that the service runs as must be one that nobody signs in as. */
const serviceUser: Check = {
  name: 'service-user',
  title: 'user of the service',
  run({ host }) {
    const [, , uid, gid, , , shell = ''] = entryOf(host, '/etc/passwd') ?? [];
    const group = entryOf(host, '/etc/group');
    if (uid === undefined) {
      return group === undefined
        ? ok(`the user ${name} is still to be made`)
        : failed(`there is a group ${name} without the user`, `is it ours? remove it: sudo groupdel ${name}`);
    }
    const otherwise = `rename that user: sudo usermod --login OTHER-NAME ${name} && sudo groupmod --new-name OTHER-NAME ${name}`;
    if (Number(uid) === 0) return failed(`the user ${name} has the rights of root`, otherwise);
    if (Number(uid) > largestSystemId || !/\/(nologin|false)$/.test(shell)) {
      return failed(`the user ${name} is a person's: it may sign in, with ${shell || 'a shell'}`, otherwise);
    }
    if (group !== undefined && group[2] !== gid) {
      return failed(`the user ${name} is not in the group ${name}`, `sudo usermod --gid ${name} ${name}`);
    }
    return ok(`${name}, number ${uid}`);
  },
};

function entryOf(host: Host, path: string): string[] | undefined {
  return host
    .text(path)
    ?.split('\n')
    .find((line) => line.startsWith(`${name}:`))
    ?.split(':');
}

/** What is known to lie in each of our folders: one that holds none of it is somebody else's. */
const marks: Readonly<Record<string, RegExp>> = {
  '/etc/appliance': /^(secrets|stack|compose|install\.json|\..*)$/,
  '/usr/local/lib/appliance': /^(\d+\.\d+\.\d+.*|current|\..*)$/,
  '/var/lib/appliance': /^(certificates|geoip|backups|www|stack|state\.sqlite.*|.*\.lock|\..*)$/,
};

/** Folders where ours are to be that are no folders, or full of other things. */
const folders: Check = {
  name: 'own-folders',
  title: 'folders of our name',
  run({ host }) {
    const foreign: string[] = [];
    for (const [folder, mark] of Object.entries(marks)) {
      const found = lstatSync(host.path(folder), { throwIfNoEntry: false });
      if (found === undefined) continue;
      if (!found.isDirectory()) {
        foreign.push(`${folder} is no folder`);
        continue;
      }
      const entries = namesIn(host.path(folder));
      const other = entries.find((entry) => !mark.test(entry));
      if (other !== undefined && !entries.some((entry) => mark.test(entry))) {
        foreign.push(`${folder} is not ours: it holds ${other}`);
      }
    }
    const program = '/usr/local/bin/appliance';
    const link = lstatSync(host.path(program), { throwIfNoEntry: false });
    if (link?.isDirectory() === true) foreign.push(`${program} is a folder`);
    if (foreign.length === 0) return ok('they are ours, or still to be made');
    const [, path = ''] = /^(\S+)/.exec(foreign[0]!) ?? [];
    return failed(foreign.join('; '), `move it out of the way: sudo mv ${path} ${path}.other`);
  },
};

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((entry) => entry !== lostAndFound);
  } catch {
    // not ours to read
    return [];
  }
}

export const occupiedChecks: readonly Check[] = [serviceUser, folders];
