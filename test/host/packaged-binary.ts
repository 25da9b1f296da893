import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface PackagedBinary {
  readonly file: string;
  remove(): void;
}

export interface BinaryOptions {
  /** Another program than `src/main.ts`. */
  readonly entry?: string;
  readonly version?: string;
  /** A file with a private key. */
  readonly signingKey?: string;
}

const root = join(import.meta.dirname, '../..');
const made = join(root, '.build', 'packaged');

/** Of everything that the binary is made of. */
function sumOfSources(): string {
  const list = ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--deduplicate'];
  const files = execFileSync('git', list, { cwd: root, encoding: 'utf8' }).split('\0');
  const sum = createHash('sha256');
  for (const file of files.filter((name) => name !== '' && !/^(test|docs)\//.test(name))) {
    const path = join(root, file);
    sum.update(`${file}\0`).update(existsSync(path) ? readFileSync(path) : 'gone');
  }
  return sum.digest('hex').slice(0, 16);
}

function buildInto(folder: string, { entry = 'src/main.ts', ...options }: BinaryOptions = {}): void {
  // the packer does not load under vitest's own loader
  const builder = join(root, 'build/build.ts');
  const parts = [entry, folder, options].map((part) => JSON.stringify(part)).join();
  const build = `await (await import(${JSON.stringify(builder)})).build(${parts})`;
  execFileSync(process.execPath, ['--input-type=module', '-e', build], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

/** A folder with what the build makes of these sources, made once for all suites. */
function built(): string {
  const sum = sumOfSources();
  const folder = join(made, sum);
  if (existsSync(folder)) return folder;
  mkdirSync(made, { recursive: true });
  const work = mkdtempSync(`${made}-`);
  try {
    buildInto(work);
    // those of other sources are in nobody's way but the disk's
    for (const name of readdirSync(made))
      if (name !== sum) rmSync(join(made, name), { recursive: true, force: true });
    if (!existsSync(folder)) renameSync(work, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return folder;
}

/** The packaged binary of these sources, or of a variant that is built for it alone, in a folder of the caller's own. */
export function buildBinary(options?: BinaryOptions): PackagedBinary {
  const folder = mkdtempSync(join(tmpdir(), 'packaged-'));
  if (options === undefined) cpSync(built(), folder, { recursive: true });
  else buildInto(folder, options);
  return {
    file: join(folder, 'appliance'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
