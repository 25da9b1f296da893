import { hostGlibc } from '../../core/glibc.ts';
import { type Check, failed, ok, warning } from './check.ts';
import { distributionOf } from './distribution.ts';

/** `Type=notify-reload` and more that the units use are from here on; Debian 12 has 252. */
const oldestSystemd = 252;

const root: Check = {
  name: 'root',
  title: 'rights of root',
  run: ({ host }) =>
    host.uid === 0 ? ok('this runs as root') : failed('this does not run as root', 'type sudo before it'),
};

const systemd: Check = {
  name: 'systemd',
  title: 'systemd',
  async run({ host }) {
    if (host.text('/proc/1/comm')?.trim() !== 'systemd') {
      return failed(
        'this host was not started by systemd',
        'use a host with systemd as its first process; within a container, "appliance serve" runs without it',
      );
    }
    const { stdout } = await host.run('systemctl', ['--version']);
    const version = /^systemd (\d+)/.exec(stdout)?.[1];
    if (version === undefined) return failed('systemctl does not tell its version', 'systemctl --version');
    if (Number(version) < oldestSystemd) {
      return failed(
        `systemd ${version} is too old, ${oldestSystemd} is needed`,
        'use Ubuntu 24.04 or later, or Debian 12 or later',
      );
    }
    return ok(`systemd ${version} runs this host`);
  },
};

const glibc: Check = {
  name: 'glibc',
  title: 'C library',
  run({ oldestGlibc }) {
    const found = hostGlibc();
    const [major = 0, minor = 0] = (found ?? '').split('.').map(Number);
    const [leastMajor = 0, leastMinor = 0] = oldestGlibc.split('.').map(Number);
    if (found !== undefined && (major > leastMajor || (major === leastMajor && minor >= leastMinor))) {
      return ok(`glibc ${found}`);
    }
    return failed(
      `this host has ${found === undefined ? 'no glibc' : `glibc ${found}`}, and ${oldestGlibc} is needed`,
      'use Ubuntu 24.04 or later, or Debian 12 or later',
    );
  },
};

const architecture: Check = {
  name: 'architecture',
  title: 'processor',
  run: () =>
    process.arch === 'x64'
      ? ok('amd64')
      : failed(`the processor is ${process.arch}, and this program is for amd64`, 'use a host with amd64'),
};

const distribution: Check = {
  name: 'distribution',
  title: 'distribution',
  run({ host }) {
    const found = distributionOf(host);
    if (found.supported) return ok(found.name);
    return warning(
      `${found.name} is not among those that this program is tried on`,
      'Ubuntu 24.04 or later and Debian 12 or later are',
    );
  },
};

export const systemChecks: readonly Check[] = [root, systemd, glibc, architecture, distribution];
