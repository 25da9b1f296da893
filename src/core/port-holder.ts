import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** A process that listens on a port. */
export interface PortListener {
  readonly pid: number;
  /** Of a worker of ours, its supervisor's: a worker is replaced when it is ended. */
  readonly name: string;
  /** The systemd unit that it runs in, as `nginx.service`. */
  readonly unit?: string | undefined;
}

/** Who listens on a TCP port of this host, as `NAME (process PID)`; undefined as with `portListener`. For messages only. */
export function portHolder(port: number): string | undefined {
  const listener = portListener(port);
  return listener && `${listener.name} (process ${listener.pid})`;
}

/**
 * Who listens on a TCP port of this host; undefined when nobody does, or the process cannot be seen: by this user, or by anybody
 * while it is ending, when its sockets are still open and its descriptors are gone already. From proc(5).
 */
export function portListener(port: number, proc = '/proc'): PortListener | undefined {
  const inodes = new Set(listeningSockets(port, proc).map(({ inode }) => inode));
  if (inodes.size === 0) return undefined;
  for (const pid of entries(proc).filter((name) => /^\d+$/.test(name))) {
    const holds = entries(`${proc}/${pid}/fd`).some((fd) => {
      const inode = /^socket:\[(\d+)\]$/.exec(
        quiet(() => readlinkSync(`${proc}/${pid}/fd/${fd}`)) ?? '',
      )?.[1];
      return inode !== undefined && inodes.has(inode);
    });
    const listener = holds ? describe(pid, proc) : undefined;
    if (listener !== undefined) return listener;
  }
  return undefined;
}

/** The users whose processes listen on a TCP port, of whichever address: anybody may see so much. Empty where nobody listens. */
export function listeningUsers(port: number, proc = '/proc'): ReadonlySet<number> {
  return new Set(listeningSockets(port, proc).map(({ uid }) => uid));
}

/** Undefined where it has ended meanwhile. */
function describe(pid: string, proc: string): PortListener | undefined {
  const name = (of: string) => quiet(() => readFileSync(`${proc}/${of}/comm`, 'utf8').trim());
  const parent = /\) \S (\d+)/.exec(quiet(() => readFileSync(`${proc}/${pid}/stat`, 'utf8')) ?? '')?.[1];
  const ours = name(pid) === 'appliance-work' && parent !== undefined && name(parent) === 'appliance';
  const cgroup = quiet(() => readFileSync(`${proc}/${pid}/cgroup`, 'utf8')) ?? '';
  const holder = ours ? parent : pid;
  const holderName = name(holder);
  if (holderName === undefined) return undefined;
  return {
    pid: Number(holder),
    name: holderName,
    unit: /\/([^/\n]+\.service)(?:\/|$)/m.exec(cgroup)?.[1],
  };
}

function listeningSockets(port: number, proc: string): readonly { inode: string; uid: number }[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const listenState = '0A';
  return [`${proc}/net/tcp`, `${proc}/net/tcp6`]
    .flatMap((path) => (quiet(() => readFileSync(path, 'utf8')) ?? '').split('\n'))
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(suffix) === true && fields[3] === listenState)
    .map((fields) => ({ inode: fields[9]!, uid: Number(fields[7]) }));
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
