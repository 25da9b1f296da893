import { statSync } from 'node:fs';

/**
 * Whether a process runs that very file, and not one that was replaced since. By device and inode: in a container, or below
 * another root, the path that the kernel gives is not the one that is seen. `process`: `/proc/PID`. Throws `ENOENT` where either
 * is not there, `EACCES` where this user may not look.
 */
export function runsFile(process: string, file: string): boolean {
  const runs = statSync(`${process}/exe`);
  const wanted = statSync(file);
  return runs.dev === wanted.dev && runs.ino === wanted.ino;
}
