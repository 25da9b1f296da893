import { spawn, spawnSync, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

/** What goes into a root besides a minimal Debian. */
export interface RootRecipe {
  /** Its name for itself; Debian 13 where none is named. */
  readonly release?: 'trixie' | 'bookworm';
  readonly packages: readonly string[];
  /** A shell script that runs inside before the packages are installed. */
  readonly before?: string;
  /** And one for afterwards. */
  readonly after?: string;
}

/** The Node and npm that Debian 13 packages: what a user has who typed `apt install npm git`. */
const userRoot: RootRecipe = { packages: ['ca-certificates', 'curl', 'git', 'nodejs', 'npm'] };

/** Where what takes minutes to make is kept: outside the checkout, so that a new clone finds what the last one made. */
export const cache = process.env['TEST_ROOTS_DIR'] ?? '/var/tmp/appliance-test-roots';
const caBundle = '/etc/ssl/certs/ca-certificates.crt';

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Called with each line of output as it comes. */
  readonly print?: (line: string) => void;
}

export interface RunResult {
  /** Null where the time was up. */
  readonly exitCode: number | null;
  readonly output: string;
}

export interface DebianRoot {
  /** Runs a shell script as root inside, with the machine's network; whatever it started ends with it. */
  readonly run: (script: string, options: RunOptions) => Promise<RunResult>;
  /** Reads a file that a run wrote. */
  readonly read: (path: string) => string;
  /** Puts files in, between runs. */
  readonly put: (from: string, path: string) => void;
  readonly remove: () => void;
}

/** Mounts a root of its own namespaces over the cached one and runs there; ends with the first process inside. */
const enter = String.raw`
set -e
root=$1/root base=$2
mount -t overlay overlay -o "lowerdir=$base,upperdir=$1/upper,workdir=$1/work" "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
for node in null zero full random urandom tty; do touch "$root/dev/$node"; mount --bind "/dev/$node" "$root/dev/$node"; done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
mount -t tmpfs tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
cd "$root"
shift 2
exec chroot "$root" "$@"
`;

function spawnInside(folder: string, base: string, script: string, env: Readonly<Record<string, string>>) {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const inside = ['/usr/bin/env', '-i', ...variables, 'sh', '-c', script];
  const namespaces = ['-m', '-p', '-f', '--kill-child', '--propagation', 'private'];
  return spawn('unshare', [...namespaces, 'sh', '-c', enter, 'enter', folder, base, ...inside], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

const runIn = (folder: string, base: string, script: string, options: RunOptions) =>
  new Promise<RunResult>((resolve, reject) => {
    const usual = {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: '/root',
      TERM: 'dumb',
    };
    const child = spawnInside(folder, base, script, { ...usual, LANG: 'C.UTF-8', ...options.env });
    let output = '';
    let line = '';
    const take = (text: string) => {
      output += text;
      const lines = (line + text).split('\n');
      line = lines.pop() ?? '';
      for (const whole of lines) options.print?.(whole);
    };
    child.stdout.setEncoding('utf8').on('data', take);
    child.stderr.setEncoding('utf8').on('data', take);
    // the first process inside goes with unshare, and everything inside with the first process
    const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs);
    child.on('error', reject);
    child.on('close', (exitCode) => {
      clearTimeout(timer);
      resolve({ exitCode, output });
    });
  });

/** How this machine reaches Debian's packages, for a root that has yet no configuration of its own. */
function debianMirror(): string[] {
  const read = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8') : '');
  if (!/^ID=debian$/m.test(read('/etc/os-release'))) return [];
  const sources = read('/etc/apt/sources.list.d/debian.sources') + read('/etc/apt/sources.list');
  const found = /^(?:URIs:|deb(?: \[[^\]]*\])?)\s+(https?:\S+)/m.exec(sources)?.[1];
  return found === undefined ? [] : [found];
}

/** The machine's ways out, given to a root: name service, authorities that it trusts, apt's proxy and checks. */
function connect(root: string): void {
  const put = (from: string, to: string) => {
    if (existsSync(from)) cpSync(from, join(root, to), { recursive: true, dereference: true });
  };
  put('/etc/resolv.conf', 'etc/resolv.conf');
  put('/usr/local/share/ca-certificates', 'usr/local/share/ca-certificates');
  put(caBundle, caBundle);
  const settings = spawnSync('apt-config', ['dump'], { encoding: 'utf8' }).stdout ?? '';
  const wanted = settings.split('\n').filter((line) => /^Acquire::(Check|https?|Retries)/.test(line));
  writeFileSync(join(root, 'etc/apt/apt.conf.d/90machine'), `${wanted.join('\n')}\n`);
}

