import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundle } from '../../build/bundle.ts';
import { evaluateLibraries } from '../../src/core/late-library.ts';

const root = join(import.meta.dirname, '..', '..');
// the made-up entries import real packages
mkdirSync(join(root, '.build'), { recursive: true });
const folder = mkdtempSync(join(root, '.build', 'late-libraries-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const main = join(folder, 'main.cjs');
const late = join(folder, 'late.cjs');

describe('the program in two parts', () => {
  let modules: string[];
  beforeAll(async () => {
    modules = await bundle('src/main.ts', main, late, root);
  });
  const libraries = () => evaluateLibraries(readFileSync(late, 'utf8'));

  it('has the databases’, caches’ and certificates’ libraries in the second alone, and counts them in', () => {
    const names = Object.keys(libraries());
    expect(names).toEqual(
      expect.arrayContaining(['@peculiar/x509', 'acme-client', 'ioredis', 'kysely', 'pg']),
    );
    const packages = modules.map((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1]);
    for (const name of names) expect(packages).toContain(name);
    // each process holds this text
    expect(readFileSync(main).length).toBeLessThan(1_320_000);
  });

  it('is read by V8 as one byte a letter', () => {
    for (const file of [main, late])
      expect(/[^\0-\u00ff]/.test(readFileSync(file, 'utf8')), file).toBe(false);
  });

  it('gives of each library what a checkout gives, and that once', async () => {
    for (const [name, library] of Object.entries(libraries())) {
      // eslint-disable-next-line import/no-dynamic-require -- whatever the product imports
      const expected = (await import(name)) as Record<string, unknown>;
      const given = library() as Record<string, unknown>;
      const names = Object.keys(expected).filter((key) => !['default', 'module.exports'].includes(key));
      expect(names.length, name).toBeGreaterThan(0);
      const again = library() as Record<string, unknown>;
      for (const key of names) {
        expect(typeof given[key], `${name}: ${key}`).toBe(typeof expected[key]);
        expect(again[key], `${name}: ${key}`).toBe(given[key]);
      }
    }
  });
});

describe('a late library that is imported at once', () => {
  it('fails the build, with the way to it', async () => {
    writeFileSync(join(folder, 'entry.ts'), `import './middle.ts';`);
    writeFileSync(join(folder, 'middle.ts'), `import { Client } from 'pg'; console.log(Client);`);
    const entry = join(folder, 'entry.ts').slice(root.length + 1);
    await expect(bundle(entry, main, late, root)).rejects.toMatchObject({
      code: 'build-early-library',
      message: expect.stringMatching(/entry\.ts → .*middle\.ts → late-library:pg$/) as string,
    });
    writeFileSync(join(folder, 'entry.ts'), `void import('./middle.ts');`);
    await bundle(entry, main, late, root);
    expect(readFileSync(main, 'utf8')).toContain('lateLibrary("pg")');
  });
});
