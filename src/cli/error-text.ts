import { Failure, reasonOf } from '../core/errors.ts';
import { red } from './colour.ts';
import type { Output } from './command.ts';

/** What failed, why, and what to do, each on its line. A fault that nobody foresaw shows where it happened. */
export function errorText(error: unknown, output: Output): string {
  const lines = [`${red('error:', output)} ${error instanceof Failure ? error.message : reasonOf(error)}`];
  for (let cause = causeOf(error); cause !== undefined; cause = causeOf(cause)) {
    lines.push(`because: ${reasonOf(cause)}`);
  }
  if (error instanceof Failure) {
    if (error.remedy !== undefined) lines.push(`to do: ${error.remedy}`);
  } else {
    lines.push('to do: this is a fault of the program; please report it with the lines below');
    if (error instanceof Error && error.stack !== undefined) lines.push(error.stack);
  }
  return `${lines.join('\n')}\n`;
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}
