import type { Output } from './command.ts';
import { labelled } from './wrap.ts';

interface PlanStep {
  readonly name: string;
  readonly does: string;
}

/** A plan as people and scripts read it: one step a line, its name and what it does; on a terminal as many lines as that takes. */
export function planLines(steps: readonly PlanStep[], output: Output): string[] {
  const width = Math.max(0, ...steps.map(({ name }) => name.length));
  return steps.flatMap((step) => planLine(step, width, output));
}

/** One step of it, with the names in a column of that width. */
export function planLine({ name, does }: PlanStep, width: number, output: Output): string[] {
  return wrapped(`  ${name.padEnd(width)}  `, does, output);
}

/** What is read by the line stays one; on a terminal it goes on below itself. */
export function wrapped(label: string, text: string, output: Output): string[] {
  return output.isTTY === true ? labelled(label, text, label.length) : [`${label}${text}`];
}
