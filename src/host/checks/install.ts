import { lstatSync } from 'node:fs';
import { pendingFile } from '../install/pending.ts';
import { installedReleases } from '../install/releases.ts';
import { unfinishedFile } from '../install/unfinished.ts';
import { serviceUnit, unitsFolder } from '../install/units.ts';
import { type Check, failed, ok } from './check.ts';
import type { DoctorContext } from './doctor-context.ts';
import { notInstalled } from './service.ts';

/** What every install brings, in the order in which it does. */
const parts = [
  installedReleases.folder,
  installedReleases.link,
  '/etc/appliance/secrets',
  `${unitsFolder}/${serviceUnit}`,
];
const again = 'sudo appliance install --yes';

/** Whether an install came to its end. */
const install: Check<DoctorContext> = {
  name: 'install',
  title: 'install',
  run({ host, installed }) {
    if (!installed) return notInstalled;
    const isThere = (path: string) => {
      try {
        return lstatSync(host.path(path), { throwIfNoEntry: false }) !== undefined;
      } catch {
        return true;
      }
    };
    const missing = parts.filter((path) => !isThere(path));
    if (missing.length > 0) {
      const program = missing.includes(installedReleases.link)
        ? 'from the file of the release: sudo ./appliance install --yes'
        : again;
      return failed(`it was cut off, or undone in part: there is no ${missing.join(', no ')}`, program);
    }
    if (isThere(pendingFile)) {
      return failed(
        'it was cut off, or is under way: the service has not taken over yet what was changed',
        again,
      );
    }
    const stoppedAt = host.text(unfinishedFile)?.trim();
    if (stoppedAt !== undefined) {
      return failed(
        `it stopped at the step "${stoppedAt}" or right after it, or is under way: not all of it is done`,
        again,
      );
    }
    return ok('came to its end');
  },
};

export const installChecks: readonly Check<DoctorContext>[] = [install];
