import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const read = (name: string) => readFileSync(join(import.meta.dirname, '../..', name), 'utf8');

interface Manifest {
  readonly dependencies: Record<string, string>;
  readonly devDependencies: Record<string, string>;
}

const manifest = JSON.parse(read('package.json')) as Manifest;
const installed = { ...manifest.dependencies, ...manifest.devDependencies };

/** Rows of the tables: | `name` | reason | */
const reasons = new Map(
  [...read('docs/dependencies.md').matchAll(/^\| `([^`]+)`\s*\|\s*(.*?)\s*\|$/gm)].map(
    ([, name = '', reason = '']) => [name, reason],
  ),
);

describe('docs/dependencies.md', () => {
  it('gives a reason for every dependency and for nothing else', () => {
    expect([...reasons.keys()].toSorted()).toEqual(Object.keys(installed).toSorted());
    for (const [name, reason] of reasons) expect(reason.length, name).toBeGreaterThan(20);
  });

  it('lists apart what is in the product and what only builds and tests it', () => {
    const [product = '', tools = ''] = read('docs/dependencies.md').split(/^## (?=To build)/m);
    for (const name of Object.keys(manifest.dependencies)) expect(product).toContain(`\`${name}\``);
    for (const name of Object.keys(manifest.devDependencies)) expect(tools).toContain(`\`${name}\``);
  });
});

describe('package.json', () => {
  it('pins every dependency to one version', () => {
    const loose = Object.entries(installed).filter(
      ([, version]) => !/^(npm:@?[^@]+@)?\d+\.\d+\.\d+(-[\w.]+)?$/.test(version),
    );
    expect(loose).toEqual([]);
  });
});

interface Lock {
  readonly packages: Record<string, { readonly optionalDependencies?: Record<string, string> }>;
}

describe('package-lock.json', () => {
  it('has every package for other platforms too, without which npm ci refuses it (npm run lock adds them)', () => {
    const { packages } = JSON.parse(read('package-lock.json')) as Lock;
    const absent = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(
        (name) => !(`node_modules/${name}` in packages) && !(`${path}/node_modules/${name}` in packages),
      ),
    );
    expect(absent).toEqual([]);
  });
});
