import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checks, lintedPaths, runCheck } from '../../build/checks.ts';
import type { Check } from '../../build/checks.ts';

const root = join(import.meta.dirname, '..', '..');

/** Every part of src/ with what it may import: values and types of the first list, types alone of the second. */
const allowed: Record<string, [values: string, types?: string]> = {
  core: [''],
  ports: ['core'],
  config: ['core'],
  whoami: ['ports core', 'config'],
  certificates: ['ports core', 'config'],
  visits: ['ports core', 'config'],
  history: ['ports core', 'config'],
  backup: ['ports core', 'config'],
  host: ['ports core', 'config'],
  admin: ['ports core', 'config'],
  adapters: ['ports core'],
  web: ['core'],
  http: ['web whoami certificates visits history backup host admin ports core'],
  supervisor: ['http config ports core'],
  cli: ['config core', 'whoami certificates visits history backup host admin'],
  wire: [
    'core ports config whoami certificates visits history backup host admin adapters web http supervisor',
  ],
  'main.ts': ['cli wire'],
};
const parts = Object.keys(allowed);

interface Plant {
  readonly file: string;
  readonly line: number;
  readonly text: string;
  readonly legal: boolean;
}

/** One file for each part and depth, each line one import; whether the table allows it decides what is expected. */
function plantsOf(part: string, depth: number): Plant[] {
  const inFolder = !part.endsWith('.ts');
  const file = inFolder
    ? join('src', part, ...(depth === 2 ? ['deep'] : []), 'planted.ts')
    : join('src', part);
  const up = inFolder ? '../'.repeat(depth) : './';
  const [values, types = ''] = allowed[part] ?? [''];
  const plants: Plant[] = [];
  const plant = (statement: string, legal: boolean) => {
    const line = plants.length + 1;
    plants.push({ file, line, text: statement.replaceAll('NAME', `name${line}`), legal });
  };
  for (const other of parts) {
    if (other === part) continue;
    const target = other.endsWith('.ts') ? `${up}${other}` : `${up}${other}/noun.ts`;
    const asValue = values.split(' ').includes(other);
    const asType = asValue || types.split(' ').includes(other);
    plant(`import { NAME } from '${target}';`, asValue);
    plant(`import * as NAME from '${target}';`, asValue);
    plant(`import '${target}';`, asValue);
    plant(`export { NAME } from '${target}';`, asValue);
    plant(`export * from '${target}';`, asValue);
    plant(`export const NAME = import('${target}');`, asValue);
    plant(`import type { NAME } from '${target}';`, asType);
    plant(`import { type NAME } from '${target}';`, asType);
    if (!asType && inFolder) plant(`import { NAME } from './${target}';`, false);
  }
  plant(`import { NAME } from '${inFolder ? `${up}../` : '../'}test/support/noun.ts';`, false);
  plant(`import { NAME } from '${inFolder ? `${up}../` : '../'}build/noun.ts';`, false);
  plant(`import { NAME } from '${inFolder ? './' : './core/'}noun/../other.ts';`, false);
  plant(`import { NAME } from 'uWebSockets.js';`, false);
  plant(`import { NAME } from 'node:path';`, true);
  if (inFolder) plant(`import { NAME } from './own-noun.ts';`, true);
  if (inFolder) plant(`import { NAME } from '${depth === 2 ? '../' : './deep/'}own-noun.ts';`, true);
  if (part === 'cli') plant(`import { NAME } from '${up}supervisor/control.ts';`, true);
  if (part === 'main.ts') plant(`import { NAME } from './core/errors.ts';`, true);
  return plants;
}

const lint = checks.find((check) => check.name === 'lint');
const folder = mkdtempSync(join(tmpdir(), 'directions-'));
const planted = parts.flatMap((part) => [
  plantsOf(part, 1),
  ...(part.endsWith('.ts') ? [] : [plantsOf(part, 2)]),
]);
const nativePlants = plantsOf('http', 1).filter((plant) => plant.text.includes('uWebSockets.js'));
const found = new Set<string>();

interface Report {
  readonly diagnostics: readonly {
    readonly code?: string;
    readonly filename: string;
    readonly labels: readonly { readonly span: { readonly line: number } }[];
  }[];
}

beforeAll(async () => {
  // the real tree, so that what is proven is proven of the very run that `npm run check` makes
  for (const name of [...lintedPaths, 'tsconfig.json', 'package.json']) {
    if (existsSync(join(root, name))) cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const write = (file: string, text: string) => {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  };
  for (const plants of planted) {
    write(plants[0]?.file ?? '', plants.map((plant) => `${plant.text}\n`).join(''));
  }
  write('src/http/native.ts', nativePlants.map((plant) => `${plant.text}\n`).join(''));
  if (lint === undefined) throw new Error('there is no check named lint');
  const asJson: Check = { ...lint, command: [...lint.command, '-f', 'json'] };
  const { output } = await runCheck(asJson, folder);
  const report = JSON.parse(output.slice(output.indexOf('{'))) as Report;
  for (const { code, filename, labels } of report.diagnostics) {
    // of a file that it cannot parse the linter says nothing else
    if (code === undefined) throw new Error(`the linter could not read ${filename}: ${output.slice(0, 300)}`);
    if (code !== 'eslint(no-restricted-imports)') continue;
    for (const { span } of labels) found.add(`${filename}:${span.line}`);
  }
});

afterAll(() => rmSync(folder, { recursive: true }));

describe('the lint', () => {
  for (const plants of planted) {
    const name = plants[0]?.file.replace('/planted.ts', '').replace('src/', '') ?? '';
    it(`finds every import that ${name} may not make, and none that it may`, () => {
      const judged = plants.map(({ file, line, text }) => [
        found.has(`${file}:${line}`) ? 'refused' : 'allowed',
        text,
      ]);
      expect(judged).toEqual(plants.map(({ legal, text }) => [legal ? 'allowed' : 'refused', text]));
    });
  }

  it('lets http/native.ts import uWebSockets.js', () => {
    expect(nativePlants).toHaveLength(1);
    expect([...found].filter((place) => place.startsWith('src/http/native.ts:'))).toEqual([]);
  });

  it('has a rule for every part of src', () => {
    const real = readdirSync(join(root, 'src'), { withFileTypes: true });
    const unruled = real.filter((entry) => !parts.includes(entry.name)).map((entry) => entry.name);
    expect(unruled).toEqual([]);
  });
});