/** npm's registry, authorities, proxy and credentials as they are set on this machine, wherever they are set. */
function carryNpmSettings(root: string): Record<string, string> {
  const settings = JSON.parse(
    execFileSync('npm', ['config', 'list', '--json'], { encoding: 'utf8' }),
  ) as Record<string, unknown>;
  const env: Record<string, string> = {};
  for (const name of ['registry', 'proxy', 'https-proxy', 'noproxy']) {
    const value = settings[name];
    if (typeof value === 'string' && value !== '') env[`npm_config_${name.replace('-', '_')}`] = value;
  }
  if (typeof settings['cafile'] === 'string' && existsSync(settings['cafile'])) {
    cpSync(settings['cafile'], join(root, 'etc/ssl/npm-cafile.pem'), { dereference: true });
    env['npm_config_cafile'] = '/etc/ssl/npm-cafile.pem';
  }
  if (typeof settings['userconfig'] === 'string' && existsSync(settings['userconfig'])) {
    cpSync(settings['userconfig'], join(root, 'root/.npmrc'));
    chmodSync(join(root, 'root/.npmrc'), 0o600);
  }
  if (process.env['NODE_EXTRA_CA_CERTS'] !== undefined) env['NODE_EXTRA_CA_CERTS'] = caBundle;
  return env;
}

/**
 * Makes a root of Debian with packages, or finds the one made before: minutes against nothing. Gives its folder,
 * which is shared by all runs: lay something over it, and write nothing into it.
 */
export async function debianBase(
  { release = 'trixie', packages, before = 'true', after = 'true' }: RootRecipe,
  print: (line: string) => void,
): Promise<string> {
  const recipe = createHash('sha256')
    .update(JSON.stringify([release, packages, before, after, enter]))
    .digest('hex');
  const base = join(cache, `${release}-${recipe.slice(0, 12)}`);
  if (existsSync(base)) return base;
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'making-'));
  const started = Date.now();
  print(`Making a root of Debian ${release} with ${packages.join(' ')} in ${cache} (once, some minutes) …`);
  try {
    const bare = join(folder, 'bare');
    const made = spawnSync('debootstrap', ['--variant=minbase', release, bare, ...debianMirror()], {
      encoding: 'utf8',
    });
    if (made.status !== 0) throw new Error(`debootstrap failed: ${made.stdout.slice(-1000)}${made.stderr}`);
    connect(bare);
    for (const part of ['root', 'upper', 'work']) mkdirSync(join(folder, part));
    const apt = 'DEBIAN_FRONTEND=noninteractive apt-get';
    const install = `set -e
      ${before}
      ${apt} update && ${apt} install -y --no-install-recommends ${packages.join(' ')} && ${apt} clean
      ${after}`;
    const installed = await runIn(folder, bare, install, { timeoutMs: 600_000 });
    if (installed.exitCode !== 0) throw new Error(`apt-get failed: ${installed.output.slice(-2000)}`);
    // the two layers as one folder, which is what a run is laid over
    execFileSync('cp', ['-a', `${join(folder, 'upper')}/.`, bare]);
    connect(bare);
    if (!existsSync(base)) renameSync(bare, base);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  print(`Making a root of Debian ${release}: done in ${Math.round((Date.now() - started) / 1000)} s`);
  return base;
}

/** A root as fresh as after Debian's installer; what is written there is gone with `remove`. */
export async function freshDebianRoot(print: (line: string) => void): Promise<DebianRoot> {
  const base = await debianBase(userRoot, print);
  const folder = mkdtempSync(join(cache, 'run-'));
  const upper = join(folder, 'upper');
  for (const part of ['root', 'upper/root', 'upper/etc/ssl', 'work'])
    mkdirSync(join(folder, part), { recursive: true });
  const npmEnv = carryNpmSettings(upper);
  return {
    run: (script, options) => runIn(folder, base, script, { ...options, env: { ...npmEnv, ...options.env } }),
    read: (path) => readFileSync(join(upper, path), 'utf8'),
    put: (from, path) => {
      mkdirSync(dirname(join(upper, path)), { recursive: true });
      cpSync(from, join(upper, path), { verbatimSymlinks: true });
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
