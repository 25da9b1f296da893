import type { RenewOutcome } from '../certificates/certificate-service.ts';
import { type ExitCode, exitCodes, Failure } from '../core/errors.ts';
import type { Io } from './command.ts';
import { errorText } from './error-text.ts';
import { printable } from '../core/printable.ts';
import { momentText } from './time-text.ts';

export interface Presentation {
  readonly json: boolean;
  readonly dryRun: boolean;
  readonly imported: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** Of several failures the first of these is what the command ends with. */
const worstFirst: readonly ExitCode[] = [
  exitCodes.authority,
  exitCodes.fault,
  exitCodes.usage,
  exitCodes.locked,
  exitCodes.notRunning,
  exitCodes.checkFailed,
];

/** Prints what became of each certificate, failures to standard error, and gives the exit code. */
export function printOutcomes(
  outcomes: readonly RenewOutcome[],
  io: Io,
  presentation: Presentation,
): ExitCode {
  if (presentation.json) {
    io.stdout.write(`${JSON.stringify({ schema: 1, outcomes: outcomes.map(forScripts) }, undefined, 2)}\n`);
  } else {
    for (const outcome of outcomes) {
      if (outcome.result === 'failed') io.stderr.write(failureText(outcome, io, presentation));
      else io.stdout.write(`${lines(outcome, presentation).join('\n')}\n`);
    }
  }
  const codes = outcomes.filter(({ result }) => result === 'failed').map(codeOf);
  return worstFirst.find((code) => codes.includes(code)) ?? exitCodes.done;
}

function forScripts(outcome: RenewOutcome): object {
  const { notAfter } = outcome;
  return { ...outcome, ...(notAfter === undefined ? {} : { notAfter: new Date(notAfter).toISOString() }) };
}

function lines({ names, result, detail, notAfter }: RenewOutcome, { imported, now }: Presentation): string[] {
  const who = nameText(names);
  const until = notAfter === undefined ? '' : `, valid until ${momentText(notAfter, now)}`;
  const more = detail === '' ? [] : [`  ${printable(detail)}`];
  switch (result) {
    case 'issued':
      return [`${who}: ${imported ? 'imported' : 'renewed'}${until}`, ...more];
    case 'tested':
      return [`${who}: the dry run went well; nothing was kept`];
    default:
      return [`${who}: not due${until}`, ...more];
  }
}

function failureText(outcome: RenewOutcome, io: Io, { dryRun, imported, now }: Presentation): string {
  const { names, detail, remedy, notAfter } = outcome;
  const failure = new Failure(`${nameText(names)}: ${printable(detail)}`, {
    code: 'renewal-failed',
    ...(remedy === undefined ? {} : { remedy: printable(remedy) }),
  });
  return `${errorText(failure, io.stderr)}meanwhile: ${meanwhile()}\n`;

  function meanwhile(): string {
    if (dryRun) return 'nothing was changed';
    if (imported) return 'the new one is kept, and what was there before serves on';
    if (notAfter === undefined) return 'there is no certificate yet';
    if (notAfter <= now) return `the certificate from before is expired, ${momentText(notAfter, now)}`;
    return `the certificate from before still serves, until ${momentText(notAfter, now)}`;
  }
}

function codeOf({ exitCode }: RenewOutcome): ExitCode {
  return worstFirst.find((code) => code === exitCode) ?? exitCodes.fault;
}

function nameText(names: readonly string[]): string {
  return names.length > 4 ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more` : names.join(', ');
}
