/** What an upgrade leaves that was cut off after the new release took over, and before the link led to it. */
export interface HalfUpgraded {
  /** The release that serves. */
  readonly running: string;
  /** The release that the link leads to, with which the service would start. */
  readonly installed: string;
}

interface Upgraded {
  readonly from: string;
  readonly to: string;
  readonly outcome: string;
  readonly endedMs?: number | undefined;
}

/** How long after the service the link may follow. */
const followsWithinMs = 10_000;

/**
 * Whether it is so, by the last upgrade of the service, the version that runs and the one that is installed: a service that was
 * only not restarted after an install looks alike. Undefined where it is not, or where the link may still follow.
 */
export function halfUpgraded(
  last: Upgraded | undefined,
  running: string | undefined,
  installed: string | undefined,
): HalfUpgraded | undefined {
  if (last === undefined || running === undefined || installed === undefined) return undefined;
  if (last.to !== running || last.from !== installed || running === installed) return undefined;
  if (Date.now() - (last.endedMs ?? 0) < followsWithinMs) return undefined;
  return last.outcome === 'went-back' ? undefined : { running, installed };
}

export function halfUpgradedWords({ running, installed }: HalfUpgraded): string {
  return `${running} runs, and ${installed} is installed`;
}

export function halfUpgradedRemedy({ running, installed }: HalfUpgraded): string {
  return `to finish, with the file of ${running}: sudo appliance upgrade FILE; or to go back to ${installed}: sudo systemctl restart appliance`;
}
