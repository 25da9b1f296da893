import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** What the version of Pebble that is there can do. */
export interface PebbleFeatures {
  /** RFC 9773. */
  readonly ari: boolean;
  /** Several profiles, each with its own life; without them there is one life for all. */
  readonly profiles: boolean;
  /** Refuses a second order that replaces the same certificate. */
  readonly alreadyReplaced: boolean;
}

export interface PebbleProgram {
  readonly pebble: string;
  readonly challtestsrv: string;
  /** The names of its flags changed from version to version. */
  readonly challtestsrvFlags: readonly string[];
  readonly features: PebbleFeatures;
}

const version = '2.10.1';
const cache = join(import.meta.dirname, '..', '..', '.build', `pebble-${version}`);
const names = ['pebble', 'pebble-challtestsrv'] as const;
const isThere = (folder: string) => names.every((name) => existsSync(join(folder, name)));

/** Builds the newest Pebble once, where there is a Go toolchain that can fetch it; false where there is none. */
function buildPebble(): boolean {
  if (isThere(cache)) return true;
  mkdirSync(join(cache, '..'), { recursive: true });
  const work = mkdtempSync(`${cache}-`);
  try {
    const modules = names.map((name) => `github.com/letsencrypt/pebble/v2/cmd/${name}@v${version}`);
    const { status } = spawnSync('go', ['install', ...modules], {
      cwd: work,
      env: { ...process.env, GOBIN: work, GOFLAGS: '-mod=mod' },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    if (status !== 0 || !isThere(work)) return false;
    // whoever builds at the same time has made the same
    if (!isThere(cache)) renameSync(work, cache);
    return true;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The newest Pebble, built where that can be, else the distribution's, which is older. */
export function findPebble(): PebbleProgram {
  const built = buildPebble();
  const folder = [cache, '/usr/bin'].find(isThere);
  if (folder === undefined) {
    throw new Error('There is no Pebble: install Go (for the newest) or the package `pebble`.');
  }
  const challtestsrv = join(folder, 'pebble-challtestsrv');
  const help = spawnSync(challtestsrv, ['-help'], { encoding: 'utf8' });
  const flags = `${help.stdout}${help.stderr}`.matchAll(/^ {2}-([\w-]+)/gm);
  return {
    pebble: join(folder, 'pebble'),
    challtestsrv,
    challtestsrvFlags: [...flags].map(([, flag]) => flag!),
    features: { ari: built, profiles: built, alreadyReplaced: built },
  };
}

/** As a program: succeeds where the newest Pebble can be had. */
if (import.meta.main) process.exitCode = buildPebble() ? 0 : 1;
