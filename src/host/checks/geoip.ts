import { countText } from '../../core/count-text.ts';
import { type Check, ok, warning } from './check.ts';
import type { DoctorContext } from './doctor-context.ts';

const dayMs = 24 * 3_600_000;
/** Addresses move: GeoLite2 may not be used for longer than that after the next one is out. */
const oldDays = 60;

/** What a database that came with the binary has for a path. */
const embedded = 'embedded';

/** One that cannot be read is told by what reading it throws. */
const age: Check<DoctorContext> = {
  name: 'geoip',
  title: 'GeoIP databases',
  async run(context) {
    const { host, dataFolder } = context;
    const editions = await context.geoip();
    const [oldest] = editions.toSorted((a, b) => a.builtMs - b.builtMs);
    if (oldest === undefined) return warning('there is none', 'install this release again');
    const days = Math.floor((host.now() - oldest.builtMs) / dayMs);
    const words = `${oldest.type} is ${countText(days, 'day')} old`;
    if (days <= oldDays) return ok(words);
    const remedy = `put a newer .mmdb file into ${dataFolder}/geoip, then: sudo systemctl reload appliance`;
    // what came with this release can only be as new as that
    if (editions.every(({ source }) => source === embedded))
      return ok(`${words}, as this release has it; ${remedy}`);
    return warning(`${words}: answers grow wrong`, remedy);
  },
};

export const geoipChecks: readonly Check<DoctorContext>[] = [age];
