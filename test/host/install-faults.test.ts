import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shellPlaces } from '../../src/core/shell-places.ts';
import { imageArchive, stackImages } from './image-archive.ts';
import { bootPackagedHost, buildBinary, type PackagedBinary, type PackagedHost } from './packaged-host.ts';
import { pebbleInside, startPebbleInside } from './pebble-inside.ts';
import type { Ended } from './throwaway-host.ts';

const print = (line: string) => console.log(`  │ ${line}`);
const program = '/root/appliance';
const install = `${program} install --domain appliance.test --acme-directory ${pebbleInside.directoryUrl} --acme-ca-file /root/ca.pem --yes`;
const small = `${install} --no-containers`;
const steps = [
  'user',
  'release',
  'configuration',
  'kernel',
  'units',
  'shells',
  'service',
  'certificate',
  'proof',
];

let binary: PackagedBinary;
let host: PackagedHost;
/** Where an install ran to its end at once. */
let untouched: PackagedHost;
beforeAll(async () => {
  binary = buildBinary();
  [host, untouched] = await Promise.all([newHost(), newHost()]);
});
afterAll(() => {
  host?.remove();
  untouched?.remove();
  binary?.remove();
});

async function newHost(kind: 'bare' | 'docker' = 'bare'): Promise<PackagedHost> {
  const made = await bootPackagedHost(kind, binary, print);
  made.sh(`mv /usr/local/bin/appliance ${program}`);
  await startPebbleInside(made);
  made.sh(`cat ${pebbleInside.caFile} <(echo) ${pebbleInside.rootFile} >/root/ca.pem`);
  return made;
}

const ours = '/usr/local /etc/appliance /etc/systemd/system /etc/sysctl.d /var/lib/appliance';
/** Every file of ours with its mode and owner, and what is in it where that is the same on every host; backups are made at midnight. */
function listing({ sh }: PackagedHost): string[] {
  return sh(`
find ${ours} -printf '%M %U:%G %p -> %l\\n'
find ${ours} -type f -not -path '/var/lib/*' -not -name acme-ca.pem -exec sha256sum {} +`)
    .split('\n')
    .filter((line) => !/state\.sqlite|certificates\/|geoip\/|\.lock|\/backups/.test(line))
    .toSorted();
}

/** Takes off the host all that an install puts there. */
const wipe = () =>
  host.sh(`for unit in appliance.service appliance-backup.timer; do systemctl disable --quiet --now $unit 2>/dev/null; done
rm -rf /usr/local/lib/appliance /usr/local/bin/appliance /etc/appliance /etc/sysctl.d/60-appliance.conf /etc/systemd/system/appliance* /var/lib/appliance /run/appliance-install.*
rm -f ${Object.values(shellPlaces).join(' ')}
userdel appliance 2>/dev/null; systemctl daemon-reload; systemctl reset-failed; true`);

/** An install that succeeds, and one more that has nothing to do. */
function finishes(command = small, where = host): void {
  where.sh(command);
  const again = where.sh(`${program} install`);
  expect(again).toContain('Nothing to do: this host is as it should be');
  expect(where.sh('curl -sS --fail --cacert /root/ca.pem https://appliance.test/ip')).toMatch(
    /^[\d.:a-f]+\n$/,
  );
}

/** Kills the install when it begins a step, or so much later; one that the runs before have done is not begun again. */
function killAt(step: string, delaySeconds: number, command = small, where = host): void {
  where.sh(`
cd /root; rm -f out err
( exec ${command} >out 2>err ) & pid=$!
until grep -q '^  ${step}  *…$' err; do kill -0 $pid 2>/dev/null || { wait $pid && exit 0; cat out err; exit 1; }; sleep 0.005; done
sleep ${delaySeconds}; kill -9 $pid; wait $pid; true`);
}

describe('a dry run', () => {
  it('changes nothing at all, and prints the steps that then run', () => {
    const all = 'find /etc /usr /opt /home /srv /var/lib /var/cache -newer /root/mark; ls /run';
    untouched.sh('touch /root/mark; sleep 0.02');
    const before = untouched.sh(all);
    const planned = untouched.sh(`${small} --dry-run`);
    expect(untouched.sh(all)).toBe(before);
    const names = (text: string) => [...text.matchAll(/^ {2}([a-z]+) {2,}\S/gm)].map(([, name]) => name);
    expect(names(planned)).toEqual(steps);
    expect(names(untouched.sh(small)).slice(0, steps.length)).toEqual(steps);
  });

  it('gives the plan to a script', () => {
    finishes(small, untouched);
    const plan = JSON.parse(untouched.sh(`${small} --dry-run --json`)) as {
      schema: number;
      changes: boolean;
    };
    expect(plan).toMatchObject({ schema: 1, changes: false });
  });
});

