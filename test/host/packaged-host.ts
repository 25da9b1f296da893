import { expect } from 'vitest';
import type { ContainerImage } from './container-images.ts';
import { imageArchive } from './image-archive.ts';
import type { PackagedBinary } from './packaged-binary.ts';
import { bootHost, type HostKind, type ThrowawayHost } from './throwaway-host.ts';

export { buildBinary, type PackagedBinary } from './packaged-binary.ts';

/** A throw-away host with nothing of ours in it but the packaged binary. */
export interface PackagedHost extends ThrowawayHost {
  /** Runs what must succeed, and gives what it printed. */
  sh(script: string, input?: string): string;
  /** Gives the engine what stands in for official images. */
  load(...images: readonly ContainerImage[]): Promise<void>;
}

export async function bootPackagedHost(
  kind: HostKind,
  binary: PackagedBinary,
  print: (line: string) => void,
  to = '/usr/local/bin/appliance',
): Promise<PackagedHost> {
  const host = await bootHost(kind, print);
  host.put(binary.file, to);
  return {
    ...host,
    sh(script, input) {
      const { status, stdout, stderr } = host.run(script, input);
      expect(`${script}: ${status}\n${status === 0 ? '' : stdout + stderr}`).toBe(`${script}: 0\n`);
      return stdout;
    },
    load: async (...images) => host.feed(await imageArchive(images, print), 'docker', 'load'),
  };
}

/**
 * Collects every argument and variable of every process of the host, and what docker tells of containers, while `work` goes on; gives
 * each once.
 */
export function seenDuring({ run, sh }: PackagedHost, work: () => void): string {
  sh(`
rm -f /root/watched /root/watch-ended /root/stop
( while [ ! -e /root/stop ]; do
    cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null
    ids=$(docker ps -aq 2>/dev/null); [ -z "$ids" ] || docker inspect $ids 2>/dev/null
  done | tr '\\0' '\\n' | awk '!seen[$0]++' >/root/watched; touch /root/watch-ended ) >/dev/null 2>&1 &
`);
  try {
    work();
  } finally {
    run('touch /root/stop; until [ -e /root/watch-ended ]; do sleep 0.1; done');
  }
  return sh('cat /root/watched');
}
