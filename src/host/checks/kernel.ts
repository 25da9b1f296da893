import { sysctlFile as settingFile } from '../install/steps/kernel.ts';
import { type Check, failed, ok, skipped, warning } from './check.ts';
import type { DoctorContext } from './doctor-context.ts';

const oldestKernel = [5, 14] as const;

const kernel: Check = {
  name: 'kernel',
  title: 'kernel',
  run({ host }) {
    const release = host.text('/proc/sys/kernel/osrelease')?.trim() ?? '';
    const [major = 0, minor = 0] = release.split('.').map((part) => Number.parseInt(part, 10));
    if (Number.isNaN(major) || release === '') return skipped('the kernel does not tell its version');
    if (major > oldestKernel[0] || (major === oldestKernel[0] && minor >= oldestKernel[1]))
      return ok(release);
    return failed(
      `the kernel ${release} is too old: connections are lost when workers are replaced before ${oldestKernel.join('.')}`,
      'sudo apt-get update && sudo apt-get dist-upgrade, then sudo reboot',
    );
  },
};

const setting = 'net.ipv4.tcp_migrate_req';

/** Without it, connections that were just made are lost whenever workers are replaced. */
const migrate: Check<Pick<DoctorContext, 'host' | 'installed'>> = {
  name: 'kernel-setting',
  title: setting,
  run({ host, installed }) {
    const value = host.text('/proc/sys/net/ipv4/tcp_migrate_req')?.trim();
    if (value === undefined) return skipped('this kernel does not have it');
    if (value === '1') {
      if (!installed || host.text(settingFile)?.includes(setting) === true) return ok('is 1');
      return warning(
        `is 1, and ${settingFile} does not keep it so`,
        `echo '${setting} = 1' | sudo tee ${settingFile}`,
      );
    }
    const set = `echo '${setting} = 1' | sudo tee ${settingFile} && sudo sysctl --load ${settingFile}`;
    const words = `is ${value}: new connections may be lost when workers are replaced`;
    return installed ? failed(words, set) : warning(words, set);
  },
};

const lowPorts: Check = {
  name: 'low-ports',
  title: 'ports below 1024',
  run({ host, httpPort, httpsPort }) {
    const start = Number(host.text('/proc/sys/net/ipv4/ip_unprivileged_port_start') ?? 1024);
    const free = [httpPort, httpsPort].filter((port) => port < 1024 && port >= start);
    if (free.length === 0) return ok('only root gives them');
    return warning(
      `any user of this host may take port ${free.join(' and ')} while the service is down`,
      'sudo sysctl -w net.ipv4.ip_unprivileged_port_start=1024, and out of /etc/sysctl.d',
    );
  },
};

const reboot: Check = {
  name: 'reboot',
  title: 'restart of the host',
  run({ host }) {
    if (host.text('/run/reboot-required') === undefined) return ok('is not called for');
    const packages = host.text('/run/reboot-required.pkgs')?.trim().split('\n') ?? [];
    const why = packages.length === 0 ? '' : ` (${[...new Set(packages)].slice(0, 3).join(', ')})`;
    return warning(`updates wait for a restart of the host${why}`, 'sudo reboot');
  },
};

export const kernelChecks: readonly Check<DoctorContext>[] = [kernel, migrate, lowPorts, reboot];
