import { beforeAll, describe, expect, it } from 'vitest';
import { runOnOwnNetwork } from '../support/own-network.ts';
import type { UpgradePlan, UpgradeReport } from '../support/upgrade-run.ts';

describe('a service under load that hands over to another version, twice', () => {
  let report: UpgradeReport;
  beforeAll(async () => {
    const plan: UpgradePlan = { upgrades: 2, watchMs: 6000 };
    report = (await runOnOwnNetwork('upgrade-run.ts', plan, () => {})) as UpgradeReport;
  });

  it('answers every request over connections that stay open', () => {
    expect(report.keepAlive.failures).toEqual({ connect: 0, read: 0, write: 0, status: 0, timeout: 0 });
    expect(report.keepAlive.requests).toBeGreaterThan(5000);
  });

  it('answers every new connection', () => {
    expect(report.failed).toEqual([]);
    expect(report.connections).toBeGreaterThan(500);
  });

  it('answers on its control socket all the time', () => {
    expect(report.unanswered).toEqual([]);
    expect(report.asked).toBeGreaterThan(50);
  });

  it('is another process each time, which says what became of it', () => {
    expect(new Set(report.pids).size).toBe(3);
    expect(report.upgrades.map(({ pid }) => pid)).toEqual(report.pids.slice(1));
    expect(report.lastUpgrade).toMatchObject({ outcome: 'done' });
  });

  it('has nothing to complain of', () => {
    expect(report.log).not.toMatch(/"level":"(error|fatal)"/);
  });
});
