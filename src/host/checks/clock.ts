import { statSync } from 'node:fs';
import { minuteText } from '../../core/time-text.ts';
import { type Check, failed, ok, skipped, warning } from './check.ts';

/** A clock may be a little behind the one that wrote a file. */
const slackMs = 120_000;

/** What was written here before now cannot be from later than now: the clock went back, or was never set. */
const clock: Check = {
  name: 'clock',
  title: 'clock',
  run({ host, dataFolder }) {
    const now = host.now();
    const witnesses = [
      '/var/lib/systemd/timesync/clock',
      '/usr/local/bin/appliance',
      `${dataFolder}/certificates`,
      `${dataFolder}/backups`,
      '/var/lib/dpkg/status',
    ];
    for (const path of witnesses) {
      const writtenMs = writtenAt(host.path(path));
      if (writtenMs === undefined || writtenMs <= now + slackMs) continue;
      return failed(
        `the clock says ${minuteText(now)}, and ${path} was written ${minuteText(writtenMs)}`,
        'sudo timedatectl set-ntp true; certificates need the right time',
      );
    }
    return ok(minuteText(now));
  },
};

/** Undefined also where this user may not look: the others tell as much. */
function writtenAt(path: string): number | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })?.mtimeMs;
  } catch {
    return undefined;
  }
}

const synchronisation: Check = {
  name: 'clock-sync',
  title: 'clock synchronisation',
  async run({ host }) {
    const inside = await host.run('systemd-detect-virt', ['--container']);
    if (inside.exitCode === 0) return skipped('the clock of a container is set outside of it');
    const names = ['NTPSynchronized', 'NTP', 'CanNTP'];
    const args = ['show', ...names.map((name) => `--property=${name}`)];
    const { exitCode, stdout } = await host.run('timedatectl', args);
    if (exitCode !== 0) return skipped('timedatectl tells nothing of it');
    const is = (name: string) => new RegExp(`^${name}=yes$`, 'm').test(stdout);
    if (is('NTPSynchronized')) return ok('the clock is set from the network');
    if (is('NTP')) {
      return warning(
        'the clock is to be set from the network, and has not been yet',
        'timedatectl timesync-status',
      );
    }
    return warning(
      'the clock is not set from the network',
      is('CanNTP')
        ? 'sudo timedatectl set-ntp true'
        : 'sudo apt-get install systemd-timesyncd, where nothing else sets it',
    );
  },
};

export const clockChecks: readonly Check[] = [clock, synchronisation];
