import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startAppliance, type Appliance } from '../support/appliance.ts';
import { until } from '../support/until.ts';

const caller = { 'x-forwarded-for': '198.41.0.4', authorization: 'Bearer t0k3n', cookie: 'sid=s3cr3t' };

function lines(appliance: Appliance): { level: string; msg: string; [field: string]: unknown }[] {
  return appliance
    .log()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { level: string; msg: string });
}

describe('the log at info', () => {
  let appliance: Appliance;
  beforeAll(async () => {
    appliance = await startAppliance({
      flags: ['--workers', '1'],
      environment: { POSTGRES_PASSWORD: 'Tr0ub4dor&3' },
    });
  });
  afterAll(() => appliance.stop());

  it('is one JSON object a line with time and level', () => {
    expect(lines(appliance).length).toBeGreaterThan(0);
    for (const line of lines(appliance)) {
      expect(line).toMatchObject({
        level: expect.stringMatching(/^(debug|info|warn|error)$/) as string,
        time: expect.stringMatching(/^20\d\d-\d\d-\d\dT[\d:.]+Z$/) as string,
        msg: expect.any(String) as string,
      });
    }
  });
  it('has no line for a request, no whole address and no secret', async () => {
    const made = 'the database has the tables of this release';
    await until('the last line of the start', () => lines(appliance).some(({ msg }) => msg === made));
    const before = lines(appliance).length;
    for (const path of ['/', '/json', '/nothing', '/ip?ip=198.41.0.4', '/whoami?ip=x']) {
      await fetch(`${appliance.url}${path}`, { headers: caller });
    }
    expect(lines(appliance)).toHaveLength(before);
    expect(appliance.log()).not.toMatch(/198\.41\.0\.4|t0k3n|s3cr3t|Tr0ub4dor/);
  });
});

describe('the log at debug', () => {
  let appliance: Appliance;
  beforeAll(async () => {
    appliance = await startAppliance({ flags: ['--workers', '1', '--log-level', 'debug'] });
  });
  afterAll(() => appliance.stop());

  it('has one line for each request, without its secrets', async () => {
    await fetch(`${appliance.url}/json?ip=9.9.9.9`, { headers: caller });
    await fetch(`${appliance.url}/nothing`, { headers: caller });
    const requests = () => lines(appliance).filter(({ msg }) => msg === 'request');
    await until(
      'both are logged',
      () => requests().filter(({ path }) => path !== '/health/live').length === 2,
    );
    expect(requests().slice(-2)).toMatchObject([
      { level: 'debug', method: 'GET', path: '/json', status: 200, client: '198.41.0.4' },
      { method: 'GET', path: '/nothing', status: 404 },
    ]);
    expect(appliance.log()).not.toMatch(/t0k3n|s3cr3t/);
  });
});
