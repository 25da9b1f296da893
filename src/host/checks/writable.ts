import { accessSync, constants, existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { shellWord } from '../../core/shell-word.ts';
import { systemCode } from '../../core/storage-failure.ts';
import { type Check, failed, ok } from './check.ts';

/** Where an install writes, besides the folder of the data. */
const places = [
  '/etc',
  '/etc/appliance/secrets',
  '/etc/sysctl.d',
  '/etc/systemd/system',
  '/usr/local/bin',
  '/usr/local/lib/appliance',
];

/**
 * The folders out of these in which nothing can be made, each once: of one that is not there yet, the nearest above it. `tryAccess`
 * throws the system's error where it may not be written.
 */
export function unwritable(
  folders: readonly string[],
  isThere: (path: string) => boolean,
  tryAccess: (path: string) => void,
): readonly { readonly path: string; readonly code: string }[] {
  const nearest = (path: string): string => (path === '/' || isThere(path) ? path : nearest(dirname(path)));
  return [...new Set(folders.map(nearest))].flatMap((path) => {
    try {
      tryAccess(path);
      return [];
    } catch (error) {
      return [{ path, code: systemCode(error) ?? 'unknown' }];
    }
  });
}

/** A host with an image that is mounted for reading only, or with files that may not be changed (chattr(1)). */
export const writableCheck: Check = {
  name: 'writable-folders',
  title: 'folders that are written to',
  run({ host, dataFolder }) {
    const found = unwritable(
      [...places, dataFolder],
      (path) => existsSync(host.path(path)),
      (path) => accessSync(host.path(path), constants.W_OK),
    );
    const [first] = found;
    if (first === undefined) return ok('all of them');
    const why = (code: string) => (code === 'EROFS' ? 'mounted for reading only' : `the system says ${code}`);
    const words = found.map(({ path, code }) => `${path} may not be written: ${why(code)}`).join('; ');
    const target = shellWord(first.path);
    return failed(
      words,
      first.code === 'EROFS'
        ? `see what is mounted there (findmnt --target ${target}), and mount it so that it can be written`
        : `see what is in the way: ls -ld ${target}; lsattr -d ${target}`,
    );
  },
};
