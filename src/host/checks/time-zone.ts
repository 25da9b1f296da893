import { type Check, ok, warning } from './check.ts';

/** Any will do: schedules go by it, certificates and logs go by UTC. */
const timeZone: Check = {
  name: 'time-zone',
  title: 'time zone',
  run({ host }) {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (host.text('/etc/localtime') !== undefined) return ok(`${zone}; schedules go by it, logs by UTC`);
    return host.text('/etc/timezone') === undefined
      ? ok('none is set: UTC')
      : warning(
          '/etc/localtime leads nowhere: schedules go by UTC',
          `sudo timedatectl set-timezone ${host.text('/etc/timezone')?.trim()}`,
        );
  },
};

export const timeZoneChecks: readonly Check[] = [timeZone];
