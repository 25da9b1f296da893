import { dirname } from 'node:path';
import type { Alert, Alerter } from '../ports/alerter.ts';
import type { StoredCertificate } from '../ports/certificate-store.ts';
import type { Logger } from '../ports/logger.ts';
import { reasonOf } from '../core/errors.ts';
import { runHook } from './hook.ts';

/** What the owner's program is told. */
export interface CertificateEvent {
  readonly kind: 'issued' | 'failed' | 'expiring' | 'expired';
  readonly names: readonly string[];
  /** The authority that issued it, or that failed: the URL of its directory, or `import`. */
  readonly authority: string;
  /** The one that was issued; else the one that serves, undefined for the stand-in. */
  readonly certificate: StoredCertificate | undefined;
  readonly error: { readonly message: string; readonly remedy: string | undefined } | undefined;
}

/** Tells others. Neither rejects but with the signal's reason, when that aborts first: what fails is logged. */
export interface CertificateEvents {
  /** Resolves when the program has ended, after those before it. */
  hook(event: CertificateEvent, signal: AbortSignal): Promise<void>;
  alert(alert: Alert, signal: AbortSignal): Promise<void>;
}

export interface EventsOptions {
  /** `CERT_HOOK`, the absolute path of a program; undefined: none. */
  readonly hook: string | undefined;
  /** `APP_ALERT_COMMAND`; undefined: none. */
  readonly alerter: Alerter | undefined;
  readonly log: Logger;
}

/** Longer than a reload of a mail server takes, shorter than the lives of certificates. */
const hookTimeoutMs = 5 * 60_000;

export function createCertificateEvents({ hook, alerter, log }: EventsOptions): CertificateEvents {
  let hooksBefore: Promise<void> = Promise.resolve();

  async function run(file: string, event: CertificateEvent, signal: AbortSignal): Promise<void> {
    const { kind, names } = event;
    try {
      const environment = hookEnvironment(event);
      await runHook({ file, arguments: [], environment, timeoutMs: hookTimeoutMs, signal });
      log.info({ names, event: kind }, 'CERT_HOOK ran');
    } catch (error) {
      signal.throwIfAborted();
      log.error({ names, event: kind, err: error }, `CERT_HOOK failed: ${reasonOf(error)}`);
    }
  }

  return {
    hook(event, signal) {
      if (hook === undefined) return Promise.resolve();
      const mine = hooksBefore.then(() => run(hook, event, signal));
      hooksBefore = mine.catch(() => undefined);
      return mine;
    },
    async alert(alert, signal) {
      try {
        await alerter?.(alert, signal);
      } catch (error) {
        signal.throwIfAborted();
        log.error({ alert: alert.kind, err: error }, `an alert did not get through: ${reasonOf(error)}`);
      }
    },
  };
}

/** The variables of the hook, certbot's names for a deploy hook among them; those that do not apply are absent. */
function hookEnvironment(event: CertificateEvent): Readonly<Record<string, string>> {
  const { kind, names, authority, certificate, error } = event;
  const spaced = names.join(' ');
  return {
    CERT_EVENT: kind,
    CERT_NAMES: spaced,
    CERT_AUTHORITY: authority,
    ...(certificate && {
      CERT_FILE: certificate.chainFile,
      CERT_KEY_FILE: certificate.keyFile,
      CERT_NOT_AFTER: new Date(certificate.facts.notAfter).toISOString(),
      ...(kind === 'issued' && { RENEWED_DOMAINS: spaced, RENEWED_LINEAGE: dirname(certificate.chainFile) }),
    }),
    ...(error && {
      CERT_ERROR: error.message,
      ...(error.remedy !== undefined && { CERT_REMEDY: error.remedy }),
    }),
  };
}
