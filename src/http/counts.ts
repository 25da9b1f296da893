/** Upper bounds of the latency histogram's buckets in seconds; the last bucket has none. */
export const latencyBuckets = [
  0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25, 1, 2.5,
] as const;

/** What one worker counted since it last told; plain numbers, so that they can be sent and summed. */
export interface Counts {
  /** Requests by `ROUTE STATUS`. */
  readonly requests: { readonly [routeAndStatus: string]: number };
  readonly latency: readonly number[];
  readonly latencySumSeconds: number;
  /** Connections open now. */
  readonly connections: number;
  readonly lookups: number;
  readonly cacheHits: number;
  readonly unreadableRecords: number;
}

/** Counts one answer. `seconds` runs from the head of the request to the answer's being handed on. */
export type RouteCount = (status: number, seconds: number) => void;

export interface Counter {
  /** What counts the answers of one route, by the name that it has in the metrics. */
  route(name: string): RouteCount;
  /** +1 for an opened connection, -1 for a closed one. */
  connection(change: number): void;
  connections(): number;
  /** What was counted since the last call. */
  take(): Counts;
}

/** `totals` gives running totals of the look-ups, kept elsewhere. */
export function createCounter(
  totals: () => { lookups: number; cacheHits: number; unreadableRecords: number },
): Counter {
  const byRoute = new Map<string, Map<number, number>>();
  const latency = new Array<number>(latencyBuckets.length + 1).fill(0);
  let sum = 0;
  let connections = 0;
  let told = { lookups: 0, cacheHits: 0, unreadableRecords: 0 };

  return {
    route(name) {
      const statuses = new Map<number, number>();
      byRoute.set(name, statuses);
      return (status, seconds) => {
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        let bucket = 0;
        while (bucket < latencyBuckets.length && seconds > latencyBuckets[bucket]!) bucket++;
        latency[bucket]!++;
        sum += seconds;
      };
    },
    connection(change) {
      connections += change;
    },
    connections: () => connections,
    take() {
      const requests: { [routeAndStatus: string]: number } = {};
      for (const [route, statuses] of byRoute) {
        for (const [status, count] of statuses) requests[`${route} ${status}`] = count;
        statuses.clear();
      }
      const now = totals();
      const counts = {
        requests,
        latency: [...latency],
        latencySumSeconds: sum,
        connections,
        lookups: now.lookups - told.lookups,
        cacheHits: now.cacheHits - told.cacheHits,
        unreadableRecords: now.unreadableRecords - told.unreadableRecords,
      };
      told = now;
      latency.fill(0);
      sum = 0;
      return counts;
    },
  };
}
