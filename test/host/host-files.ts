import type { PackagedHost } from './packaged-host.ts';

/** Where the machine keeps notes for itself, whatever is installed; and backups, which are made at midnight. */
const restless = ['/proc', '/sys', '/dev', '/run', '/tmp', '/var/log', '/var/cache', '/var/tmp'];
const backups = '/var/lib/appliance/backups';
const skip = (folders: readonly string[]) => folders.map((each) => `-path ${each}`).join(' -o ');

/** Every file, folder and link with whose it is and its mode; not those of docker and where everything changes. */
export function namesOf({ sh }: PackagedHost): readonly string[] {
  const found = sh(
    `find / -ignore_readdir_race -mindepth 1 \\( ${skip([...restless, backups, '/var/lib/docker', '/var/lib/containerd'])} \\) -prune ` +
      `-o -printf '%p %y %u:%g %m\\n'`,
  );
  return found.trim().split('\n').toSorted();
}

/** What is added and what is gone, as `+` and `-` before each line. */
export function difference(before: readonly string[], after: readonly string[]): readonly string[] {
  const [old, now] = [new Set(before), new Set(after)];
  return [
    ...before.filter((line) => !now.has(line)).map((line) => `- ${line}`),
    ...after.filter((line) => !old.has(line)).map((line) => `+ ${line}`),
  ];
}

/** Everything that an install may write to, with owner, mode, time and the sum of what is in it. */
export function contentsOf({ sh }: PackagedHost): readonly string[] {
  const own = '/etc /usr/local /var/lib/systemd $(ls -d /var/lib/appliance 2>/dev/null)';
  // what the service itself keeps writing, its database and what it counts; and what is noted at midnight
  const busy = String.raw`-name 'state.sqlite*' -o -name 'clock' -o -name '*.lock' -o -path '*/stats*' -o -path '${backups}*' -o -name 'stamp-*.timer'`;
  // a file that was there for a moment only is gone before it is read
  const told = `sum=$(sha256sum <"$1") && stat -c "%n %U:%G %a %.Y $sum" "$1" || true`;
  const found = sh(
    `find ${own} -ignore_readdir_race \\( ${busy} \\) -o -type f -exec sh -c '${told}' - {} \\; -o -printf '%p %u:%g %m\\n'`,
  );
  return found.trim().split('\n').toSorted();
}
