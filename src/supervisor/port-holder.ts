import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/**
 * Who listens on a TCP port of this host, as `NAME (process PID)`; undefined when nobody does or the process
 * cannot be seen by this user. From /proc, for messages only.
 */
export function portHolder(port: number): string | undefined {
  const inodes = new Set([
    ...listeningInodes('/proc/net/tcp', port),
    ...listeningInodes('/proc/net/tcp6', port),
  ]);
  if (inodes.size === 0) return undefined;
  for (const pid of entries('/proc').filter((name) => /^\d+$/.test(name))) {
    const holds = entries(`/proc/${pid}/fd`).some((fd) => {
      const inode = /^socket:\[(\d+)\]$/.exec(quiet(() => readlinkSync(`/proc/${pid}/fd/${fd}`)) ?? '')?.[1];
      return inode !== undefined && inodes.has(inode);
    });
    if (holds) return describe(pid);
  }
  return undefined;
}

/** A worker is replaced when it is ended: whoever wants the port has to end its supervisor. */
function describe(pid: string): string {
  const name = (of: string) => quiet(() => readFileSync(`/proc/${of}/comm`, 'utf8').trim());
  const parent = /\) \S (\d+)/.exec(quiet(() => readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? '')?.[1];
  if (name(pid) === 'appliance-work' && parent !== undefined && name(parent) === 'appliance') {
    return `appliance (process ${parent})`;
  }
  return `${name(pid) ?? '?'} (process ${pid})`;
}

function listeningInodes(path: string, port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const listenState = '0A';
  return (quiet(() => readFileSync(path, 'utf8')) ?? '')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(suffix) === true && fields[3] === listenState)
    .map((fields) => fields[9]!);
}

function entries(folder: string): string[] {
  return quiet(() => readdirSync(folder)) ?? [];
}

/** Processes come and go, and others' are not ours to read. */
function quiet<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
