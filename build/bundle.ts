import { build } from 'esbuild';

/**
 * Writes the entry and all it imports as one CommonJS file, which is what a single executable of Node runs, and
 * returns the modules whose code is in it, as paths from `root`. Throws esbuild's errors.
 */
export async function bundle(entry: string, outfile: string, root: string): Promise<string[]> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    // whole lines and names stay: a fault then shows where it happened, not one line of everything
    minifySyntax: true,
    // paths of modules then start at node_modules, wherever that really lies
    preserveSymlinks: true,
    legalComments: 'none',
    define: { 'import.meta.dirname': '__dirname' },
    metafile: true,
    logLevel: 'error',
  });
  const [output] = Object.values(metafile.outputs);
  return Object.entries(output?.inputs ?? {})
    .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    .map(([path]) => path)
    .sort();
}
