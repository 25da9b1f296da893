import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { needs, suiteNeeds } from '../support/needs.ts';
import { provide, type Machine } from '../support/system-programs.ts';

const suite = 'test/host/fresh-root.test.ts';

/** A machine that has what is listed, and after an install whatever `brings` lists. */
function machineWith(
  has: string[],
  { canInstall = true, brings = [] as string[], failure = '', succeeds = [] as string[] } = {},
) {
  const lines: string[] = [];
  const installs: string[][] = [];
  let present = has;
  const machine: Machine = {
    probe: (command) =>
      succeeds.includes(command) ||
      present.some((name) => needs[name as keyof typeof needs].probe === command),
    canInstall,
    install: (packages, services) => {
      installs.push([...packages, ...services.map((service) => `service ${service}`)]);
      present = [...present, ...brings];
      return failure === '' ? undefined : failure;
    },
    print: (line) => lines.push(line),
  };
  return { machine, lines, installs };
}

describe('what suites need', () => {
  it('is listed for suites that exist', () => {
    const absent = Object.keys(suiteNeeds).filter(
      (file) => !existsSync(join(import.meta.dirname, '../..', file)),
    );
    expect(absent).toEqual([]);
  });

  it('is not installed where it is there', () => {
    const { machine, installs } = machineWith(Object.keys(needs));
    expect(provide([suite], machine)).toEqual([]);
    expect(installs).toEqual([]);
  });

  it('is installed where it is missing, with a line that says what and for which suite', () => {
    const has = ['git', 'util-linux', 'mount namespaces'];
    const { machine, installs, lines } = machineWith(has, { brings: ['debootstrap'] });
    expect(provide([suite], machine)).toEqual([]);
    expect(installs).toEqual([['debootstrap', 'debian-archive-keyring']]);
    expect(lines).toEqual([`Installing debootstrap debian-archive-keyring for ${suite}`]);
  });

  it('leaves the suite out, with the command that would make it run, where nothing may be installed', () => {
    const { machine, installs } = machineWith(['debootstrap', 'util-linux'], { canInstall: false });
    expect(provide([suite], machine)).toEqual([
      {
        suite,
        lacks: ['git', 'mount namespaces'],
        remedy: `sudo apt-get install git && sudo npm test -- ${suite}`,
        cannotRunHere: false,
      },
    ]);
    expect(installs).toEqual([]);
  });

  it('says what else is to be done where no package helps', () => {
    const profiles = 'test/integration/acme-profiles.test.ts';
    const { machine, installs } = machineWith([]);
    expect(provide([profiles], machine)).toEqual([
      {
        suite: profiles,
        lacks: ['Pebble 2.10.1, which needs Go'],
        remedy: `install Go 1.24 or later, with access to its modules, then: npm test -- ${profiles}`,
        cannotRunHere: false,
      },
    ]);
    expect(installs).toEqual([]);
  });

  it('is not asked of a distribution that has no such package: the suite is left out by name', () => {
    const valkey = 'test/integration/cache-valkey.test.ts';
    const { machine, installs } = machineWith(['util-linux'], {
      succeeds: [needs['valkey-server, of Debian 13 and Ubuntu 24.04'].absent],
    });
    expect(provide([valkey], machine)).toMatchObject([{ suite: valkey, cannotRunHere: true }]);
    expect(installs).toEqual([]);
  });

  it('says why an install failed and leaves the suite out', () => {
    const has = ['util-linux', 'git', 'mount namespaces'];
    const { machine, lines } = machineWith(has, { failure: 'no network' });
    expect(provide([suite], machine)).toMatchObject([{ suite, lacks: ['debootstrap'] }]);
    expect(lines.at(-1)).toBe('apt-get failed: no network');
  });

  it('does not touch what a suite that is not to run would need', () => {
    const { machine, installs } = machineWith([]);
    expect(provide(['test/unit/needs.test.ts'], machine)).toEqual([]);
    expect(installs).toEqual([]);
  });
});
