import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';

/**
 * Runs a binary as a strict host would: a read-only root, no HOME, no PATH, `noexec` on /run and /tmp, a
 * working directory that cannot be written to. Only /dev/shm may allow execution. Needs root and util-linux.
 * The process that is returned is the binary's own.
 */
export function spawnConfined(
  binary: string,
  args: readonly string[],
  { sharedMemory, env = {} }: { sharedMemory: 'exec' | 'noexec'; env?: Record<string, string> },
): ChildProcessWithoutNullStreams {
  const set = Object.entries(env).map(([key, value]) => `${key}=${value}`);
  return spawn('unshare', [
    '-m',
    'sh',
    '-euc',
    script,
    'sh',
    binary,
    sharedMemory,
    ...set,
    '/mnt/appliance',
    ...args,
  ]);
}

const script = `
  binary=$1 shm=$2; shift 2
  new=/mnt/root; mount -t tmpfs tmpfs /mnt; mkdir "$new"
  mount --rbind / "$new"; mount --make-rprivate "$new"; mount -o remount,bind,ro "$new"
  mount -t tmpfs tmpfs "$new/mnt"; cp "$binary" "$new/mnt/appliance"; mount -o remount,ro "$new/mnt"
  for folder in run tmp; do mount -t tmpfs -o noexec tmpfs "$new/$folder"; done
  for folder in var root home; do mount -t tmpfs -o ro tmpfs "$new/$folder"; done
  mount -t tmpfs -o "$shm" tmpfs "$new/dev/shm"
  cd "$new"
  exec chroot . /usr/bin/env -i "$@"`;
