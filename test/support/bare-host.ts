import { spawnSync } from 'node:child_process';
import { applianceCommand } from './appliance.ts';

const mounts = `
  cp -a /etc "$1/etc"; mkdir "$1/lib" "$1/home"; rm -rf "$1/etc/appliance"
  sed -i /^appliance:/d "$1"/etc/passwd "$1"/etc/group "$1"/etc/shadow "$1"/etc/gshadow
  mount --bind "$1/etc" /etc; mount --bind "$1/lib" /var/lib; cd "$1/home"`;

/**
 * Runs a script as root, with `appliance` as a command, where /etc and /var/lib are of a host without a trace of the appliance. They
 * are made in `folder`, with an empty `home` to work in.
 */
export function onBareHost(
  folder: string,
  script: string,
): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
  const appliance = `appliance() { $asUser ${applianceCommand().join(' ')} "$@"; }`;
  const { status, stdout, stderr } = spawnSync(
    'unshare',
    ['-m', 'sh', '-ec', `${mounts}\n${appliance}\n${script}`, 'sh', folder],
    { encoding: 'utf8', env: { PATH: process.env['PATH'], HOME: folder } },
  );
  return { status, stdout, stderr };
}