describe('an install that is killed', () => {
  it.each([0, 0.05])('at each step, %d s into it, comes to the same end by the same command', (delay) => {
    wipe();
    for (const step of steps) killAt(step, delay);
    finishes();
    expect(listing(host)).toEqual(listing(untouched));
  });

  it('while useradd had made the user and not yet its group, has both by the same command', () => {
    wipe();
    host.sh(`useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin appliance
sed -i /^appliance:/d /etc/group /etc/gshadow`);
    finishes();
    expect(listing(host)).toEqual(listing(untouched));
  });

  it('leaves nothing behind that it had begun', () => {
    expect(host.sh(`find ${ours} -name '.*.tmp'; ls /run | grep appliance-install || true`)).toBe('');
  });
});

/** An install while a folder is on a disk of its own, which is full. */
function installOnFullDisk(folder: string): Ended {
  host.sh(`mkdir -p ${folder}; cp -a ${folder} /root/before; mount -t tmpfs -o size=256k tmpfs ${folder}
cp -a /root/before/. ${folder}/; rm -rf /root/before; head -c 1M /dev/zero >${folder}/.filler 2>/dev/null || true`);
  const ended = host.run(small);
  host.sh(`umount ${folder}`);
  return ended;
}

describe('a full disk', () => {
  it('for the binary is said before anything is changed', () => {
    wipe();
    const { status, stderr } = installOnFullDisk('/usr/local/lib');
    expect([status, stderr]).toEqual([3, expect.stringContaining('/usr/local/lib has 0 MB free') as string]);
    finishes();
  });

  it.each([
    ['configuration', '/etc/appliance'],
    ['kernel', '/etc/sysctl.d'],
    ['units', '/etc/systemd/system'],
  ])('at the step %s ends it in words, and with room the same command goes on', (step, folder) => {
    wipe();
    const { status, stderr } = installOnFullDisk(folder);
    expect([status, stderr]).toEqual([1, expect.stringContaining(`error: step ${step}: `) as string]);
    expect(stderr).toMatch(/: no space left on device\n.*to do: Free some space.*goes on from here/s);
    finishes();
  });
});

describe('what is in the way', () => {
  it('is a /usr that cannot be written', () => {
    wipe();
    host.sh('mount --bind /usr /usr && mount -o remount,ro,bind /usr');
    const { status, stderr } = host.run(small);
    host.sh('mount -o remount,rw,bind /usr; umount --lazy /usr');
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/\/usr\/local.*mounted for reading only/);
    finishes();
  });

  it('is a port that somebody holds, and is named with its holder', () => {
    wipe();
    // without a dollar, which systemd would take for a variable
    const holder =
      'use Socket; socket(S, 2, 1, 0); setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1); bind(S, pack_sockaddr_in(80, INADDR_ANY)); listen(S, 1); sleep 600';
    host.sh(`systemd-run --quiet --unit squatter perl -e '${holder}'
timeout 10 bash -c 'until ss -ltn | grep -q ":80 "; do sleep 0.05; done'`);
    const { status, stderr } = host.run(small);
    host.sh('systemctl stop squatter');
    expect([status, stderr]).toEqual([3, expect.stringContaining('port 80 is held by perl') as string]);
    expect(host.sh('ls /etc | grep -c appliance || true')).toBe('0\n');
    finishes();
  });

  it('is a person by the name of appliance', () => {
    wipe();
    host.sh('useradd --create-home --shell /bin/bash appliance');
    const { status, stderr } = host.run(small);
    expect([status, stderr]).toEqual([
      3,
      expect.stringContaining("the user appliance is a person's") as string,
    ]);
    host.sh('userdel --remove appliance 2>/dev/null');
    finishes();
  });

  it('is a folder, or a program, of somebody else', () => {
    wipe();
    host.sh('install -d -o nobody /var/lib/appliance; touch /var/lib/appliance/theirs');
    expect(host.run(small)).toMatchObject({
      status: 3,
      stderr: expect.stringContaining('/var/lib/appliance') as string,
    });
    host.sh('rm -r /var/lib/appliance; printf "#!/bin/sh\\n" >/usr/local/bin/appliance');
    expect(host.run(small)).toMatchObject({
      status: 3,
      stderr: expect.stringContaining("/usr/local/bin/appliance is somebody else's") as string,
    });
    expect(host.sh('ls /etc | grep -c appliance || true')).toBe('0\n');
    host.sh(`cp ${program} /usr/local/bin/appliance`);
    finishes();
  });

  it('is another install at the same time', () => {
    wipe();
    const [first, second] = host
      .sh(
        `cd /root; ${small} >one 2>&1 & one=$!; ${small} >two 2>&1; two=$?; wait $one; echo $? $two; cat one two | grep 'locked by' >&2`,
      )
      .trim()
      .split(' ')
      .toSorted();
    expect([first, second]).toEqual(['0', '5']);
    finishes();
  });

  it('is an authority that is not there: the stand-in serves, and the next run gets the certificate', () => {
    wipe();
    const { status, stderr } = host.run(small.replace('14000', '14001'));
    expect(status).toBe(4);
    expect(stderr).toMatch(
      /error: step certificate: .*meanwhile HTTPS answers with a self-signed certificate/s,
    );
    expect(host.sh('curl -sS --insecure --fail https://appliance.test/ip')).not.toBe('');
    finishes();
  });
});

