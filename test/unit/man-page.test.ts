import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import type { Command } from '../../src/cli/command.ts';
import { configurationHelp } from '../../src/cli/help-configuration.ts';
import { manPage } from '../../src/cli/man-page.ts';
import { shellFiles } from '../../src/cli/shell-files.ts';
import { settings } from '../../src/config/schema.ts';
import { shellFileMark, shellPlaces } from '../../src/core/shell-places.ts';

const command = (name: string, detail: Partial<Command> = {}): Command => ({
  name,
  summary: `do ${name}`,
  usage: name,
  examples: [{ command: `appliance ${name}`, does: 'do it' }],
  run: async () => 0,
  ...detail,
});
const commands = [
  command('serve', { takesConfiguration: true }),
  command('stack logs', {
    usage: 'stack logs [SERVICE…] [--tail LINES]',
    options: { tail: { value: 'LINES', short: 'n', help: "the last, as 'tail' has it" } },
    examples: [{ command: `appliance stack logs | grep "a\\b" 'x' -v ~/.y ^z`, does: '.so far' }],
  }),
  command('secret work', { hidden: true }),
];
const page = manPage(commands);

const shown = (): string => {
  const run = spawnSync('groff', ['-man', '-ww', '-Tutf8', '-P-cbu', '-rLL=200n'], {
    input: page,
    encoding: 'utf8',
  });
  expect([run.status, run.stderr]).toEqual([0, '']);
  return run.stdout.replaceAll(/ +/g, ' ');
};

describe('the manual', () => {
  it('is set without a complaint, and shows every sign as it is typed', () => {
    const text = shown();
    expect(text).toContain(`appliance stack logs | grep "a\\b" 'x' -v ~/.y ^z`);
    expect(text).toContain('appliance stack logs [SERVICE…] [--tail LINES]');
    expect(text).toContain('--tail, -n LINES');
    expect(text).toContain("The last, as 'tail' has it.");
    expect(text).toContain('.so far.');
  });

  it('has every key, every exit code, and nothing hidden', () => {
    const text = shown();
    for (const [, { key, file, effective }] of settings)
      if (effective && file.endsWith('.env')) expect(text).toContain(key);
    expect(text).toContain('the service is not running');
    expect(text).not.toContain('secret work');
  });
});

describe('what an installed host gets', () => {
  it('says in each file who made it, for whoever removes it', () => {
    const files = shellFiles(commands);
    expect(files.map(({ path }) => path)).toEqual(Object.values(shellPlaces));
    for (const { text } of files) expect(text).toContain(shellFileMark);
    expect(files[1]!.text.startsWith('#compdef appliance\n')).toBe(true);
  });
});

describe('the help on the configuration', () => {
  it('has every key with its flag, its default and its help, and secrets without a flag', () => {
    const text = configurationHelp({ write: () => true });
    expect(text).toMatch(
      /APP_HTTP_PORT {2}--http-port VALUE\n {6}The port for plain HTTP[^]*?Default: 8080\./,
    );
    expect(text).toContain('POSTGRES_PASSWORD  (a secret: no flag)');
    expect(text).not.toContain('--postgres-password');
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(90);
  });
});
