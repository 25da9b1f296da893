import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { getRawAsset, isSea } from 'node:sea';

/** What set-up makes and the packaged binary carries, by file name. */
export const assetNames = ['uws.bin', 'geoip-country.mmdb', 'geoip-asn.mmdb'] as const;

/** How the containers of an installed host run. By path from the root, like all that a host gets. */
export const composeAssetNames = [
  'compose/compose.yaml',
  'compose/nginx/default.conf.template',
  'compose/postgres/pg_hba.conf',
  'compose/redis/redis.conf',
] as const;

/** The units of an installed host. */
export const unitAssetNames = [
  'systemd/appliance.service',
  'systemd/appliance-stack.service',
  'systemd/appliance-backup.service',
  'systemd/appliance-backup.timer',
] as const;

/** What an installed host gets as it stands in the checkout; the binary carries it too. */
export const hostAssetNames = [...composeAssetNames, ...unitAssetNames] as const;

export type Asset = (typeof assetNames)[number] | (typeof hostAssetNames)[number];

/** Libraries that only some processes need, which the packaged binary carries beside its main program. */
export const lateLibrariesAsset = 'late-libraries.cjs';
/** The program of the thread that SQLite lives in, which the packaged binary carries beside its main program. */
export const sqliteThreadAsset = 'sqlite-thread-program.cjs';

/** Where set-up leaves the assets of a checkout. */
const root = join(import.meta.dirname, '..', '..');
export const checkoutAssets = join(root, '.build', 'assets');

/** Where a checkout has an asset. */
export function assetFile(name: Asset): string {
  return hostAssetNames.some((each) => each === name) ? join(root, name) : join(checkoutAssets, name);
}

/**
 * The bytes of an asset. In the packaged binary they are the binary's own pages, shared by all its processes
 * and read-only: writing to them ends the process. Throws the file system's error where set-up has not run.
 */
export function readAsset(name: Asset): Buffer {
  return isSea() ? Buffer.from(getRawAsset(name)) : readFileSync(assetFile(name));
}
