// `npm run lock`, after a dependency was added or moved: `npm ci` refuses a lock file that leaves out packages for
// other platforms, and npm leaves them out when a registry does not carry them. They are never installed on Linux
// x64, so an entry with version and platform is enough.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const file = join(import.meta.dirname, '..', 'package-lock.json');
const lock = JSON.parse(readFileSync(file, 'utf8'));
const systems = [
  'aix',
  'android',
  'darwin',
  'freebsd',
  'linux',
  'netbsd',
  'openbsd',
  'openharmony',
  'sunos',
  'win32',
];
const processors = [
  'arm',
  'arm64',
  'ia32',
  'loong64',
  'mips64el',
  'ppc64',
  'riscv64',
  's390x',
  'wasm32',
  'x64',
];

for (const [path, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (`node_modules/${name}` in lock.packages || `${path}/node_modules/${name}` in lock.packages) continue;
    const words = name.split(/[/-]/);
    const os = words.filter((word) => systems.includes(word));
    const cpu = words.filter((word) => processors.includes(word));
    if (os.length === 0 || cpu.length === 0 || !/^\d/.test(version)) {
      throw new Error(
        `${path} wants ${name}@${version}, which is not in the lock file and for no platform by name`,
      );
    }
    if (os.includes('linux') && cpu.includes('x64') && !words.includes('musl')) {
      throw new Error(
        `${name}@${version} is for this platform: choose a version of ${path} whose package there is`,
      );
    }
    const libc = words.some((word) => word.startsWith('musl')) ? ['musl'] : ['glibc'];
    const dev = entry.dev === true ? { dev: true } : {};
    const platform = { cpu, ...dev, ...(os.includes('linux') ? { libc } : {}), optional: true, os };
    lock.packages[`node_modules/${name}`] = { version, ...platform };
    console.log(`added ${name}@${version}`);
  }
}
lock.packages = Object.fromEntries(
  Object.entries(lock.packages).toSorted(([a], [b]) => a.localeCompare(b, 'en')),
);
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
