import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isSea } from 'node:sea';

/** What set-up makes and the packaged binary carries, by file name. */
export type Asset = 'uws.bin' | 'geoip-country.mmdb' | 'geoip-asn.mmdb';

/** In the packaged binary the bundle lies beside `assets/`; in a checkout set-up leaves them in `.build/assets`. */
const folder = isSea()
  ? join(import.meta.dirname, 'assets')
  : join(import.meta.dirname, '..', '..', '.build', 'assets');

/** The bytes of an asset. Throws the file system's error where set-up has not run. */
export function readAsset(name: Asset): Buffer {
  return readFileSync(join(folder, name));
}
