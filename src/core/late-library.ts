import { getAsset } from 'node:sea';
import { compileFunction } from 'node:vm';
import { lateLibrariesAsset } from './assets.ts';

/** Each evaluates its library when first called. */
type Libraries = Readonly<Record<string, () => unknown>>;

let libraries: Libraries | undefined;

/**
 * A library that the packaged binary carries beside its main program, by the name it is imported by: the build writes the calls
 * in the place of the imports. A process that never gets so far neither reads nor holds megabytes of code.
 */
export function lateLibrary(name: string): unknown {
  libraries ??= evaluateLibraries(getAsset(lateLibrariesAsset, 'utf8'));
  return libraries[name]!();
}

/** What the program of the libraries exports. */
export function evaluateLibraries(source: string): Libraries {
  const module = { exports: {} as Libraries };
  const run = compileFunction(source, ['module', 'exports', 'require'], { filename: lateLibrariesAsset });
  run(module, module.exports, requireBuiltin);
  return module.exports;
}

/** Nothing is looked for on the disk, whatever lies beside the binary. */
function requireBuiltin(name: string): unknown {
  const builtin = process.getBuiltinModule(name);
  if (builtin === undefined)
    throw Object.assign(new Error(`Cannot find module '${name}'`), { code: 'MODULE_NOT_FOUND' });
  return builtin;
}
