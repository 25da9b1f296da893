import { timeText } from './acme-problem.ts';

const hourMs = 3_600_000;

/** Undefined where it is less than an hour: time-outs and lives of certificates bear that. */
export const skew = (aheadMs: number | undefined) =>
  aheadMs !== undefined && Math.abs(aheadMs) > hourMs ? aheadMs : undefined;

/** For people; undefined where the clock is right. `now`: milliseconds since 1970, by this host. */
export function clockSentence(aheadMs: number | undefined, now: number): string | undefined {
  const by = skew(aheadMs);
  if (by === undefined) return undefined;
  const days = Math.abs(by) / (24 * hourMs);
  const amount =
    days >= 730
      ? `${Math.round(days / 365.25)} years`
      : days >= 2
        ? `${Math.round(days)} days`
        : `${Math.round(days * 24)} hours`;
  return `This host's clock (${timeText(now)}) is ${amount} ${by > 0 ? 'ahead of' : 'behind'} the authority's (${timeText(now - by)}): set it, for instance with timedatectl set-ntp true.`;
}
