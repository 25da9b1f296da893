import { Counter, Gauge, Histogram, Registry, type MetricType } from 'prom-client';
import { latencyBuckets } from '../http/counts.ts';
import { addCertificateMetrics, type CertificateState } from './certificate-metrics.ts';
import type { ServiceState } from './control-messages.ts';
import { addStateMetrics } from './state-metrics.ts';
import type { WorkerCounts } from './messages.ts';

/** The sums over all workers there ever were, as Prometheus reads them. */
export interface Metrics {
  /** Adds what a worker counted since it last told. */
  add(slot: string, counts: WorkerCounts): void;
  workerRestarted(): void;
  /** Drops the gauges of a worker that ended; what it counted stays. */
  forget(slot: string): void;
  /** Where the state of the certificates is asked for, when somebody asks for the metrics. */
  certificates(status: () => Promise<readonly CertificateState[]>): void;
  /** As `certificates`, for database, cache and visits. */
  state(status: () => ServiceState | undefined): void;
  /** The exposition text and its media type. */
  text(): Promise<string>;
  readonly contentType: string;
}

export function createMetrics(version: string): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const counter = <Label extends string>(name: string, help: string, labelNames: readonly Label[] = []) =>
    new Counter({ name: `appliance_${name}`, help, labelNames, registers });
  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      name: `appliance_${name}`,
      help,
      registers,
      collect() {
        this.set(value());
      },
    });

  const slots = new Map<string, WorkerCounts>();
  const over = (of: (counts: WorkerCounts) => number) => [...slots.values()].map(of);

  const requests = counter('http_requests_total', 'Requests answered.', ['route', 'status']);
  const latency = new SummedHistogram(registry);
  gauge('http_connections', 'Connections open now.', () =>
    over(({ connections }) => connections).reduce((sum, count) => sum + count, 0),
  );
  const lookups = counter('lookups_total', 'Addresses looked up, for answers and to count visits.');
  const cacheHits = counter('lookup_cache_hits_total', 'Look-ups that were answered from memory.');
  const unreadable = counter(
    'geoip_unreadable_records_total',
    'Records of the GeoIP databases that could not be read.',
  );
  const restarts = counter('worker_restarts_total', 'Workers that ended unasked and were replaced.');
  gauge('workers', 'Workers that have told of themselves and not ended.', () => slots.size);
  gauge(
    'event_loop_delay_seconds',
    'How late timers ran: the 99th percentile of the last second, of the worst worker.',
    () => Math.max(0, ...over(({ loopDelaySeconds }) => loopDelaySeconds)),
  );
  new Gauge({
    name: 'appliance_build_info',
    help: 'Always 1.',
    labelNames: ['version', 'node'],
    registers,
  }).set({ version, node: process.version }, 1);

  let certificates: () => Promise<readonly CertificateState[]> = () => Promise.resolve([]);
  addCertificateMetrics(registry, () => certificates());

  let state: (() => ServiceState | undefined) | undefined;
  addStateMetrics(registry, () => state?.());

  return {
    state(status) {
      state = status;
    },
    certificates(status) {
      certificates = status;
    },
    add(slot, counts) {
      slots.set(slot, counts);
      for (const [routeAndStatus, count] of Object.entries(counts.requests)) {
        const [route = '', status = ''] = routeAndStatus.split(' ');
        requests.inc({ route, status }, count);
      }
      latency.add(counts.latency, counts.latencySumSeconds);
      lookups.inc(counts.lookups);
      cacheHits.inc(counts.cacheHits);
      unreadable.inc(counts.unreadableRecords);
    },
    workerRestarted: () => restarts.inc(),
    forget: (slot) => void slots.delete(slot),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

/** A histogram that is told whole buckets; the library's own can only observe one value at a time. */
class SummedHistogram extends Histogram {
  private readonly buckets: number[] = new Array<number>(latencyBuckets.length + 1).fill(0);
  private sum = 0;

  constructor(registry: Registry) {
    super({
      name: 'appliance_http_request_duration_seconds',
      help: 'From the head of a request to the handing on of its answer.',
      buckets: [...latencyBuckets],
      registers: [registry],
    });
  }

  add(buckets: readonly number[], sumSeconds: number): void {
    for (const [index, count] of buckets.entries()) this.buckets[index]! += count;
    this.sum += sumSeconds;
  }

  /** The library's own get() calls getForPromString(), and this is both. */
  override get(): ReturnType<Histogram['get']> {
    const { name, help } = this as unknown as { name: string; help: string };
    const sample = (suffix: string, value: number, labels: { le?: number | string } = {}) => ({
      metricName: `${name}_${suffix}`,
      exemplar: null,
      labels,
      value,
    });
    let count = 0;
    const buckets = this.buckets.map((bucket, index) =>
      sample('bucket', (count += bucket), { le: latencyBuckets[index] ?? '+Inf' }),
    );
    return Promise.resolve({
      name,
      help,
      type: 'histogram' as unknown as MetricType,
      aggregator: 'sum' as const,
      values: [...buckets, sample('sum', this.sum), sample('count', count)],
      collect: undefined as never,
    });
  }

  getForPromString() {
    return this.get();
  }
}
