import { Gauge, type Registry } from 'prom-client';

/** What the metrics tell of a certificate; times in milliseconds since 1970. */
export interface CertificateState {
  readonly names: readonly string[];
  readonly authority: string;
  readonly state: string;
  readonly serial?: string | undefined;
  readonly notAfter?: number | undefined;
  readonly nextAttemptAt: number;
  readonly reason: string;
  readonly lastError?: { readonly code: string; readonly failures: number } | undefined;
}

/** Adds gauges for each certificate; `status` is asked when somebody asks for the metrics. */
export function addCertificateMetrics(
  registry: Registry,
  status: () => Promise<readonly CertificateState[]>,
): void {
  const registers = [registry];
  const gauge = (
    name: string,
    help: string,
    value: (certificate: CertificateState) => number | undefined,
    more: (certificate: CertificateState) => Readonly<Record<string, string>> = () => ({}),
    moreNames: readonly string[] = [],
  ) =>
    new Gauge({
      name: `appliance_certificate_${name}`,
      help,
      labelNames: ['name', ...moreNames],
      registers,
      async collect() {
        this.reset();
        for (const certificate of await status()) {
          const now = value(certificate);
          if (now !== undefined) this.set({ name: certificate.names[0] ?? '', ...more(certificate) }, now);
        }
      },
    });
  gauge(
    'info',
    'Always 1: names, authority, what serves, why the next attempt is when it is, and the code of the last error.',
    () => 1,
    ({ names, authority, state, serial = '', reason, lastError }) => ({
      names: names.join(' '),
      authority,
      state,
      serial,
      reason,
      error: lastError?.code ?? '',
    }),
    ['names', 'authority', 'state', 'serial', 'reason', 'error'],
  );
  gauge(
    'not_after_timestamp_seconds',
    'When what serves ends; none for the stand-in.',
    ({ notAfter }) => notAfter && notAfter / 1000,
  );
  gauge(
    'next_attempt_timestamp_seconds',
    'When it is renewed next.',
    ({ nextAttemptAt }) => nextAttemptAt / 1000,
  );
  gauge('failures', 'How many attempts in a row have failed.', ({ lastError }) => lastError?.failures ?? 0);
}
