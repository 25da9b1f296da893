import { readdirSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import type { KillHost } from './kill-host.ts';

const litter = /\.unfinished$|\.scratch-|restore\.json$|\.restore$|\.rotation-|\.(record-|proof-)?lock$/;

const isTemporary = (path: string) => path.endsWith('.tmp');

/** What no run leaves once the one after it has come to its end: unfinished archives, scratch databases, journals, locks. */
export async function leftoversOf(host: KillHost): Promise<readonly string[]> {
  const { postgres } = host;
  const schemas = await postgres?.admin<{ name: string }>(
    `select nspname as name from pg_namespace where nspname like 'appliance_scratch%'`,
    postgres.database,
  );
  const files = pathsOf(host).filter((path) => litter.test(path) && !isTemporary(path));
  return [...files, ...(schemas ?? []).map(({ name }) => name)];
}

/** Files and folders under names that nobody but who is writing them knows. */
export function temporariesOf(host: KillHost): readonly string[] {
  return pathsOf(host).filter(isTemporary);
}

/** They are told from those that somebody is writing by their age. */
export function makeOld(paths: readonly string[]): void {
  const hoursAgo = Date.now() / 1000 - 2 * 3600;
  for (const path of paths) utimesSync(path, hoursAgo, hoursAgo);
}

function pathsOf({ dataDir, secretsDir }: KillHost): readonly string[] {
  return [dataDir, secretsDir].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      // the sockets of the servers
      .filter((path) => !path.startsWith('stack/'))
      .map((path) => join(folder, path)),
  );
}
