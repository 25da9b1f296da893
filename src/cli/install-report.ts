import type { Report } from '../host/install/apply.ts';
import type { Plan, PlannedStep } from '../host/install/plan.ts';
import { printable } from '../core/printable.ts';
import { bold, yellow } from './colour.ts';
import type { Io, Output } from './command.ts';
import { planLine } from './plan-lines.ts';

const runs = ({ look }: PlannedStep) => look.state === 'to-do' || look.state === 'check';

/** One line for each step that runs, in order: `NAME  what it does`. Then what stays as it is, and why. */
export function planText({ steps }: Plan, output: Output, title: string): string {
  const width = widthOf(steps);
  const due = steps.filter(runs);
  const changes = due.some(({ look }) => look.state === 'to-do');
  const kept = steps.filter(({ look }) => look.state === 'kept');
  const done = steps.filter(({ look }) => look.state === 'done');
  return [
    bold(changes ? title : 'Nothing to do: this host is as it should be', output),
    ...due.flatMap(({ step, look }) => [...planLine(step, width, output), ...detailsOf(look.details, width)]),
    ...(kept.length === 0 ? [] : [bold('Kept as you edited it (--replace-edited takes ours)', output)]),
    ...kept.flatMap(({ step, look }) => [`  ${step.name}: ${look.words}`, ...detailsOf(look.details, width)]),
    ...(done.length === 0 ? [] : [`Already so: ${done.map(({ step }) => step.name).join(', ')}`]),
    '',
  ].join('\n');
}

function detailsOf(details: readonly string[] = [], width: number): string[] {
  return details.map((line) => `  ${' '.repeat(width)}    ${printable(line)}`);
}

function widthOf(steps: readonly PlannedStep[]): number {
  return Math.max(0, ...steps.map(({ step }) => step.name.length));
}

/** For scripts. */
export function planForScripts({ steps }: Plan): object {
  return {
    changes: steps.some(({ look }) => look.state === 'to-do'),
    steps: steps.map(({ step, look }) => ({
      name: step.name,
      does: step.does,
      runs: look.state === 'to-do' || look.state === 'check',
      state: look.state,
      found: look.words,
      details: look.details ?? [],
    })),
  };
}

/**
 * Tells of an install as it goes: each step on a line of standard output once it is done. On a terminal the line shows
 * meanwhile what the step is at; elsewhere that goes to standard error, a line each.
 */
export function reportTo({ stdout, stderr }: Io, { steps }: Plan): Report {
  const width = widthOf(steps);
  const live = stderr.isTTY === true;
  const clear = () => void (live && stderr.write('\r\u001b[K'));
  const show = (name: string, words: string) => {
    const line = `  ${name.padEnd(width)}  ${printable(words)}`;
    stderr.write(live ? `\r\u001b[K${line.slice(0, 79)}` : `${line}\n`);
  };
  let last = '';
  return {
    begin({ step }) {
      last = '';
      show(step.name, '…');
    },
    progress({ step }, words) {
      if (words !== last) show(step.name, words);
      last = words;
    },
    warning({ step }, words) {
      clear();
      stderr.write(`${yellow('warning:', stderr)} ${step.name}: ${printable(words)}\n`);
    },
    end({ step }, tookMs) {
      clear();
      stdout.write(`  ${step.name.padEnd(width)}  ${step.does} (${(tookMs / 1000).toFixed(1)} s)\n`);
    },
  };
}
