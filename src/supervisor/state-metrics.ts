import { Counter, Gauge, type Registry } from 'prom-client';
import type { ServiceState } from './control-messages.ts';

/** Adds gauges for database, cache and visits; `status` is asked when somebody asks for the metrics. */
export function addStateMetrics(registry: Registry, status: () => ServiceState | undefined): void {
  const gauge = (name: string, help: string, value: (state: ServiceState) => number) =>
    new Gauge({
      name: `appliance_${name}`,
      help,
      registers: [registry],
      collect() {
        this.reset();
        const now = status();
        if (now !== undefined) this.set(value(now));
      },
    });
  const total = (name: string, help: string, value: (state: ServiceState) => number) =>
    new Counter({
      name: `appliance_${name}_total`,
      help,
      registers: [registry],
      collect() {
        this.reset();
        const now = status();
        if (now !== undefined) this.inc(value(now));
      },
    });
  gauge('database_up', '1 while the database can be read and written.', ({ database }) =>
    Number(database.ok),
  );
  gauge('cache_up', '1 while the cache does what it is asked for.', ({ cache }) => Number(cache.ok));
  gauge(
    'database_answer_seconds',
    'How long the database took to answer when it was last asked; 0 where it did not.',
    ({ database }) => (database.answeredInMs ?? 0) / 1000,
  );
  total('cache_failures', 'What the cache could not do since the start.', ({ cache }) => cache.failures);
  gauge('visits_waiting', 'Visits that are not in the database yet.', ({ visits }) => visits.waiting);
  total('visits_written', 'Visits written to the database since the start.', ({ visits }) => visits.written);
  total(
    'visits_blurred',
    'Visits counted without country and operator, because too much waited or the database refused them.',
    ({ visits }) => visits.blurred,
  );
}
