import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { needs, suiteNeeds } from '../support/needs.ts';
import { provide, type Machine } from '../support/system-programs.ts';

const suite = 'test/host/fresh-root.test.ts';

/** A machine that has what is listed, and after an install whatever `brings` lists. */
function machineWith(has: string[], { canInstall = true, brings = [] as string[], failure = '' } = {}) {
  const lines: string[] = [];
  const installs: string[][] = [];
  let present = has;
  const machine: Machine = {
    probe: (command) => present.some((name) => needs[name as keyof typeof needs].probe === command),
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
      },
    ]);
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
