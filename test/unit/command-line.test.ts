import { describe, expect, it } from 'vitest';

import type { Command, Io, ParsedArgs } from '../../src/cli/command.ts';
import { runCommandLine } from '../../src/cli/run.ts';
import { versionCommand } from '../../src/cli/version.ts';
import { exitCodes, Failure } from '../../src/core/errors.ts';
import { version } from '../../src/core/version.ts';

function command(name: string, detail: Partial<Command> = {}): Command {
  return {
    name,
    summary: `do ${name}`,
    usage: name,
    examples: [{ command: `appliance ${name}`, does: 'do it' }],
    run: async () => exitCodes.done,
    ...detail,
  };
}

async function run(argv: readonly string[], commands: readonly Command[]) {
  const out: string[] = [];
  const err: string[] = [];
  const io: Io = {
    stdout: { write: (text) => out.push(text) },
    stderr: { write: (text) => err.push(text) },
    environment: {},
    workingFolder: '/srv',
  };
  const exitCode = await runCommandLine(argv, commands, io);
  return { exitCode, out: out.join(''), err: err.join('') };
}

/** What a command that takes the configuration and two flags of its own is called with. */
async function argsOf(...argv: string[]): Promise<ParsedArgs> {
  let seen: ParsedArgs | undefined;
  const options = {
    json: { help: 'JSON' },
    name: { value: 'NAME', help: 'a name' },
    each: { value: 'NAME', many: true, help: 'names' },
  };
  const spy = command('spy', {
    options,
    takesConfiguration: true,
    maxPositionals: 1,
    run: async (args) => {
      seen = args;
      return exitCodes.done;
    },
  });
  const { err } = await run(['spy', ...argv], [spy]);
  if (seen === undefined) throw new Error(err);
  return seen;
}

describe('the arguments of a command', () => {
  it('are flags with a value, switches and words', async () => {
    const args = await argsOf('--http-port', '80', '--name=a=b', 'word', '--json');
    expect(args.flags).toEqual({ 'http-port': '80', name: 'a=b' });
    expect([...args.switches]).toEqual(['json']);
    expect(args.positionals).toEqual(['word']);
  });

  it('end at --', async () => {
    expect((await argsOf('--', '--json')).positionals).toEqual(['--json']);
  });

  it('come joined where a flag takes several values', async () => {
    expect((await argsOf('--each', 'a', '--each=b,c', '--each', 'd')).flags).toEqual({ each: 'a,b,c,d' });
  });

  it.each([
    [['--htp-port', '80'], 'has no flag --htp-port', 'did you mean --http-port?'],
    [['-x'], 'has no flag -x', '"appliance spy --help"'],
    [['--__proto__'], 'has no flag --__proto__', '"appliance spy --help"'],
    [['--json=1'], '--json takes no value', '"appliance spy --help"'],
    [['--name'], '--name needs a value', 'write --name=NAME;'],
    [['--name', '--json'], '--name needs a value', 'write --name=NAME;'],
    [['--name', 'a', '--name', 'b'], '--name is given twice', 'leave one of them out;'],
    [['--name=a', '--name=a'], '--name is given twice', 'leave one of them out;'],
    [['--http-port', '80', '--http-port=81'], '--http-port is given twice', '"appliance spy --help"'],
    [['one', 'two'], 'has no use for the argument "two"', '"appliance spy --help"'],
    [['--redis-pass', 'hunter2'], 'there is no flag --redis-pass', 'put REDIS_PASS in its file'],
    [['--redis-pass=hunter2'], 'there is no flag --redis-pass', 'put REDIS_PASS in its file'],
    [['--alert-command=hunter2'], 'there is no flag --alert-command', 'put APP_ALERT_COMMAND in its file'],
  ])('are refused when they are %j', async (argv, what, remedy) => {
    const failure = await argsOf(...argv).catch((error: Error) => error.message);
    expect(failure).toContain(what);
    expect(failure).toContain(remedy);
    expect(failure).not.toContain('hunter2');
  });
});

