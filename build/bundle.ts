import { build, type BuildOptions, type Metafile } from 'esbuild';
import { expectLate, lateLibraries, lateProgram } from './late-libraries.ts';

const options = {
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'cjs',
  // names and short lines stay: a fault then shows where it happened, not one line of everything
  minifySyntax: true,
  // Comments go. Every process holds the text, and with one letter outside of Latin-1 V8 takes two bytes for each.
  minifyWhitespace: true,
  lineLimit: 120,
  // paths of modules then start at node_modules, wherever that really lies
  preserveSymlinks: true,
  legalComments: 'none',
  define: { 'import.meta.dirname': '__dirname' },
  metafile: true,
  logLevel: 'error',
} as const satisfies BuildOptions;

/**
 * Writes the entry and all it imports as one CommonJS file, which is what a single executable of Node runs, but for the
 * late libraries, which are written to a file of their own. Returns the modules whose code is in the two, as paths from
 * `root`. Throws esbuild's errors, and `build-early-library`.
 */
export async function bundle(
  entry: string,
  outfile: string,
  lateOutfile: string,
  root: string,
  /** JSON by the name of a constant that the sources declare. */
  constants: Readonly<Record<string, string>> = {},
): Promise<string[]> {
  const late = new Set<string>();
  const main = await build({
    ...options,
    absWorkingDir: root,
    entryPoints: [entry],
    define: { ...options.define, ...constants },
    outfile,
    plugins: [lateLibraries(late, root)],
  });
  expectLate(main.metafile, entry);
  const libraries = await build({
    ...options,
    absWorkingDir: root,
    stdin: { contents: lateProgram(late), resolveDir: root },
    outfile: lateOutfile,
  });
  return [...new Set([...modulesOf(main.metafile), ...modulesOf(libraries.metafile)])].sort();
}

/** The same for a program that needs no library. */
export async function bundleAlone(entry: string, outfile: string, root: string): Promise<void> {
  await build({ ...options, absWorkingDir: root, entryPoints: [entry], outfile });
}

function modulesOf({ outputs }: Metafile): string[] {
  const [output] = Object.values(outputs);
  return Object.entries(output?.inputs ?? {})
    .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    .map(([path]) => path);
}
