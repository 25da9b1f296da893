import type { Container } from '../host/stack/compose.ts';
import type { LogRequest } from '../host/stack/stack-commands.ts';
import { configOf } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { type ExitCode, exitCodes, UsageError } from '../core/errors.ts';
import { bold } from './colour.ts';
import type { Command, Io, Output } from './command.ts';
import { loadFor } from './config.ts';

type Environment = Io['environment'];

/** The containers of this host. `progress` gets one line for each step. */
export interface Stack {
  up(
    config: Config,
    environment: Environment,
    options: { readonly front: boolean; readonly timeoutMs: number },
    progress: (step: string) => void,
  ): Promise<readonly Container[]>;
  down(config: Config, environment: Environment, progress: (step: string) => void): Promise<boolean>;
  containers(config: Config, environment: Environment): Promise<readonly Container[]>;
  logs(config: Config, environment: Environment, log: LogRequest): Promise<number>;
}

export const usualTimeoutSeconds = 300;

export function stackCommands(stack: Stack): readonly Command[] {
  return [up(stack), down(stack), ps(stack), logs(stack)];
}

function up(stack: Stack): Command {
  return {
    name: 'stack up',
    summary: 'start the containers and wait until they are healthy',
    usage: 'stack up [--front] [--timeout SECONDS]',
    examples: [
      { command: 'sudo appliance stack up', does: 'start the database and the cache' },
      {
        command: 'sudo REDIS_IMAGE=valkey/valkey:9.1.2-trixie appliance stack up',
        does: 'the same with another image, from now on',
      },
    ],
    options: {
      front: { help: 'start nginx as a front too' },
      timeout: { value: 'SECONDS', help: `how long to wait for them (${usualTimeoutSeconds})` },
    },
    takesConfiguration: true,
    async run(args, io) {
      const timeoutMs = 1000 * secondsOf(args.flags['timeout']);
      const config = configOf(loadFor(args, io));
      const front = args.switches.has('front');
      const containers = await stack.up(config, io.environment, { front, timeoutMs }, progressTo(io));
      io.stdout.write(`${table(containers, io.stdout).join('\n')}\n`);
      return exitCodes.done;
    },
  };
}

export function secondsOf(text: string | undefined): number {
  if (text === undefined) return usualTimeoutSeconds;
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw new UsageError('--timeout is not right', 'write whole seconds, such as --timeout=120');
}

function down(stack: Stack): Command {
  return {
    name: 'stack down',
    summary: 'end the containers; what the database holds stays',
    usage: 'stack down',
    examples: [{ command: 'sudo appliance stack down', does: 'end all of them' }],
    takesConfiguration: true,
    async run(args, io) {
      const config = configOf(loadFor(args, io));
      const ended = await stack.down(config, io.environment, progressTo(io));
      io.stdout.write(ended ? 'the containers are gone; the volumes stay\n' : 'there are no containers\n');
      return exitCodes.done;
    },
  };
}

function ps(stack: Stack): Command {
  return {
    name: 'stack ps',
    summary: 'show the containers',
    usage: 'stack ps [--json]',
    examples: [
      { command: 'sudo appliance stack ps', does: 'show each with its state' },
      { command: "sudo appliance stack ps --json | jq '.containers[].health'", does: 'for a script' },
    ],
    options: { json: { help: 'print JSON for scripts' } },
    takesConfiguration: true,
    async run(args, io) {
      const containers = await stack.containers(configOf(loadFor(args, io)), io.environment);
      if (args.switches.has('json')) {
        io.stdout.write(`${JSON.stringify({ schema: 1, containers }, undefined, 2)}\n`);
      } else if (containers.length === 0) {
        io.stdout.write('there are no containers\n');
      } else {
        io.stdout.write(`${table(containers, io.stdout).join('\n')}\n`);
      }
      return exitCodes.done;
    },
  };
}

function logs(stack: Stack): Command {
  return {
    name: 'stack logs',
    summary: 'print what the containers wrote',
    usage: 'stack logs [SERVICE…] [--follow] [--tail LINES]',
    examples: [
      { command: 'sudo appliance stack logs postgres --tail 50', does: 'the end of one' },
      { command: 'sudo appliance stack logs --follow', does: 'all, as it comes' },
    ],
    options: {
      follow: { short: 'f', help: 'go on as more is written' },
      tail: { value: 'LINES', short: 'n', help: 'only the last lines of each' },
    },
    takesConfiguration: true,
    maxPositionals: 3,
    async run(args, io) {
      const { tail } = args.flags;
      if (tail !== undefined && !/^(\d{1,9}|all)$/.test(tail)) {
        throw new UsageError('--tail is not right', 'write a number of lines, such as --tail=50');
      }
      const config = configOf(loadFor(args, io));
      const follow = args.switches.has('follow');
      return exitCodeOf(
        await stack.logs(config, io.environment, { services: args.positionals, follow, tail }),
      );
    },
  };
}

/** What a program of another's ended with: ours where it means the same, else that something is wrong. */
export function exitCodeOf(status: number): ExitCode {
  return status === 0 ? exitCodes.done : exitCodes.fault;
}

export function progressTo({ stderr }: Io): (step: string) => void {
  return (step) => void stderr.write(`${step}\n`);
}

function table(containers: readonly Container[], output: Output): string[] {
  const rows = containers.map(
    ({ service, state, health, image }) => [service, health ?? state, image] as const,
  );
  const widthOf = (column: 0 | 1, heading: string) =>
    Math.max(heading.length, ...rows.map((row) => row[column].length));
  const widths = [widthOf(0, 'SERVICE'), widthOf(1, 'STATE')] as const;
  const line = ([service, state, image]: readonly [string, string, string]) =>
    `${service.padEnd(widths[0])}  ${state.padEnd(widths[1])}  ${image}`;
  return [bold(line(['SERVICE', 'STATE', 'IMAGE']), output), ...rows.map(line)];
}
