import { Failure, reasonOf } from '../core/errors.ts';
import type { Alert } from '../ports/alerter.ts';
import type { StoredCertificate } from '../ports/certificate-store.ts';
import type { AttemptError } from './renewal-state.ts';
import { attempts } from './schedule.ts';
import { timeText } from '../core/time-text.ts';

type Names = readonly string[];

/** No new certificate can be had. */
export function failingAlert(
  names: Names,
  failed: {
    readonly authority: string;
    readonly failures: number;
    readonly error: AttemptError;
    readonly nextAttemptAt: number | undefined;
    readonly served: StoredCertificate | undefined;
  },
): Alert {
  const { authority, failures, error, nextAttemptAt, served } = failed;
  return {
    kind: 'certificate-failing',
    subject: `No new certificate for ${title(names)}`,
    body: paragraphs(
      `A certificate for ${names.join(', ')} could not be had from ${authority} in ${attempts(failures)}: ${error.message}`,
      whatToDo(error.remedy),
      served === undefined
        ? 'There is none yet: HTTPS answers with a self-signed one.'
        : `The one before serves until ${timeText(served.facts.notAfter)}.`,
      nextAttemptAt !== undefined && `The next attempt is at ${timeText(nextAttemptAt)}.`,
    ),
  };
}

/** What serves ends soon, or has ended. */
export function endAlert(
  kind: 'expiring' | 'expired',
  names: Names,
  notAfter: number,
  authority: string,
  lastError: AttemptError | undefined,
): Alert {
  const verb = kind === 'expired' ? 'ended' : 'ends';
  const detail =
    kind === 'expired' ? 'Browsers refuse it.' : 'More than half of the time for renewing it has gone.';
  return {
    kind: `certificate-${kind}`,
    subject: `The certificate for ${title(names)} ${verb} at ${timeText(notAfter)}`,
    body: paragraphs(
      `The certificate for ${names.join(', ')} ${verb} at ${timeText(notAfter)}. ${detail}`,
      lastError === undefined
        ? `No attempt at ${authority} has failed; see the log.`
        : `The last attempt failed at ${timeText(lastError.at)}: ${lastError.message}`,
      whatToDo(lastError?.remedy),
    ),
  };
}

/** All is well again, after one of the above. */
export function recoveredAlert(names: Names, { id, facts }: StoredCertificate): Alert {
  return {
    kind: 'certificate-recovered',
    subject: `The certificate for ${title(names)} is in order again`,
    body: `The certificate for ${names.join(', ')} is from ${id.authority} and ends at ${timeText(facts.notAfter)}. Nothing is to be done.`,
  };
}

/** The workers cannot take over what there is. */
export function unservedAlert(error: unknown): Alert {
  return {
    kind: 'certificate-unserved',
    subject: 'A new certificate cannot be served',
    body: paragraphs(
      `There is a new certificate, but it cannot be served: ${reasonOf(error)}`,
      whatToDo(error instanceof Failure ? error.remedy : undefined),
      'What was there before serves on.',
    ),
  };
}

/** They can again. */
export const servedAlert: Alert = {
  kind: 'certificate-recovered',
  subject: 'The new certificate is served',
  body: 'Nothing is to be done.',
};

function title(names: Names): string {
  return names.length === 1 ? names[0]! : `${names[0]} and ${names.length - 1} more`;
}

function whatToDo(remedy: string | undefined): string | undefined {
  return remedy === undefined ? undefined : `What to do: ${remedy}`;
}

function paragraphs(...texts: readonly (string | false | undefined)[]): string {
  return texts.filter(Boolean).join('\n\n');
}
