import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { needs, suiteNeeds, type Need } from './needs.ts';

export interface SkippedSuite {
  readonly suite: string;
  readonly lacks: readonly string[];
  /** The command that would make it run. */
  readonly remedy: string;
  /** This distribution has no package of what it lacks. */
  readonly cannotRunHere: boolean;
}

/** What this module asks of the machine; a test gives another. */
export interface Machine {
  readonly probe: (command: string) => boolean;
  /** Whether packages can be installed here without asking anybody. */
  readonly canInstall: boolean;
  /** Installs, or returns why it could not. */
  readonly install: (packages: readonly string[], services: readonly string[]) => string | undefined;
  readonly print: (line: string) => void;
}

const unique = <T>(list: readonly T[]) => [...new Set(list)];

/**
 * Looks for all that the suites need and installs what is missing and may be; says what and for which suite.
 * Returns the suites that still cannot run.
 */
export function provide(suites: readonly string[], machine: Machine): readonly SkippedSuite[] {
  const wanted = suites.flatMap((suite) => (suiteNeeds[suite] ?? []).map((name) => ({ suite, name })));
  const lacking = (names: readonly (keyof typeof needs)[]) =>
    unique(names).filter((name) => !machine.probe(needs[name].probe));
  let missing = lacking(wanted.map(({ name }) => name));
  const absent = missing.filter((name) => isAbsent(name, machine));
  const installable = missing.filter((name) => needs[name].packages.length > 0 && !absent.includes(name));
  if (installable.length > 0 && machine.canInstall) {
    for (const name of installable) {
      const users = wanted.filter((want) => want.name === name).map(({ suite }) => suite);
      machine.print(`Installing ${needs[name].packages.join(' ')} for ${users.join(', ')}`);
    }
    const found = installable.map((name): Need => needs[name]);
    const failure = machine.install(
      unique(found.flatMap((need) => need.packages)),
      found.flatMap((need) => need.service ?? []),
    );
    if (failure !== undefined) machine.print(`apt-get failed: ${failure}`);
    missing = lacking(missing);
  }
  return suites.flatMap((suite) => {
    const lacks = (suiteNeeds[suite] ?? []).filter((name) => missing.includes(name));
    return lacks.length === 0
      ? []
      : [
          {
            suite,
            lacks,
            remedy: remedyFor(suite, lacks),
            cannotRunHere: lacks.every((name) => absent.includes(name)),
          },
        ];
  });
}

function isAbsent(name: keyof typeof needs, machine: Machine): boolean {
  const { absent }: Need = needs[name];
  return absent !== undefined && machine.probe(absent);
}

function remedyFor(suite: string, lacks: readonly (keyof typeof needs)[]): string {
  const packages = unique(lacks.flatMap((name): readonly string[] => needs[name].packages));
  const found = lacks.map((name): Need => needs[name]);
  const byHand = found.flatMap((need) => need.remedy ?? []);
  const onlyForRoot = found.some((need) => need.packages.length === 0 && need.remedy === undefined);
  const install = packages.length === 0 ? [] : [`sudo apt-get install ${packages.join(' ')}`];
  const run = `${onlyForRoot ? 'sudo ' : ''}npm test -- ${suite}`;
  return [...byHand, [...install, run].join(' && ')].join(', then: ');
}

/** The machine that we run on. */
export function thisMachine(print: (line: string) => void): Machine {
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  return {
    probe: (command) => spawnSync('sh', ['-c', command], { stdio: 'ignore' }).status === 0,
    canInstall: process.getuid?.() === 0 && /^ID=(debian|ubuntu)$/m.test(release),
    install: installPackages,
    print,
  };
}

function aptGet(...args: string[]): string | undefined {
  const done = spawnSync('apt-get', ['-o', 'DPkg::Lock::Timeout=120', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    maxBuffer: 64 << 20,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (done.error !== undefined) return done.error.message;
  return done.status === 0 ? undefined : done.stderr.trim().split('\n').slice(-5).join('\n');
}

const startPolicy = '/usr/sbin/policy-rc.d';

/** Debian starts and enables a service with its package: the policy keeps it from starting, the rest from the next boot. */
function installPackages(packages: readonly string[], services: readonly string[]): string | undefined {
  const ours = !existsSync(startPolicy);
  if (ours) writeFileSync(startPolicy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    const install = () => aptGet('install', '--yes', '--no-install-recommends', ...packages);
    // lists may be absent or too old to fetch from
    const failure = install() === undefined ? undefined : (aptGet('update'), install());
    for (const service of services) {
      spawnSync('update-rc.d', [service, 'disable'], { stdio: 'ignore' });
      spawnSync('deb-systemd-helper', ['disable', `${service}.service`], { stdio: 'ignore' });
    }
    return failure;
  } finally {
    if (ours) rmSync(startPolicy, { force: true });
  }
}
