import { resolve } from 'node:path';
import { configOf } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { type ExitCode, exitCodes, Failure, UsageError } from '../core/errors.ts';
import { printable } from '../core/printable.ts';
import type { Command, Io, ParsedArgs } from './command.ts';
import { loadFor } from './config.ts';
import type { ShellFile } from './shell-files.ts';

interface ChangeRequest {
  /** Absolute; undefined: the release before. */
  readonly named: string | undefined;
  readonly allowUnsigned: boolean;
  readonly backup: boolean;
}

interface Changed {
  readonly from: string;
  readonly to: string;
  /** Whether a service was there to hand over. */
  readonly running: boolean;
}

/** Another release in the place of the one that runs. */
export interface Upgrader {
  begin(
    request: ChangeRequest,
    to: { readonly stdout: (text: string) => void; readonly stderr: (text: string) => void },
  ): Promise<number>;
  apply(config: Config, request: ChangeRequest, progress: (step: string) => void): Promise<Changed>;
  settle(
    config: Config,
    from: string | undefined,
    progress: (step: string) => void,
  ): Promise<Changed | undefined>;
  examine(config: Config, from: string): Promise<object>;
  renewFiles(config: Config, shellFiles: readonly ShellFile[]): Promise<readonly string[]>;
}

const options = {
  'allow-unsigned': { help: 'take a file that nobody signed' },
  'no-backup': { help: 'make no backup first' },
} as const;

export function upgradeCommands(
  upgrader: Upgrader,
  shellFiles: () => readonly ShellFile[],
): readonly Command[] {
  return [
    {
      name: 'upgrade',
      summary: 'have another release take over, without dropping a request',
      usage: 'upgrade FILE [--allow-unsigned] [--no-backup]',
      examples: [
        {
          command: 'sudo appliance upgrade ./appliance',
          does: 'with appliance.sig beside it',
        },
        { command: 'sudo appliance upgrade ./appliance --allow-unsigned', does: 'a build of your own' },
      ],
      options,
      maxPositionals: 1,
      run: (args, io) => follow(upgrader, requestOf(args, io, needsFile(args)), io),
    },
    {
      name: 'rollback',
      summary: 'have the release before take over again, in the same way',
      usage: 'rollback [--no-backup]',
      examples: [{ command: 'sudo appliance rollback', does: 'back to the release before' }],
      options: { 'no-backup': options['no-backup'] },
      run: (args, io) => follow(upgrader, requestOf(args, io, undefined), io),
    },
    ...hidden(upgrader, shellFiles),
  ];
}

/** What an upgrade runs: the first in a unit of its own, the others of the new release. */
function hidden(upgrader: Upgrader, shellFiles: () => readonly ShellFile[]): readonly Command[] {
  const common = { examples: [], hidden: true } as const;
  return [
    {
      ...common,
      name: 'upgrade apply',
      summary: 'do it, in a unit of its own',
      usage: 'upgrade apply [FILE]',
      options,
      maxPositionals: 1,
      takesConfiguration: true,
      async run(args, io) {
        const changed = await upgrader.apply(
          configOf(loadFor(args, io)),
          requestOf(args, io, args.positionals[0]),
          (step) => void io.stderr.write(`${printable(step)}\n`),
        );
        io.stdout.write(changedText(changed));
        return exitCodes.done;
      },
    },
    {
      ...common,
      name: 'upgrade settle',
      summary: 'what systemd runs after it: finish what was killed',
      usage: 'upgrade settle [--from VERSION]',
      options: { from: { value: 'VERSION', help: 'the release that was installed when it began' } },
      takesConfiguration: true,
      async run(args, io) {
        // systemd.exec(5); whoever ended by itself has left nothing half done
        const { EXIT_CODE: ended = 'exited', EXIT_STATUS: how = ended } = io.environment;
        if (ended === 'exited') return exitCodes.done;
        const progress = (step: string) => void io.stderr.write(`${printable(step)}\n`);
        progress(`what did it was ended in the middle (${how})`);
        const finished = await upgrader.settle(configOf(loadFor(args, io)), args.flags['from'], progress);
        if (finished !== undefined) io.stdout.write(changedText(finished));
        return exitCodes.done;
      },
    },
    {
      ...common,
      name: 'upgrade examine',
      summary: 'look whether this release can serve here',
      usage: 'upgrade examine --from VERSION',
      options: { from: { value: 'VERSION', help: 'the release that would have to be gone back to' } },
      takesConfiguration: true,
      async run(args, io) {
        const from = args.flags['from'];
        if (from === undefined) throw new UsageError('--from is missing');
        io.stdout.write(`${JSON.stringify(await upgrader.examine(configOf(loadFor(args, io)), from))}\n`);
        return exitCodes.done;
      },
    },
    {
      ...common,
      name: 'upgrade files',
      summary: 'bring units, completion and the manual to this release',
      usage: 'upgrade files',
      takesConfiguration: true,
      async run(args, io) {
        for (const path of await upgrader.renewFiles(configOf(loadFor(args, io)), shellFiles()))
          io.stdout.write(`${path} is new\n`);
        return exitCodes.done;
      },
    },
  ];
}

function changedText({ from, to, running }: Changed): string {
  return running
    ? `${to} serves; ${from} stays, to go back: sudo appliance rollback\n`
    : `${to} is in place of ${from}. The service is not running: it starts with ${to}\n`;
}

async function follow(upgrader: Upgrader, request: ChangeRequest, io: Io): Promise<ExitCode> {
  const signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  let left: (signal: NodeJS.Signals) => void = () => {};
  const leaving = new Promise<NodeJS.Signals>((resolve) => (left = resolve));
  for (const signal of signals) process.once(signal, left);
  try {
    const under = upgrader.begin(request, {
      stdout: (text) => void io.stdout.write(text),
      stderr: (text) => void io.stderr.write(text),
    });
    const code = await Promise.race([under, leaving]);
    if (typeof code === 'string') throw goesOn();
    return Object.values(exitCodes).find((each) => each === code) ?? exitCodes.fault;
  } finally {
    for (const signal of signals) process.off(signal, left);
  }
}

/** Nothing that is half done is ever left to a terminal. */
function goesOn(): Failure {
  return new Failure('nobody follows it any longer, but it goes on, in the unit appliance-upgrade', {
    code: 'interrupted',
    remedy:
      'see how it goes: systemctl status appliance-upgrade; tail -f /run/appliance-upgrade.err; when it has ended: appliance status',
  });
}

function needsFile({ positionals }: ParsedArgs): string {
  const [file] = positionals;
  if (file === undefined || file === '')
    throw new UsageError('the file of a release is missing', 'appliance upgrade ./appliance');
  return file;
}

function requestOf(args: ParsedArgs, io: Io, file: string | undefined): ChangeRequest {
  return {
    named: file === undefined ? undefined : resolve(io.workingFolder, file),
    allowUnsigned: args.switches.has('allow-unsigned'),
    backup: !args.switches.has('no-backup'),
  };
}
