import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { getRawAsset, isSea } from 'node:sea';

/** What set-up makes and the packaged binary carries, by file name. */
export const assetNames = ['uws.bin', 'geoip-country.mmdb', 'geoip-asn.mmdb'] as const;
export type Asset = (typeof assetNames)[number];

/** Where set-up leaves the assets of a checkout. */
export const checkoutAssets = join(import.meta.dirname, '..', '..', '.build', 'assets');

/**
 * The bytes of an asset. In the packaged binary they are the binary's own pages, shared by all its processes
 * and read-only: writing to them ends the process. Throws the file system's error where set-up has not run.
 */
export function readAsset(name: Asset): Buffer {
  return isSea() ? Buffer.from(getRawAsset(name)) : readFileSync(join(checkoutAssets, name));
}
