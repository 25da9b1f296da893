import { describe, expect, it } from 'vitest';
import type { Io } from '../../src/cli/command.ts';
import { runCommandLine } from '../../src/cli/run.ts';
import { exitCodeOf } from '../../src/host/upgrade/transient-unit.ts';
import { type Upgrader, upgradeCommands } from '../../src/cli/upgrade.ts';

/** One that begins and never ends. */
function setUp(environment: Readonly<Record<string, string>> = {}) {
  let begun = 0;
  let settled = 0;
  let out = '';
  let err = '';
  const refuse = () => Promise.reject(new Error('nobody asked for it'));
  const upgrader: Upgrader = {
    begin() {
      begun++;
      return new Promise(() => {});
    },
    apply: refuse,
    async settle(_config, from = '?') {
      settled++;
      return { from, to: '2.0.0', running: true };
    },
    examine: refuse,
    renewFiles: refuse,
  };
  const io: Io = {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    environment,
    workingFolder: '/srv',
  };
  const commands = upgradeCommands(upgrader, () => []);
  return {
    run: (...argv: string[]) => runCommandLine(argv, commands, io),
    begun: () => begun,
    settled: () => settled,
    out: () => out,
    err: () => err,
  };
}

describe('whoever follows an upgrade', () => {
  it.each([['upgrade', './appliance'], ['rollback']])(
    'is told at Ctrl-C where it goes on (%s)',
    async (...argv) => {
      const before = process.listeners('SIGINT');
      const { run, err } = setUp();
      const ended = run(...argv);
      const [interrupt] = process.listeners('SIGINT').filter((each) => !before.includes(each));
      interrupt!('SIGINT');
      expect(await ended).toBe(1);
      expect(err()).toMatch(
        /it goes on, in the unit appliance-upgrade\nto do: .*systemctl status appliance-upgrade/,
      );
      expect(process.listeners('SIGINT')).toEqual(before);
    },
  );

  it('has named a file, not nothing', async () => {
    const { run, begun, err } = setUp();
    expect([await run('upgrade', ''), begun()]).toEqual([2, 0]);
    expect(err()).toContain('the file of a release is missing');
  });

  it.each([
    ['its own, where it says what failed', 3, '', 'making a backup\nerror: no room\n', 3],
    ['0, where it has a result', 0, '1.1.0 serves\n', '', 0],
    ['0, where it was killed and then finished', 1, '1.1.0 serves\n', 'it was ended (KILL)\n', 0],
    ['none, where it was killed', 1, '', '1.1.0 answers; watching it for 15 s\n', undefined],
    ['none, where somebody stopped its unit', 0, '', 'making a backup\n', undefined],
  ])('is given an exit code: %s', (_, status, stdout, stderr, code) => {
    expect(exitCodeOf(status, { stdout, stderr })).toBe(code);
  });
});

describe('what systemd runs when an upgrade has ended', () => {
  it.each([
    ['does nothing', { EXIT_CODE: 'exited', EXIT_STATUS: '1' }, 0],
    ['settles what was killed', { EXIT_CODE: 'killed', EXIT_STATUS: 'KILL' }, 1],
    ['settles what was stopped', { EXIT_CODE: 'killed', EXIT_STATUS: 'TERM' }, 1],
  ])('%s (%o)', async (_, environment, times) => {
    const { run, settled, out } = setUp(environment);
    expect(await run('upgrade', 'settle', '--from', '1.0.0')).toBe(0);
    expect(settled()).toBe(times);
    expect(out()).toBe(times === 0 ? '' : '2.0.0 serves; 1.0.0 stays, to go back: sudo appliance rollback\n');
  });
});
