import { basename } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assetFile, unitAssetNames } from '../../src/core/assets.ts';
import { stackImages } from './image-archive.ts';
import { bootPackagedHost, buildBinary, type PackagedHost } from './packaged-host.ts';
import type { Ended } from './throwaway-host.ts';

const print = (line: string) => console.log(`  │ ${line}`);
let host: PackagedHost;
const sh = (script: string): string => host.sh(script);

/** All names of the host that last, but for what is made by whoever logs and what only stands for a moment. */
const list = () =>
  sh(
    `find / -xdev \\( -path /proc -o -path /var/tmp/systemd-private-\\* -o -path /sys -o -path /dev -o -path /tmp -o -path /root -o -path /var/lib/docker \\
      -o -path /var/lib/containerd -o -path /var/log -o -path /run -o -path /var/lib/systemd/catalog \\) -prune -o -print; ls -d /run/appliance* 2>/dev/null || true`,
  )
    .trim()
    .split('\n');

/** Tools that change users keep what there was before. */
const ofUserTools = /^\/etc\/(passwd|group|shadow|gshadow|subuid|subgid)-$/;
/** What is there more than before, and what less, with a sign before it. */
const changed = (before: readonly string[]): string[] => {
  const now = list();
  const more = now.filter((path) => !before.includes(path) && !ofUserTools.test(path));
  return [
    ...more.map((path) => `+${path}`),
    ...before.filter((path) => !now.includes(path)).map((path) => `-${path}`),
  ];
};

/** What an installed host has, as `install` leaves it. */
const installScript = String.raw`
set -e
folder=/usr/local/lib/appliance/0.1.0
mkdir -p $folder && cp /root/appliance $folder/ && /root/appliance native-file $folder >/dev/null
touch /run/appliance-install.pending
ln -sfn $folder/appliance /usr/local/bin/appliance
appliance secrets init
install -d -o appliance -g appliance -m 0750 /var/lib/appliance
if [ -n "$STACK" ]; then appliance stack up; fi
printf 'net.ipv4.tcp_migrate_req = 1\n' >/etc/sysctl.d/60-appliance.conf
sha256sum /etc/sysctl.d/60-appliance.conf >/usr/local/lib/appliance/.written
sysctl -qw net.ipv4.tcp_migrate_req=1
place() { mkdir -p "$(dirname "$1")"; printf '# Made by the program "appliance"\n' >"$1"; }
place /usr/local/share/bash-completion/completions/appliance
place /usr/local/share/zsh/site-functions/_appliance
place /etc/fish/completions/appliance.fish
place /usr/local/share/man/man1/appliance.1
cd /etc/systemd/system
cp /root/units/* .
systemctl daemon-reload
systemctl enable --now -q ${'$'}{STACK:+appliance-stack.service} appliance.service appliance-backup.timer
`;
const install = () => sh(`STACK=yes; ${installScript}`);
/** The same without containers, which take their time. */
const installAlone = () => sh(`STACK=; ${installScript}`);

const uninstall = (flags = ''): Ended => host.run(`/root/appliance uninstall ${flags}`);
/** Of the plan that was shown. */
const planned = ({ stdout }: Ended): string[] =>
  [...stdout.matchAll(/^ {2}([a-z-]+) {2,}\S/gm)].map(([, name]) => name!);
/** Of the steps that were done. */
const done = ({ stderr }: Ended): string[] =>
  stderr
    .trim()
    .split('\n')
    .filter((line) => /^[a-z-]+$/.test(line));

const usual = [
  'stop-units',
  'remove-units',
  'remove-containers',
  'restore-kernel-setting',
  'remove-shell-files',
  'remove-run-folders',
  'remove-compose-files',
];
const program = ['remove-releases', 'remove-link'];

/** The documented rest, where nothing is purged. */
const keeps = [
  /^\+\/etc\/appliance$/,
  /^\+\/etc\/appliance\/(secrets|stack)(\/|$)/,
  /^\+\/etc\/appliance\/compose(\/\.env)?$/,
  /^\+\/var\/lib\/appliance(\/|$)/,
];

