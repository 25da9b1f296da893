import { beforeAll, expect, it } from 'vitest';
import { renewUnderLoad, type RenewalPlan, type RenewalReport } from './renewals-under-load.ts';

/** What has to be true of every run; to be called within a `describe`. */
export function expectRenewals(plan: RenewalPlan, progress: (line: string) => void): void {
  let report: RenewalReport;
  beforeAll(
    async () => {
      report = await renewUnderLoad(plan, progress);
    },
    (plan.limitSeconds + 60) * 1000,
  );

  it(`renews its certificate ${plan.renewals} times by itself, before the one before ends`, () => {
    expect(report.renewals.length, report.log).toBeGreaterThanOrEqual(plan.renewals);
    expect(report.log).not.toMatch(/"level":"(error|fatal)"/);
  });

  it('answers every request over connections that stay open', () => {
    expect(report.keepAlive.requests).toBeGreaterThan(100 * plan.renewals);
    expect(report.keepAlive.failures).toEqual({ connect: 0, read: 0, write: 0, status: 0, timeout: 0 });
  });

  it('answers every new connection, with a certificate that a browser would take', () => {
    expect(report.connections).toBeGreaterThan(10 * plan.connectionsPerSecond);
    expect(report.failed).toEqual([]);
    expect(report.serials.length).toBeGreaterThan(plan.renewals);
  });

  it('shows each new connection after a swap the new certificate', () => {
    expect(report.stale).toEqual([]);
  });
}
