import { Failure } from '../core/errors.ts';
import type { Alerter } from '../ports/alerter.ts';
import { runShellLine } from './shell-line.ts';

const defaultTimeoutMs = 60_000;

/**
 * Alerts by `APP_ALERT_COMMAND`, a line for `/bin/sh`, which finds PATH, HOME, ALERT_KIND, ALERT_SUBJECT and ALERT_BODY in
 * its environment, nothing else, and the body on its standard input. The command is a secret (the address of a webhook
 * is one). Rejects with `alert-timeout` or `alert-failed`.
 */
export function createAlertCommand(command: string, timeoutMs = defaultTimeoutMs): Alerter {
  return async ({ kind, subject, body }, signal) => {
    const environment = { ALERT_KIND: kind, ALERT_SUBJECT: subject, ALERT_BODY: body };
    const trouble = await runShellLine({ command, environment, input: `${body}\n`, timeoutMs, signal });
    if (trouble === undefined) return;
    throw new Failure(`the alert command ${trouble.words}`, {
      code: trouble.late ? 'alert-timeout' : 'alert-failed',
      remedy: 'Run the command of APP_ALERT_COMMAND by hand, as the user of the service, to see why.',
      retryable: true,
    });
  };
}
