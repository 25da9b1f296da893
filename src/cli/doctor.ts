import type { Loaded } from '../config/load.ts';
import { exitCodes } from '../core/errors.ts';
import { printable } from '../core/printable.ts';
import type { FindingState } from '../host/checks/check.ts';
import type { CheckResult, Selection } from '../host/checks/run-checks.ts';
import { bold, red, yellow } from './colour.ts';
import type { Command, Output } from './command.ts';
import { loadFor } from './config.ts';
import { labelled } from './wrap.ts';

export interface Doctor {
  /** Throws a UsageError for a name that no check has. */
  run(loaded: Loaded, selection: Selection): Promise<readonly CheckResult[]>;
}

export function doctorCommand(doctor: Doctor): Command {
  return {
    name: 'doctor',
    summary: 'look for what is wrong with this host, and say what to do about it',
    usage: 'doctor [--only NAME]… [--ignore NAME]… [--json]',
    examples: [
      { command: 'sudo appliance doctor', does: 'look at all of it' },
      { command: 'sudo appliance doctor --only dns --only http-port', does: 'ask two checks alone' },
      { command: 'sudo appliance doctor --ignore backup-copy', does: 'leave one out' },
      {
        command: 'sudo appliance doctor --json | jq -r \'.checks[] | select(.state == "failed").name\'',
        does: 'what failed, for a script',
      },
    ],
    options: {
      only: { value: 'NAME', many: true, help: 'run this check alone; may be given several times' },
      ignore: { value: 'NAME', many: true, help: 'leave this check out; may be given several times' },
      json: { help: 'print JSON for scripts' },
    },
    takesConfiguration: true,
    async run(args, io) {
      const { only, ignore } = args.flags;
      const selection = { only: listOf(only), ignore: listOf(ignore) };
      const results = await doctor.run(loadFor(args, io), selection);
      if (args.switches.has('json')) io.stdout.write(`${toJson(results)}\n`);
      else io.stdout.write(`${report(results, io.stdout).join('\n')}\n`);
      return results.some(({ state }) => state === 'failed') ? exitCodes.checkFailed : exitCodes.done;
    },
  };
}

function listOf(text: string | undefined): string[] {
  return text === undefined ? [] : text.split(',').map((each) => each.trim());
}

function counts(results: readonly CheckResult[]): Record<FindingState, number> {
  const count = (state: FindingState) => results.filter((each) => each.state === state).length;
  return {
    ok: count('ok'),
    warning: count('warning'),
    failed: count('failed'),
    skipped: count('skipped'),
  };
}

function toJson(results: readonly CheckResult[]): string {
  const body = { schema: 1, well: counts(results).failed === 0, counts: counts(results), checks: results };
  return JSON.stringify(body, undefined, 2);
}

const marks: Readonly<Record<FindingState, string>> = {
  ok: 'ok',
  warning: 'warn',
  failed: 'FAIL',
  skipped: 'skip',
};
const markWidth = 6;
const nameWidth = 22;

/** A line for each check; under what is not well, what is so and what to do. */
function report(results: readonly CheckResult[], output: Output): string[] {
  const { ok, warning, failed, skipped } = counts(results);
  return [
    ...results.flatMap((result) => linesOf(result, output)),
    '',
    bold(
      `${failed} failed, ${warning} ${warning === 1 ? 'warning' : 'warnings'}, ${ok} well, ${skipped} skipped`,
      output,
    ),
    ...(results.some(({ remedy }) => remedy === 'use sudo')
      ? ['use sudo to have the rest looked at as well']
      : []),
  ];
}

function linesOf({ name, title, state, words, remedy }: CheckResult, output: Output): string[] {
  const start = marks[state].padEnd(markWidth) + name.padEnd(nameWidth);
  const text = printable(words);
  if (state === 'ok' || state === 'skipped') return labelled(start, text, start.length);
  const colour = state === 'failed' ? red : yellow;
  return [
    ...labelled(start, title, start.length).map((line) => colour(line, output)),
    ...labelled(' '.repeat(markWidth), text, markWidth),
    ...(remedy === undefined ? [] : labelled('   →', printable(remedy), markWidth)),
  ];
}
