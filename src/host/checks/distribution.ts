import type { Host } from './host.ts';

export interface Distribution {
  /** For people: `Debian GNU/Linux 12 (bookworm)`. */
  readonly name: string;
  /** `ubuntu`, `debian`, …; empty where the host does not tell. */
  readonly id: string;
  /** `24.04`, `12`; empty where there is none, as for Debian's unstable. */
  readonly version: string;
  readonly supported: boolean;
}

const oldest: Readonly<Record<string, number>> = { ubuntu: 24.04, debian: 12 };

/** What os-release(5) says. */
export function distributionOf(host: Pick<Host, 'text'>): Distribution {
  const release = host.text('/etc/os-release') ?? host.text('/usr/lib/os-release') ?? '';
  const valueOf = (key: string) => new RegExp(`^${key}=["']?([^"'\n]*)`, 'm').exec(release)?.[1] ?? '';
  const id = valueOf('ID');
  const version = valueOf('VERSION_ID');
  return {
    name: valueOf('PRETTY_NAME') || 'a distribution without a name',
    id,
    version,
    supported: Number.parseFloat(version) >= (oldest[id] ?? Infinity),
  };
}
