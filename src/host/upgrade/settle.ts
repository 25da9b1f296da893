import { setTimeout as wait } from 'node:timers/promises';
import {
  pruneReleases,
  readReleases,
  type ReleasesPlace,
  removeCutOff,
  switchRelease,
} from '../install/releases.ts';
import type { Changed } from './change-release.ts';
import { finish } from './finish.ts';

/** What the service tells of itself, as far as it matters here. */
export interface ServiceSeen {
  readonly version: string;
  readonly upgrading?: boolean | undefined;
  readonly lastUpgrade?: { readonly from: string; readonly to: string; readonly outcome: string } | undefined;
}

/** `silent`: it runs, and does not answer. Undefined: it does not run. */
export type ServiceLook = ServiceSeen | 'silent' | undefined;

export interface SettleParts {
  readonly place: ReleasesPlace;
  /** The release that was installed when the upgrade began. */
  readonly from: string | undefined;
  look(): Promise<ServiceLook>;
  progress(step: string): void;
  /** For tests. */
  readonly patience?: Patience;
}

export interface Patience {
  readonly lookEveryMs: number;
  /** What a service needs that hands over: every deadline of it together. */
  readonly handOverMs: number;
  /** The new one answers before the old one has kept that it is done. */
  readonly lastWordsMs: number;
}

const usual: Patience = { lookEveryMs: 250, handOverMs: 150_000, lastWordsMs: 20_000 };

/**
 * Clears up what a killed upgrade left. The service goes back by itself when nobody waits for it any more, or has just handed over:
 * that is waited for. Where the new release then serves, the link is led to it, and where not, all is as before. Gives the change
 * that has come to its end by that, or had before; undefined where there is none. The caller holds the lock of the releases.
 * Rejects as `switchRelease` does, and as `look` does.
 */
export async function settle(parts: SettleParts): Promise<Changed | undefined> {
  const { place, from, progress } = parts;
  const seen = await untilHandedOver(parts);
  await removeCutOff(place);
  const { current, versions } = await readReleases(place);
  if (current === undefined) return undefined;
  if (seen === 'silent') {
    progress(`the service does not answer; ${current} is installed`);
    return undefined;
  }
  const running = seen?.version;
  if (running === undefined || running === current) {
    progress(
      running === undefined
        ? `the service does not run; ${current} is installed`
        : `${current} serves, and is installed`,
    );
    await finish(current, parts);
    // what was killed had led the link to it
    return from === undefined || from === current
      ? undefined
      : { from, to: current, running: running !== undefined };
  }
  const last = seen?.lastUpgrade;
  if (
    last?.outcome !== 'done' ||
    last.from !== current ||
    last.to !== running ||
    !versions.includes(running)
  ) {
    progress(`${running} serves, and ${current} is installed`);
    await pruneReleases(place, [running]);
    return undefined;
  }
  await switchRelease(place, running);
  progress(`the link leads to ${running}, which serves`);
  await finish(running, parts);
  return { from: current, to: running, running: true };
}

async function untilHandedOver({ look, patience = usual, progress }: SettleParts): Promise<ServiceLook> {
  const { lookEveryMs, handOverMs, lastWordsMs } = patience;
  const giveUpAt = performance.now() + handOverMs;
  let stillSince: number | undefined;
  let told = false;
  for (;;) {
    const seen = await look();
    const now = performance.now();
    if (seen === undefined || now > giveUpAt) return seen;
    // while one of two takes the place of the other, nobody may answer for a moment
    if (seen === 'silent' || seen.upgrading === true || seen.lastUpgrade?.outcome === 'under-way')
      stillSince = undefined;
    else {
      stillSince ??= now;
      if (seen.lastUpgrade?.outcome !== 'interrupted' || now - stillSince >= lastWordsMs) return seen;
    }
    if (!told) progress('waiting for the service, which goes back by itself, or has just handed over');
    told = true;
    await wait(lookEveryMs);
  }
}
