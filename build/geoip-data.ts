import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { asnPackage, asnTable, countryPackage, countryTable, dataPackage } from './geoip-sources.ts';
import type { GeoipTable } from './geoip-sources.ts';
import { writeMmdb } from './mmdb-writer.ts';

const databases = [
  {
    file: 'geoip-country.mmdb',
    table: countryTable,
    type: 'DBIP-Country-Lite',
    description: 'Country by DB-IP (https://db-ip.com), CC BY 4.0, changed in form',
  },
  {
    file: 'geoip-asn.mmdb',
    table: asnTable,
    type: 'RouteViews-DBIP-ASN',
    description: 'ASN by RouteViews, NRO and DB-IP (https://db-ip.com), CC BY 4.0, changed in form',
  },
] as const satisfies { file: string; table: () => GeoipTable; type: string; description: string }[];

/** Everything that the bytes of the databases depend on. */
export const builder: readonly string[] = [
  'address-ranges.ts',
  'countries.ts',
  'csv.ts',
  'geoip-data.ts',
  'geoip-sources.ts',
  'mmdb-data-section.ts',
  'mmdb-networks.ts',
  'mmdb-tree.ts',
  'mmdb-value.ts',
  'mmdb-writer.ts',
];
const packages = [countryPackage, asnPackage, 'countries-list'];

interface Stamp {
  readonly inputs: string;
  readonly files: Readonly<Record<string, string>>;
}
const stampFile = 'geoip.stamp.json';

export interface MakeGeoipData {
  readonly outDir: string;
  /** Told once for each database, when it is there. */
  readonly progress?: (line: string) => void;
}

/**
 * Makes geoip-country.mmdb and geoip-asn.mmdb in a folder from the data packages, the same bytes each time. Does
 * nothing where they are there whole and neither packages nor builder have changed. Returns whether it made them.
 */
export function makeGeoipData({ outDir, progress = () => {} }: MakeGeoipData): boolean {
  const inputs = inputsHash();
  if (isCurrent(outDir, inputs)) {
    for (const { file } of databases) progress(`${file}: up to date`);
    return false;
  }
  mkdirSync(outDir, { recursive: true });
  const files: Record<string, string> = {};
  for (const { file, table, type, description } of databases) {
    const started = performance.now();
    const { ranges, epoch } = table();
    const bytes = writeMmdb(ranges, {
      databaseType: type,
      description: { en: description },
      languages: ['en'],
      buildEpoch: epoch,
    });
    replaceFile(join(outDir, file), bytes);
    files[file] = sha256(bytes);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    progress(`${file}: ${(bytes.length / 1e6).toFixed(2)} MB in ${seconds} s`);
  }
  const stamp: Stamp = { inputs, files };
  replaceFile(join(outDir, stampFile), Buffer.from(JSON.stringify(stamp)));
  return true;
}

function isCurrent(outDir: string, inputs: string): boolean {
  try {
    const stamp = JSON.parse(readFileSync(join(outDir, stampFile), 'utf8')) as Stamp;
    return (
      stamp.inputs === inputs &&
      databases.every(({ file }) => stamp.files[file] === sha256(readFileSync(join(outDir, file))))
    );
  } catch {
    return false;
  }
}

function inputsHash(): string {
  const hash = createHash('sha256');
  for (const name of packages) hash.update(`${name}@${dataPackage(name).version}\n`);
  for (const file of builder) hash.update(sha256(readFileSync(join(import.meta.dirname, file))));
  return hash.digest('hex');
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function replaceFile(path: string, bytes: Buffer): void {
  const temporary = `${path}.${process.pid}.tmp`;
  const descriptor = openSync(temporary, 'w', 0o644);
  try {
    writeFileSync(descriptor, bytes);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(temporary, path);
}

if (import.meta.main) {
  const outDir = join(import.meta.dirname, '..', '.build', 'assets');
  makeGeoipData({ outDir, progress: (line) => console.log(line) });
}
