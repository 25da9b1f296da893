import { describe, expect, it } from 'vitest';

import type { Command, Io, ParsedArgs } from '../../src/cli/command.ts';
import { runCommandLine } from '../../src/cli/run.ts';
import { exitCodes, Failure } from '../../src/core/errors.ts';

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
  const options = { json: { help: 'JSON' }, name: { value: 'NAME', help: 'a name' } };
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

  it('end at --, and the last of several counts', async () => {
    expect((await argsOf('--', '--json')).positionals).toEqual(['--json']);
    expect((await argsOf('--name', 'a', '--name', 'b')).flags).toEqual({ name: 'b' });
  });

  it.each([
    [['--htp-port', '80'], 'has no flag --htp-port', 'did you mean --http-port?'],
    [['-x'], 'has no flag -x', '"appliance spy --help"'],
    [['--__proto__'], 'has no flag --__proto__', '"appliance spy --help"'],
    [['--json=1'], '--json takes no value', '"appliance spy --help"'],
    [['--name'], '--name needs a value', 'write --name=NAME;'],
    [['--name', '--json'], '--name needs a value', 'write --name=NAME;'],
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
  const commands = [command('serve'), command('config check'), command('config show')];

  it.each([
    [['srve'], 'there is no command "srve"', 'did you mean "appliance serve"?'],
    [['confg', 'check'], 'there is no command "confg"', 'did you mean "appliance config"?'],
    [['config'], '"config" needs another word', '"appliance config check", "appliance config show"'],
    [['config', '--json'], '"config" needs another word', '"appliance config check"'],
    [['config', 'chekc'], 'there is no command "config chekc"', 'did you mean "appliance config check"?'],
    [['config', 'zzz'], 'there is no command "config zzz"', 'there is "appliance config check"'],
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
