import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, globSync, mkdirSync, mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cache, debianBase, type RootRecipe } from '../support/debian-root.ts';

const script = join(import.meta.dirname, 'host.sh');

const packages = ['systemd', 'systemd-sysv', 'dbus', 'ca-certificates', 'iproute2', 'curl', 'procps', 'sudo'];
const docker = ['docker.io', 'docker-cli', 'docker-compose', 'iptables'];
/** No kernel modules to load and no terminals to serve in there, and nothing that comes by itself at some time of the day. */
const masked = [
  'systemd-modules-load.service',
  'getty.target',
  'console-getty.service',
  'systemd-networkd-wait-online.service',
  'systemd-binfmt.service',
  'apt-daily.timer',
  'apt-daily-upgrade.timer',
  'dpkg-db-backup.timer',
  'e2scrub_all.timer',
  'fstrim.timer',
  'systemd-tmpfiles-clean.timer',
];
const mask = masked.map((unit) => `ln -sf /dev/null /etc/systemd/system/${unit}`).join('\n');
const recipes = {
  /** Debian 13 with Docker and Compose. */
  docker: { packages: [...packages, ...docker], after: mask },
  /** Debian 13 without. */
  bare: { packages, after: mask },
  /** The oldest that is supported, whose Docker has no Compose v2. */
  'debian-12': { release: 'bookworm', packages: [...packages, 'docker.io', 'iptables'], after: mask },
} satisfies Record<string, RootRecipe>;

export type HostKind = keyof typeof recipes;

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * A whole Debian with systemd and, unless it is bare, Docker, at the other end of a cable. No way leads further from
 * there, but for apt's to the servers of packages.
 */
export interface ThrowawayHost {
  /** Of its end of the cable. */
  readonly address: string;
  readonly addressV6: string;
  /** What its name server says to `NAME.test`, whatever the name; `elsewhere.test` is another and `nowhere.test` none. */
  readonly name: string;
  /** The machine's addresses at our end: callers that are not loopback. The first is the usual one. */
  readonly callers: readonly string[];
  readonly callerV6: string;
  /** Runs a script of bash as root. */
  run(script: string, input?: string): Ended;
  /** The same, while we do something else. */
  start(script: string): Promise<Ended>;
  put(from: string, to: string, mode?: string): void;
  /** Runs a program with the content of a file as its input. */
  feed(file: string, ...command: readonly string[]): void;
  /** Writes what a program prints into a file. */
  fetch(file: string, ...command: readonly string[]): void;
  /** The power fails and comes back. */
  reboot(): void;
  remove(): void;
}

/** When a process began, in ticks since the machine did; nothing where there is none. */
function beganAt(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')[19];
  } catch {
    return undefined;
  }
}
const ourMark = `${process.pid} ${beganAt(process.pid)}`;

/** PID and beginning; nothing where somebody else has just cleared the host away. */
function ownerOf(mark: string): readonly string[] {
  try {
    return readFileSync(mark, 'utf8').split(' ');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return [];
  }
}

/** Stops the hosts of runs that were killed. */
function sweep(): void {
  for (const mark of globSync('host-*/owner', { cwd: cache })) {
    const [pid, began] = ownerOf(join(cache, mark));
    if (pid !== undefined && beganAt(Number(pid)) !== began)
      execFileSync(script, ['stop', dirname(join(cache, mark))]);
  }
}

/** Lets apt in the host reach what this machine's own reaches; the way is open as long as our process lives. */
async function openWayToPackages(folder: string, base: string, address: string): Promise<() => void> {
  const way = spawn(process.execPath, [join(import.meta.dirname, 'packages-way.ts'), address, base], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [port] = (await once(way.stdout, 'data')) as [Buffer];
  const settings = ['http', 'https'].map(
    (scheme) => `Acquire::${scheme}::Proxy "http://${address}:${String(port).trim()}";\n`,
  );
  writeFileSync(join(folder, 'root/etc/apt/apt.conf.d/95cable'), settings.join(''));
  return () => way.stdin.end();
}

export async function bootHost(kind: HostKind, print: (line: string) => void): Promise<ThrowawayHost> {
  const base = await debianBase(recipes[kind], print);
  mkdirSync(cache, { recursive: true });
  sweep();
  const folder = mkdtempSync(join(cache, 'host-'));
  writeFileSync(join(folder, 'owner'), ourMark);
  const stop = () => void execFileSync(script, ['stop', folder], { stdio: 'inherit' });
  try {
    execFileSync(script, ['boot', folder, base], { stdio: ['ignore', 'inherit', 'inherit'] });
    // systemd makes it for the first timer that remembers when it came, and those of the base are masked
    mkdirSync(join(folder, 'root/var/lib/systemd/timers'), { recursive: true });
    const number = readFileSync(join(folder, 'number'), 'utf8').trim();
    const closeWay = await openWayToPackages(folder, base, `10.213.${number}.1`);
    return hostIn(folder, number, () => {
      closeWay();
      stop();
    });
  } catch (error) {
    stop();
    throw error;
  }
}

function hostIn(folder: string, number: string, remove: () => void): ThrowawayHost {
  const exec = (...command: readonly string[]) => ['exec', folder, ...command];
  const withFile = (file: string, flags: 'r' | 'w', command: readonly string[]): void => {
    const descriptor = openSync(file, flags);
    try {
      const [input, output] =
        flags === 'r' ? [descriptor, 'ignore' as const] : ['ignore' as const, descriptor];
      execFileSync(script, exec(...command), { stdio: [input, output, 'inherit'] });
    } finally {
      closeSync(descriptor);
    }
  };
  const at = (last: number) => `10.213.${number}.${last}`;
  return {
    address: at(2),
    addressV6: `fd5a:6170:${number}::2`,
    name: 'appliance.test',
    callers: [1, 11, 12, 13].map(at),
    callerV6: `fd5a:6170:${number}::1`,
    run(text, input = '') {
      const { status, stdout, stderr } = spawnSync(script, exec('bash', '-c', text), {
        input,
        encoding: 'utf8',
        maxBuffer: 64 << 20,
      });
      return { status, stdout, stderr };
    },
    start: (text) =>
      new Promise((resolve, reject) => {
        const child = spawn(script, exec('bash', '-c', text), { stdio: ['ignore', 'pipe', 'pipe'] });
        let stdout = '';
        let stderr = '';
        child.stdout.on('data', (chunk) => (stdout += String(chunk)));
        child.stderr.on('data', (chunk) => (stderr += String(chunk)));
        child.once('error', reject);
        child.once('close', (status) => resolve({ status, stdout, stderr }));
      }),
    put(from, to, mode = '0755') {
      const write = 'mkdir -p "$(dirname "$1")" && cat >"$1" && chmod "$2" "$1"';
      withFile(from, 'r', ['bash', '-c', write, 'put', to, mode]);
    },
    feed: (file, ...command) => withFile(file, 'r', command),
    fetch: (file, ...command) => withFile(file, 'w', command),
    reboot: () => void execFileSync(script, ['reboot', folder], { stdio: 'inherit' }),
    remove,
  };
}