describe('the command', () => {
  const commands = [
    command('serve'),
    command('config check'),
    command('config show'),
    command('admin user add'),
    command('admin user list'),
    command('config internal', { hidden: true }),
    command('internal', { hidden: true }),
  ];

  it.each([
    [['srve'], 'there is no command "srve"', 'did you mean "appliance serve"?'],
    [['confg', 'check'], 'there is no command "confg"', 'did you mean "appliance config"?'],
    [['config'], '"config" needs another word', '"appliance config check", "appliance config show"'],
    [['config', '--json'], '"config" needs another word', '"appliance config check"'],
    [['config', 'chekc'], 'there is no command "config chekc"', 'did you mean "appliance config check"?'],
    [['config', 'zzz'], 'there is no command "config zzz"', 'there is "appliance config check"'],
    [['admin'], '"admin" needs another word', '"appliance admin user add", "appliance admin user list"'],
    [['admin', 'user'], '"admin user" needs another word', '"appliance admin user list"'],
    [['admin', 'usr', 'add'], 'there is no command "admin usr"', 'did you mean "appliance admin user"?'],
    [['admin', 'user', 'lst'], 'there is no command "admin user lst"', '"appliance admin user list"?'],
    [['zzzzzz'], 'there is no command "zzzzzz"', '"appliance help" lists them'],
    [['help', 'srve'], 'there is no command "srve"', 'did you mean "appliance serve"?'],
    [['--http-port', '80'], 'there is no command "--http-port"', '"appliance help" lists them'],
  ])('is wrong usage when it is %j', async (argv, what, remedy) => {
    const { exitCode, out, err } = await run(argv, commands);
    expect(exitCode).toBe(2);
    expect(out).toBe('');
    expect(err).toContain(`error: ${what}`);
    expect(err).toContain(`to do: `);
    expect(err).toContain(remedy);
  });

  it('is asked for when there is none', async () => {
    const { exitCode, out, err } = await run([], commands);
    expect([exitCode, out]).toEqual([2, '']);
    expect(err).toContain('config check');
  });

  it.each([[['help', 'serve']], [['serve', '--help']], [['serve', '-h']], [['--help', 'serve']]])(
    'is explained, not run, by %j',
    async (argv) => {
      const { exitCode, out, err } = await run(argv, [
        command('serve', { run: () => Promise.reject(new Error()) }),
      ]);
      expect([exitCode, err]).toEqual([0, '']);
      expect(out).toContain('$ appliance serve');
    },
  );
});

describe('a group of commands', () => {
  const commands = [
    command('backup create'),
    command('backup scheduled', { hidden: true }),
    command('admin user add'),
    command('serve'),
  ];

  it.each([
    [['backup', '--help'], 'appliance backup create'],
    [['backup', '-h'], 'appliance backup create'],
    [['help', 'backup'], 'appliance backup create'],
    [['--help', 'admin'], 'appliance admin user add'],
    [['admin', 'user', '--help'], 'appliance admin user add'],
  ])('is explained by %j, without what is hidden', async (argv, has) => {
    const { exitCode, out, err } = await run(argv, commands);
    expect([exitCode, err]).toEqual([0, '']);
    expect(out).toContain(has);
    expect(out).not.toContain('scheduled');
    expect(out).not.toContain('serve');
  });

  it('is told from a command, and from nothing at all', async () => {
    expect((await run(['serve', '--help'], commands)).out).toContain('appliance serve: do serve');
    expect((await run(['nothing', '--help'], commands)).exitCode).toBe(2);
    const wrong = await run(['backup', 'schedule'], commands);
    expect(wrong.err).toContain('"appliance backup create"');
    expect(wrong.err).not.toContain('scheduled');
  });
});

describe('the help on a command with configuration', () => {
  it('is short, and says where all keys are', async () => {
    const { out } = await run(['help', 'spy'], [command('spy', { takesConfiguration: true })]);
    expect(out).toContain('appliance help configuration');
    expect(out).not.toContain('--http-port');
    expect(out).toContain('--secrets-dir');
    expect((await run(['help', 'configuration'], [])).out).toContain('--http-port');
  });
});

describe('the release', () => {
  it.each([[['version']], [['--version']], [['-V']]])('is what %j shows, also as JSON', async (argv) => {
    expect((await run(argv, [versionCommand])).out).toMatch(/^appliance \d+\.\d+\.\d+\S* \(Node /);
    const { out } = await run([...argv, '--json'], [versionCommand]);
    expect(JSON.parse(out)).toEqual({ schema: 1, version });
  });
});

describe('a failure', () => {
  const failing = (thrown: unknown) => {
    const fail = () =>
      Promise.resolve().then(() => {
        throw thrown;
      });
    return run(['fail'], [command('fail', { run: fail })]);
  };

  it('is told once: what failed, why, what to do', async () => {
    const cause = new Error('permission denied', { cause: new Error('not the owner') });
    const error = new Failure('the folder cannot be made', {
      code: 'x',
      remedy: 'use sudo',
      exitCode: 3,
      cause,
    });
    expect(await failing(error)).toEqual({
      exitCode: 3,
      out: '',
      err: 'error: the folder cannot be made\nbecause: permission denied\nbecause: not the owner\nto do: use sudo\n',
    });
  });

  it('that nobody foresaw ends with 1 and says where it happened', async () => {
    const { exitCode, err } = await failing(new TypeError('x is not a function'));
    expect(exitCode).toBe(1);
    expect(err).toMatch(
      /^error: x is not a function\nto do: this is a fault of the program.*\nTypeError: x .*\n +at /,
    );
  });

  it('may be anything that can be thrown', async () => {
    expect(await failing('text')).toMatchObject({ exitCode: 1, err: expect.stringContaining('error: text') });
    expect(await failing(undefined)).toMatchObject({ exitCode: 1 });
  });
});