describe('an uninstall', () => {
  let before: string[];
  beforeAll(async () => {
    const binary = buildBinary();
    host = await bootPackagedHost('docker', binary, print, '/root/appliance').finally(binary.remove);
    for (const name of unitAssetNames) host.put(assetFile(name), `/root/units/${basename(name)}`);
    await host.load(...stackImages);
    before = list();
  });
  afterAll(() => host?.remove());

  it('takes off all that was installed, as its dry run said, and leaves data, secrets and their owner', () => {
    install();
    const shown = uninstall('--dry-run');
    expect(planned(shown)).toEqual([...usual, ...program]);
    expect(sh('systemctl is-active appliance.service')).toBe('active\n');
    expect(uninstall()).toMatchObject({ status: 2, stderr: expect.stringContaining('add --yes') });
    const ended = uninstall('--yes');
    expect([ended.status, done(ended)], ended.stderr).toEqual([0, planned(shown)]);

    const more = changed(before);
    expect(more.filter((path) => !keeps.some((kept) => kept.test(path)))).toEqual([]);
    expect(more).toEqual(
      expect.arrayContaining([
        '+/var/lib/appliance',
        '+/etc/appliance/secrets/postgres.env',
        '+/etc/appliance/compose/.env',
      ]),
    );
    expect(
      sh('docker ps -aq; docker network ls -q --filter label=com.docker.compose.project=appliance'),
    ).toBe('');
    expect(sh('docker volume ls -q; docker image ls -q | wc -l')).toBe('appliance-postgres-18\n2\n');
    expect(sh('cat /proc/sys/net/ipv4/tcp_migrate_req; id -un appliance')).toBe('0\nappliance\n');
    expect(host.run('systemctl list-units --no-legend "appliance*"').stdout).toBe('');
    expect(ended.stdout).toContain(
      '/var/lib/appliance: visits, people, certificates with their keys, backups',
    );
    expect(ended.stdout).toContain('images of containers');
  });

  it('has nothing to do the second time, and says what stays', () => {
    const again = uninstall();
    expect([again.status, done(again)]).toEqual([0, []]);
    expect(again.stdout).toContain('nothing is left to remove');
    expect(again.stdout).toContain('/etc/appliance: configuration');
  });

  it('deletes everything else only when that is asked for and agreed to', () => {
    const answers = `printf 'yes\\n' | script -qec '/root/appliance uninstall --purge' /dev/null`;
    expect(uninstall('--purge')).toMatchObject({ status: 2, stderr: expect.stringContaining('add --yes') });
    expect(host.run(answers)).toMatchObject({
      status: 2,
      stdout: expect.stringContaining('nothing was removed'),
    });
    expect(sh('ls -d /var/lib/appliance /etc/appliance/secrets')).not.toBe('');

    installAlone();
    const ended = host.run(`printf 'purge\\n' | script -qec '/root/appliance uninstall --purge' /dev/null`);
    expect(ended.status, ended.stdout).toBe(0);
    expect(changed(before)).toEqual([]);
    expect(sh('docker ps -aq; docker volume ls -q')).toBe('');
    expect(sh('grep -c ^appliance: /etc/passwd /etc/group /etc/shadow /etc/gshadow || true')).toMatch(
      /^(\S+:0\n){4}$/,
    );
  });

  it('ends well from any half of an installation, and leaves what is not the appliance’s', () => {
    installAlone();
    sh(`
      systemctl stop appliance.service; rm /etc/systemd/system/appliance.service /etc/appliance/compose/compose.yaml
      systemctl mask -q appliance-backup.service 2>/dev/null || true
      rm -r /usr/local/lib/appliance/0.1.0; mkdir /usr/local/lib/appliance/notes
      mkdir -p /var/lib/appliance/mounted /srv/elsewhere/kept; touch /srv/kept /srv/elsewhere/kept/file
      mount --bind /srv/elsewhere/kept /var/lib/appliance/mounted
      ln -s /srv/elsewhere /var/lib/appliance/link
      printf 'complete -W mine appliance\\n' >/etc/fish/completions/appliance.fish
    `);
    const ended = uninstall('--purge --yes');
    expect(ended.status, ended.stderr).toBe(0);
    expect(ended.stderr).toContain('/var/lib/appliance/mounted: something is mounted there');
    expect(ended.stdout).toContain('/usr/local/lib/appliance/notes: no release of the appliance');
    sh('umount /var/lib/appliance/mounted; cat /srv/elsewhere/kept/file; rm -r /srv/kept /srv/elsewhere');
    sh('rm -r /usr/local/lib/appliance /etc/fish/completions/appliance.fish /var/lib/appliance/mounted');
    sh('rmdir /etc/fish/completions /etc/fish /var/lib/appliance');
    expect(changed(before)).toEqual([]);
    expect(sh('docker ps -aq; docker volume ls -q')).toBe('');
  });

  it('leaves a user, a unit and a link of the same name that are somebody else’s', () => {
    sh(`
      useradd --create-home appliance; install -d -o appliance /var/lib/appliance/certificates; touch /etc/mine
      ln -s /etc/mine /usr/local/bin/appliance; mkdir -p /etc/appliance/other
      printf '[Service]\\nExecStart=/bin/sleep 1000\\n' >/etc/systemd/system/appliance.service
      chown appliance /var/lib/appliance; systemctl daemon-reload; systemctl start appliance
    `);
    const ended = uninstall('--purge --yes');
    expect([ended.status, done(ended)]).toEqual([0, []]);
    for (const what of [
      'appliance.service',
      'the user appliance',
      '/usr/local/bin/appliance',
      '/etc/appliance:',
      '/var/lib/appliance:',
    ])
      expect(ended.stdout).toContain(what);
    sh(
      'systemctl is-active appliance && ls /var/lib/appliance/certificates /etc/appliance/other /usr/local/bin/appliance',
    );
    sh(`systemctl stop appliance; userdel -r appliance
      rm -r /var/lib/appliance /etc/appliance /usr/local/bin/appliance /etc/systemd/system/appliance.service /etc/mine; systemctl daemon-reload`);
    expect(changed(before)).toEqual([]);
  });

  it('does the rest where Docker is broken, says so, and ends it once Docker is mended', () => {
    install();
    sh('systemctl mask --runtime --now -q docker.service docker.socket');
    const broken = uninstall('--purge --yes');
    expect(broken.status).toBe(1);
    expect(broken.stderr).toContain('Docker does not answer');
    expect(changed(before)).toEqual([]);
    sh('systemctl unmask --runtime -q docker.service docker.socket; systemctl start docker');
    const ended = uninstall('--purge --yes');
    expect([ended.status, done(ended)], ended.stderr).toEqual([0, ['remove-containers', 'remove-volumes']]);
    expect(sh('docker ps -aq; docker volume ls -q')).toBe('');
  });
});
