import type { Loaded } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { serviceUnit } from '../host/install/units.ts';
import { type GlancedContainer, glanceAtContainers } from '../host/stack/glance.ts';
import { stackLayout } from '../host/stack/stack-layout.ts';
import { mayRead } from './readable-configuration.ts';

/** What `status` shows beside what the service tells. */
export const statusParts = {
  /** Undefined where the configuration names none; whoever may not read it cannot ask docker either. */
  async containers(loaded: Loaded): Promise<readonly GlancedContainer[] | undefined> {
    return hasContainers(loaded) ? glanceAtContainers() : undefined;
  },
  async installedRelease(): Promise<string | undefined> {
    const { installedReleases, readReleases } = await import('../host/install/releases.ts');
    return (await readReleases(installedReleases)).current;
  },
  /** Undefined where it is not systemd who runs it. */
  async whyNotRunning(loaded: Loaded) {
    const runDir = loaded.values.find(({ field }) => field === 'runDir')?.value;
    if (runDir !== '/run/appliance') return undefined;
    const { readUnits } = await import('../host/checks/unit-facts.ts');
    const { thisHost } = await import('../host/checks/host.ts');
    const { whyNotRunning } = await import('../host/checks/why-not-running.ts');
    const unit = (await readUnits(thisHost())).get(serviceUnit);
    return whyNotRunning(unit, loaded.problems.length > 0 && mayRead(loaded));
  },
};

/** Whether the database or the cache of this configuration is a container of this host. */
export function hasContainers({ values: found }: Pick<Loaded, 'values'>): boolean {
  const values = Object.fromEntries(found.map(({ field, value }) => [field, value])) as Partial<Config>;
  const { dataDir = '' } = values;
  return [true, false].some((installed) => {
    const layout = stackLayout({ installed, dataDir });
    return values.postgresHost === layout.postgresHost || values.redisHosts?.[0] === layout.redisSocket;
  });
}