describe("the owner's edits", () => {
  it('stay, and are shown, until they are not wanted any more', () => {
    host.sh(`echo '# mine' >>/etc/systemd/system/appliance.service; systemctl daemon-reload
sed -i 's/=1$/=0/' /etc/sysctl.d/60-appliance.conf
sed -i '/APP_LOG_LEVEL/d' /etc/appliance/secrets/app.env; echo APP_LOG_LEVEL=debug >>/etc/appliance/secrets/app.env`);
    const kept = host.run(`${program} install`);
    expect(kept).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('Kept as you edited it') as string,
    });
    expect(kept.stdout).toContain('- # mine\n');
    expect(kept.stdout).toMatch(/- net\.ipv4\.tcp_migrate_req=0\n.*\+ net\.ipv4\.tcp_migrate_req=1/);
    host.sh(`${program} install --replace-edited`);
    expect(host.sh('cat /etc/systemd/system/appliance.service')).not.toContain('# mine');
    expect(host.sh('cat /etc/appliance/secrets/app.env')).toContain('APP_LOG_LEVEL=debug');
    finishes();
  });

  it('of the configuration stay where no flag says otherwise', () => {
    host.sh(
      `sed -i 's/^CERT_DOMAIN=.*/CERT_DOMAIN=appliance.test,more.test/' /etc/appliance/secrets/acme.env; systemctl reload appliance`,
    );
    host.sh(`${program} install`);
    expect(host.sh('cat /etc/appliance/secrets/acme.env')).toContain('appliance.test,more.test');
    const { status, stderr } = host.run(small);
    expect([status, stderr]).toEqual([
      0,
      expect.stringContaining(
        'acme.env: CERT_DOMAIN = appliance.test, was appliance.test,more.test',
      ) as string,
    ]);
  });
});

describe('containers', () => {
  let docker: PackagedHost;
  beforeAll(async () => {
    docker = await newHost('docker');
    const archive = await imageArchive(stackImages, print);
    docker.feed(archive, 'bash', '-c', 'cat >/root/images.tar');
  });
  afterAll(() => docker?.remove());

  it('need a Docker that works, and nothing is changed where it does not', () => {
    docker.sh('systemctl mask --quiet --now docker.service docker.socket');
    const { status, stderr } = docker.run(install);
    expect([status, stderr]).toEqual([
      3,
      expect.stringContaining('error: step docker: Docker does not start') as string,
    ]);
    expect(stderr).toContain('--no-containers');
    expect(docker.sh('ls /etc | grep -c appliance || true')).toBe('0\n');
    docker.sh('systemctl unmask --quiet docker.service docker.socket');
  });

  it('need their images: a file that is damaged or lacks one is named', () => {
    docker.sh('head -c 9000000 /root/images.tar >/root/half.tar');
    expect(docker.run(`${install} --images /root/half.tar`)).toMatchObject({
      status: 3,
      stderr: expect.stringContaining('/root/half.tar is damaged') as string,
    });
    expect(docker.sh('ls /etc | grep -c appliance || true')).toBe('0\n');
  });

  it('come up after the install was killed among them', () => {
    killAt('images', 0.5, `${install} --images /root/images.tar`, docker);
    killAt('secrets', 0, `${install} --images /root/images.tar`, docker);
    killAt('containers', 0.5, install, docker);
    killAt('containers', 2, install, docker);
    finishes(install, docker);
    expect(docker.sh('docker ps --format {{.Status}}').match(/healthy/g)).toHaveLength(2);
  });
});
