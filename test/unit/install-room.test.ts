import { afterEach, beforeEach, expect, it } from 'vitest';
import { roomChecks } from '../../src/host/checks/room.ts';
import { thisHost } from '../../src/host/checks/host.ts';
import { version } from '../../src/core/version.ts';
import { checkedHost, type CheckedHost } from '../support/checked-host.ts';

/** Has no byte free, whoever asks. */
const full = '/proc';

let host: CheckedHost;
beforeEach(() => {
  host = checkedHost();
});
afterEach(() => host.remove());

/** What lacks room on a host whose folders `fullFolders` are on a full disk, and where Docker says that. */
async function lacking(fullFolders: readonly string[], docker: Readonly<Record<string, string>> = {}) {
  const { words } = await host.ask(roomChecks, 'disk-room', {
    containers: true,
    images: ['postgres:18', 'redis:8'],
    dataFolder: '/data',
    host: {
      ...thisHost(host.folder),
      path: (path) => (fullFolders.includes(path) ? full : `${host.folder}${path}`),
      run(_file, args) {
        const stdout = docker[args[0]!];
        return Promise.resolve({ exitCode: stdout === undefined ? 1 : 0, stdout: stdout ?? '', stderr: '' });
      },
    },
  });
  return fullFolders.filter((folder) => words.includes(`${folder} has 0 MB free`));
}

const images = '/var/lib/docker';

it('room for images is wanted where Docker keeps them', async () => {
  expect(await lacking([images])).toEqual([images]);
  expect(await lacking([images, '/srv/docker'], { info: '/srv/docker\n' })).toEqual(['/srv/docker']);
});

it('room for images is not wanted where all of them are there', async () => {
  expect(await lacking([images], { info: `${images}\n`, image: 'sha256:1\nsha256:2\n' })).toEqual([]);
});

it('room for the program is wanted until it is there', async () => {
  expect(await lacking(['/usr/local/lib', '/data'])).toEqual(['/usr/local/lib', '/data']);
  host.put({ [`/usr/local/lib/appliance/${version}/appliance`]: '' });
  expect(await lacking(['/usr/local/lib', '/data'])).toEqual(['/data']);
});
