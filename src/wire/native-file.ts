import { join } from 'node:path';
import { readAsset } from '../core/assets.ts';
import { writeFileAtomically } from '../core/atomic-file.ts';
import { nativeFileName } from '../http/native-file.ts';

/** Writes what belongs beside this binary, in a folder of root's, and gives its path. Rejects like `writeFileAtomically`. */
export async function writeNativeFile(folder: string): Promise<string> {
  const path = join(folder, nativeFileName);
  await writeFileAtomically(path, readAsset('uws.bin'), 0o755);
  return path;
}
