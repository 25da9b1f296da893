import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keptInContainers } from '../../src/host/install/kept-in-containers.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'volumes-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Engine {
  readonly containers?: readonly string[];
  readonly marked?: readonly string[];
  readonly volumes?: readonly string[];
}

/** What Docker says; a number is the exit code with which it says nothing. */
function kept(engine: Engine | number, chosenVolume?: string) {
  return keptInContainers({
    chosenVolume,
    folder,
    run(_file, args) {
      if (typeof engine === 'number') return Promise.resolve({ exitCode: engine, stdout: '', stderr: '' });
      const { containers = [], marked = [], volumes = [] } = engine;
      const all = args[0] === 'container' ? containers : args.includes('--filter') ? marked : volumes;
      return Promise.resolve({ exitCode: 0, stdout: all.map((name) => `${name}\n`).join(''), stderr: '' });
    },
  });
}

describe('a host that was to have containers', () => {
  it('keeps nothing in them where there is none, nor a volume', async () => {
    expect(await kept({ volumes: ['shop'] })).toBeUndefined();
    expect(await kept(127)).toBeUndefined();
  });

  it('keeps something where one is there, or a volume by mark, name or choice', async () => {
    expect(await kept({ containers: ['appliance-postgres-1'] })).toContain(
      'containers (appliance-postgres-1)',
    );
    expect(await kept({ marked: ['data'] })).toContain('the volume data');
    expect(await kept({ volumes: ['appliance-postgres-17'] })).toContain('the volume appliance-postgres-17');
    expect(await kept({ volumes: ['mine'] }, 'mine')).toContain('the volume mine');
  });

  it('may keep something where Docker does not answer, or is gone and left a volume', async () => {
    expect(await kept(1)).toContain('Docker does not answer');
    mkdirSync(join(folder, 'appliance-postgres-18'));
    expect(await kept(127)).toContain('Docker is gone, and its volume appliance-postgres-18');
  });
});
