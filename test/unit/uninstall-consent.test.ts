import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { Io } from '../../src/cli/command.ts';
import { runCommandLine } from '../../src/cli/run.ts';
import { uninstallCommand } from '../../src/cli/uninstall.ts';
import type { UninstallPlan } from '../../src/host/install/uninstall.ts';

/** What the command does where `typed` is typed; undefined where there is no terminal. */
async function uninstall(argv: readonly string[], typed?: string, change: Partial<UninstallPlan> = {}) {
  let removed = false;
  let out = '';
  let err = '';
  const input = Object.assign(new PassThrough(), { isTTY: typed !== undefined });
  input.end(typed ?? 'y\n');
  const plan = {
    steps: [{ name: 'stop-units', does: 'stop the service', run: () => Promise.resolve([]) }],
    stays: ['/var/lib/appliance: data'],
    unknown: [],
    ...change,
  };
  const command = uninstallCommand(
    {
      plan: () => Promise.resolve(plan),
      apply() {
        removed = true;
        return Promise.resolve({ left: [], failed: [] });
      },
    },
    () => input,
  );
  const io: Io = {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    environment: {},
    workingFolder: '/srv',
  };
  const exitCode = await runCommandLine(['uninstall', ...argv], [command], io);
  return { removed, exitCode, out, err };
}

describe('"uninstall"', () => {
  it.each([
    [[], 'y\n', true],
    [[], '\n', false],
    [[], 'n\n', false],
    [[], '', false],
    [['--purge'], 'y\n', false],
    [['--purge'], 'purge\n', true],
    [['--yes'], '', true],
    [['--dry-run'], 'y\n', false],
  ])('%j with %j typed on a terminal removes: %j', async (argv, typed, removes) => {
    const { removed, exitCode, err } = await uninstall(argv, typed);
    expect(removed).toBe(removes);
    if (!removes && argv[0] !== '--dry-run') {
      expect(exitCode).not.toBe(0);
      expect(err).toMatch(/nothing was (removed|changed)/);
    }
  });

  it.each([[[]], [['--purge']]])('%j without a terminal asks for --yes with exit code 2', async (argv) => {
    const { removed, exitCode, err } = await uninstall(argv);
    expect([removed, exitCode, err]).toEqual([false, 2, expect.stringContaining('add --yes')]);
    expect(await uninstall([...argv, '--yes'])).toMatchObject({ removed: true, exitCode: 0 });
  });

  it('is not at its end where something could not be looked at, even with nothing else to do', async () => {
    const nothing = { steps: [], stays: [] };
    expect(await uninstall([], undefined, nothing)).toMatchObject({
      exitCode: 0,
      out: 'nothing is left to remove\n',
    });
    expect(await uninstall([], undefined, { ...nothing, unknown: ['Docker is silent'] })).toMatchObject({
      exitCode: 1,
      out: 'nothing else is left to remove\nunknown: Docker is silent\n',
    });
  });

  it('has its dry run as JSON for scripts, which alone may be JSON', async () => {
    const { out } = await uninstall(['--dry-run', '--json']);
    expect(JSON.parse(out)).toEqual({
      schema: 1,
      steps: [{ name: 'stop-units', does: 'stop the service' }],
      stays: ['/var/lib/appliance: data'],
      unknown: [],
    });
    expect(await uninstall(['--yes', '--json'])).toMatchObject({ removed: false, exitCode: 2 });
  });
});
