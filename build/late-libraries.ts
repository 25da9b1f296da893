import { join } from 'node:path';
import type { Metafile, Plugin } from 'esbuild';
import { Failure } from '../src/core/errors.ts';

/** What workers or their supervisor need from the start; all other packages are late. */
const early = ['maxmind', 'pino', 'pino-pretty', 'prom-client'];
const namespace = 'late-library';

/**
 * Has our modules get their packages, but for the early ones, from `core/late-library.ts`, and adds the names of those to
 * `found`. Modules of ours never go there: a second `Failure` would not be an `instanceof` the first.
 */
export function lateLibraries(found: Set<string>, root: string): Plugin {
  const loader = JSON.stringify(join(root, 'src/core/late-library.ts'));
  return {
    name: namespace,
    setup(build) {
      build.onResolve({ filter: /^[^./]/ }, ({ path, importer }) => {
        const ours = !importer.includes('/node_modules/');
        if (!ours || path.startsWith('node:') || early.includes(path)) return undefined;
        found.add(path);
        return { path, namespace };
      });
      build.onLoad({ filter: /./, namespace }, ({ path }) => ({
        contents: `module.exports = require(${loader}).lateLibrary(${JSON.stringify(path)});`,
        resolveDir: root,
      }));
    },
  };
}

/** The program that gives the libraries, each when it is asked for. */
export function lateProgram(names: Iterable<string>): string {
  const entries = [...names].sort().map((name) => JSON.stringify(name));
  return `module.exports = {${entries.map((name) => `${name}: () => require(${name})`).join(', ')}};`;
}

/** Throws a `Failure` that names the way from the entry to a late library, where one is loaded without being asked for. */
export function expectLate({ inputs }: Metafile, entry: string): void {
  const ways = new Map([[entry, entry]]);
  for (const [path, way] of ways) {
    if (path.startsWith(`${namespace}:`))
      throw new Failure(`a library is loaded at every start: ${way}`, {
        code: 'build-early-library',
        remedy: 'Import the last module of ours in it by `await import`, where it is needed.',
      });
    for (const next of inputs[path]?.imports ?? [])
      if (next.kind !== 'dynamic-import' && !next.external && !ways.has(next.path))
        ways.set(next.path, `${way} → ${next.path}`);
  }
}
