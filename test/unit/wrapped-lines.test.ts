import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { Command } from '../../src/cli/command.ts';
import { doctorCommand } from '../../src/cli/doctor.ts';
import { runCommandLine } from '../../src/cli/run.ts';
import { uninstallCommand } from '../../src/cli/uninstall.ts';

const backup =
  'none yet, the schedule makes the first; at once: sudo appliance backup create, and then look again';
const units = Array.from({ length: 12 }, (_, number) => `/etc/systemd/system/unit-${number}.service`);
const removal = `stop, disable and remove ${units.join(', ')}`;

async function linesOf(command: Command, isTTY: boolean, ...argv: readonly string[]): Promise<string[]> {
  let out = '';
  const stdout = { isTTY, write: (text: string) => (out += text) };
  const io = { stdout, stderr: stdout, environment: {}, workingFolder: '/srv' };
  await runCommandLine([command.name, ...argv], [command], io);
  return stripVTControlCharacters(out).split('\n');
}

const doctor = (isTTY: boolean) => {
  const finding = { name: 'backup', title: 'backup', state: 'skipped', words: backup } as const;
  return linesOf(doctorCommand({ run: () => Promise.resolve([finding]) }), isTTY);
};
const uninstall = (isTTY: boolean) => {
  const steps = [{ name: 'remove-units', does: removal, run: () => Promise.resolve([]) }];
  const plan = () => Promise.resolve({ steps, stays: [], unknown: [] });
  const apply = () => Promise.reject(new Error('it was a dry run'));
  return linesOf(uninstallCommand({ plan, apply }), isTTY, '--dry-run');
};

describe('a text that is longer than a line', () => {
  it.each([true, false])(
    'of doctor goes on under its column, and nothing is cut (terminal: %j)',
    async (tty) => {
      const lines = await doctor(tty);
      const end = lines.indexOf('');
      expect(lines.slice(0, end).every((line) => line.length <= 80)).toBe(true);
      expect(lines.slice(0, end).map((line) => line.slice(28))).toEqual([
        'none yet, the schedule makes the first; at once:',
        'sudo appliance backup create, and then look again',
      ]);
      expect(lines[1]).toMatch(/^ {28}\S/);
    },
  );

  it('of the plan of "uninstall" does so on a terminal, and is one line for scripts', async () => {
    const lines = (await uninstall(true)).slice(1, -1);
    expect(lines.length).toBeGreaterThan(5);
    expect(lines.every((line) => line.length <= 80)).toBe(true);
    expect(lines.map((line) => line.slice(16)).join(' ')).toBe(removal);
    expect(await uninstall(false)).toContain(`  remove-units  ${removal}`);
  });
});
