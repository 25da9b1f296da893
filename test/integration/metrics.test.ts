import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startAppliance, type Appliance } from '../support/appliance.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/until.ts';

let appliance: Appliance;
let metricsUrl: string;
beforeAll(async () => {
  const port = await freePort();
  metricsUrl = `http://127.0.0.1:${port}/metrics`;
  appliance = await startAppliance({
    environment: { APP_METRICS_LISTEN: `127.0.0.1:${port}` },
    flags: ['--workers', '2'],
  });
});
afterAll(() => appliance.stop());

async function metrics(): Promise<Map<string, number>> {
  const text = await (await fetch(metricsUrl)).text();
  return new Map(
    text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  );
}

describe('metrics', () => {
  it('count every request over all workers, by route and status', async () => {
    const paths = ['/whoami', '/whoami/', '/json', '/ip?ip=nonsense', '/nothing', '/port/80'];
    for (let round = 0; round < 20; round++) {
      // A connection each, so that both workers get some.
      await Promise.all(
        paths.map((path) => fetch(`${appliance.url}${path}`, { headers: { connection: 'close' } })),
      );
    }
    const requests = (route: string, status: number) =>
      `appliance_http_requests_total{route="${route}",status="${status}"}`;
    const counts = [
      [requests('/whoami', 200), 40],
      [requests('/json', 200), 20],
      [requests('/ip', 400), 20],
      [requests('none', 404), 20],
      [requests('/port/:number', 404), 20],
      ['appliance_lookups_total', 120],
    ] as const;
    let now = await metrics();
    // each worker tells its own once a second
    await until('all are counted', async () => {
      now = await metrics();
      return counts.every(([name, count]) => (now.get(name) ?? 0) >= count);
    });
    expect(counts.map(([name]) => [name, now.get(name)])).toEqual(counts);
    expect(now.get('appliance_lookup_cache_hits_total')).toBeGreaterThanOrEqual(58);
    expect(now.get('appliance_workers')).toBe(2);
    expect(now.get('appliance_worker_restarts_total')).toBe(0);
    expect(now.get('appliance_http_request_duration_seconds_bucket{le="+Inf"}')).toBe(
      now.get('appliance_http_request_duration_seconds_count'),
    );
    expect(now.get('appliance_http_request_duration_seconds_sum')).toBeGreaterThan(0);
    expect(now.has('appliance_event_loop_delay_seconds')).toBe(true);
    expect([...now.keys()].find((name) => name.startsWith('appliance_build_info'))).toMatch(
      /version="\d+\.\d+\.\d+",node="v24/,
    );
  });

  it('keep what a worker counted when it dies, and count its replacement', async () => {
    const before = (await metrics()).get('appliance_http_requests_total{route="/json",status="200"}');
    process.kill(appliance.workers()[0]!, 'SIGKILL');
    await until(
      'the restart is counted',
      async () => (await metrics()).get('appliance_worker_restarts_total') === 1,
    );
    await until(
      'two workers tell of themselves',
      async () => (await metrics()).get('appliance_workers') === 2,
    );
    expect((await metrics()).get('appliance_http_requests_total{route="/json",status="200"}')).toBe(before);
  });

  it('tell of open connections and forget closed ones', async () => {
    await until('the connection of this test is counted', async () => {
      await fetch(`${appliance.url}/ip`);
      return ((await metrics()).get('appliance_http_connections') ?? 0) >= 1;
    });
  });

  it('are on their own port only', async () => {
    expect((await fetch(`${appliance.url}/metrics`)).status).toBe(404);
    expect((await fetch(new URL('/', metricsUrl))).status).toBe(404);
    expect((await fetch(metricsUrl, { method: 'POST' })).status).toBe(405);
  });
});

it('a port for metrics that somebody else has keeps nobody from being served, and is had when it is free', async () => {
  const holder = createServer().listen(0, '127.0.0.1');
  await once(holder, 'listening');
  const { port } = holder.address() as AddressInfo;
  const other = await startAppliance({ environment: { APP_METRICS_LISTEN: `127.0.0.1:${port}` } });
  try {
    expect(other.log()).toContain(`cannot listen on 127.0.0.1:${port}`);
    holder.close();
    await until('metrics are served', () =>
      fetch(`http://127.0.0.1:${port}/metrics`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
  } finally {
    holder.close();
    await other.stop();
  }
});
