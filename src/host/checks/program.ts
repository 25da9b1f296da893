import { createHash } from 'node:crypto';
import { lstatSync, readFileSync, realpathSync, type Stats } from 'node:fs';
import { dirname, join } from 'node:path';
import { halfUpgradedRemedy, halfUpgradedWords } from '../../core/half-upgraded.ts';
import { installedReleases, readReleases } from '../install/releases.ts';
import { serviceUnit } from '../install/units.ts';
import { type Check, failed, ok, skipped, warning } from './check.ts';
import type { DoctorContext } from './doctor-context.ts';
import { halfUpgrade, notInstalled, serviceIfRunning } from './service.ts';

const { folder, link } = installedReleases;
const install = 'install again, from the file of the release: sudo ./appliance install --yes';

const programLink: Check<DoctorContext> = {
  name: 'program-link',
  title: 'link to the program',
  async run({ host, installed }) {
    if (!installed) return notInstalled;
    const found = await readReleases({ folder: host.path(folder), link: host.path(link) });
    if (found.link === 'absent') return failed(`${link} is missing`, install);
    if (found.link === 'file')
      return failed(`${link} is a file, and should be a link into ${folder}`, install);
    if (found.link === 'elsewhere')
      return failed(`${link} leads somewhere else than into ${folder}`, install);
    if (found.current !== undefined && found.versions.includes(found.current)) {
      return ok(`leads to release ${found.current}`);
    }
    return failed(
      `${link} leads to release ${found.current}, which is not there`,
      found.versions.length === 0
        ? install
        : `sudo ln -sfn ${folder}/${found.versions.at(-1)}/appliance ${link} && sudo systemctl restart appliance`,
    );
  },
};

const native: Check<DoctorContext> = {
  name: 'native-file',
  title: 'native part of the program',
  run({ host, installed, nativeFile }) {
    if (!installed) return notInstalled;
    const binary = binaryIn(host.path(link));
    if (binary === undefined) return skipped(`${link} leads nowhere: see "program-link"`);
    const path = join(dirname(binary), nativeFile.name);
    let bytes: Buffer;
    try {
      bytes = readFileSync(path);
    } catch {
      return failed(`${path} is missing`, install);
    }
    const same = createHash('sha256').update(bytes).digest('hex') === nativeFile.sha256;
    return same ? ok(path) : failed(`${path} was changed, or is damaged`, install);
  },
};

function binaryIn(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

/** What root runs must be nobody else's to change. */
const owner: Check<DoctorContext> = {
  name: 'program-owner',
  title: 'who may change the program',
  run({ host, installed, nativeFile }) {
    if (!installed) return notInstalled;
    const binary = binaryIn(host.path(link));
    const files =
      binary === undefined ? [] : [binary, join(dirname(binary), nativeFile.name), dirname(binary)];
    for (const path of [...files, host.path(folder), host.path(dirname(link))]) {
      const found: Stats | undefined = lstatSync(path, { throwIfNoEntry: false });
      if (found === undefined) continue;
      if (found.uid !== 0)
        return failed(`${path} belongs to user ${found.uid}`, `sudo chown root:root ${path}`);
      // Debian has /usr/local/bin for the group staff, which has no members unless somebody wants it to
      const others = path === host.path(dirname(link)) ? 0o002 : 0o022;
      if ((found.mode & others) !== 0) {
        const mode = (found.mode & 0o777).toString(8).padStart(4, '0');
        return failed(`${path} may be changed by others (mode ${mode})`, `sudo chmod 0755 ${path}`);
      }
    }
    return ok('root alone');
  },
};

const upgrade: Check<DoctorContext> = {
  name: 'upgrade',
  title: 'last upgrade',
  async run(context) {
    const last = await context.lastUpgrade();
    if (last === undefined) return ok('there was none');
    const { from, to, outcome, reason } = last;
    const half = await halfUpgrade(context);
    if (half !== undefined)
      return failed(
        `from ${from} to ${to} it was cut off: ${halfUpgradedWords(half)}`,
        halfUpgradedRemedy(half),
      );
    const running = (await serviceIfRunning(context))?.version;
    if (outcome === 'done')
      return ok(
        `from ${from} to ${to}${running === undefined || running === to ? '' : `; ${running} runs now`}`,
      );
    if (outcome === 'under-way' && running === to)
      return warning(
        `from ${from} to ${to} it was cut off; ${to} runs`,
        'so that it is whole, with the same file: sudo appliance upgrade FILE',
      );
    if (outcome === 'under-way' && running === from) {
      return warning(
        `from ${from} to ${to}: under way, or cut off`,
        'wait a minute, then: sudo appliance status',
      );
    }
    return warning(
      `from ${from} to ${to} it went back${reason === undefined ? '' : `: ${reason}`}`,
      `${from} serves on; see why: journalctl --unit ${serviceUnit}, then try again: sudo appliance upgrade FILE`,
    );
  },
};

export const programChecks: readonly Check<DoctorContext>[] = [programLink, native, owner, upgrade];
