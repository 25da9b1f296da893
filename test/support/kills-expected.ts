import { beforeAll, expect, it } from 'vitest';
import { type KillReport, killKinds, runKills, summaryOf } from './kills.ts';

/**
 * What has to be true of every run; to be called within a `describe`. `KILLS_SEED` and `KILLS_COUNT` change what is run; the seed and
 * the counts are printed.
 */
export function expectNothingLost(
  usual: { readonly seed: number; readonly count: number; readonly limitMs: number },
  progress: (line: string) => void,
): void {
  const seed = Number(process.env['KILLS_SEED'] ?? usual.seed);
  const count = Number(process.env['KILLS_COUNT'] ?? usual.count);
  let report: KillReport;
  beforeAll(async () => {
    console.log(
      `${count} kills; again: KILLS_SEED=${seed} KILLS_COUNT=${count} npm test -- integration/kills`,
    );
    report = await runKills({ seed, count }, progress);
    console.log(summaryOf(report));
  }, usual.limitMs);

  it('loses nothing that was acknowledged, counts no visit twice, and can run every command again', () => {
    expect(report.faults).toEqual([]);
  });

  it('is killed in every way', () => {
    const kills = Object.values(report.kills);
    expect(kills.reduce((sum, each) => sum + each)).toBe(count);
    if (count >= 2 * killKinds.length) expect(Math.min(...kills)).toBeGreaterThan(0);
  });

  it('loses two seconds of visits at most', () => {
    expect(report.oldestLostVisitMs).toBeLessThanOrEqual(2_000);
  });

  it('answers whoami all along, but while there is no service at all', () => {
    expect(report.whoami.failed).toEqual([]);
    expect(report.whoami.asked).toBeGreaterThan(100 * count);
  });
}
