import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { portChecks } from '../../src/host/checks/ports.ts';
import { checkedHost, type CheckedHost } from '../support/checked-host.ts';

const service = 987;
const somebody = 33;

let host: CheckedHost;
beforeEach(() => {
  host = checkedHost();
  host.put({ '/etc/passwd': `appliance:x:${service}:${service}::/:/usr/sbin/nologin\n` });
});
afterEach(() => host.remove());

/** Sockets that listen on a port, one of each user, with inodes from 1000 on: as proc(5) and the kernel's proc_net_tcp.txt. */
function listening(port: number, ...users: readonly number[]): void {
  const address = (of: number) => `00000000:${of.toString(16).toUpperCase().padStart(4, '0')}`;
  const lines = users.map(
    (uid, index) =>
      `   ${index}: ${address(port)} ${address(0)} 0A 00000000:00000000 00:00000000 00000000 ${uid}        0 ${1000 + index} 1 0000000000000000 100 0 0 10 0`,
  );
  host.put({ '/proc/net/tcp': `  sl  local_address rem_address   st\n${lines.join('\n')}\n` });
}

/** A process that holds one of them. */
function process(pid: number, name: string, parent: number, inode?: number, unit = 'session-1.scope'): void {
  const own = `/proc/${pid}`;
  host.put({
    [`${own}/comm`]: `${name}\n`,
    [`${own}/stat`]: `${pid} (${name}) S ${parent} 1 1`,
    [`${own}/cgroup`]: `0::/system.slice/${unit}\n`,
  });
  mkdirSync(join(host.folder, own, 'fd'));
  if (inode !== undefined) symlinkSync(`socket:[${inode}]`, join(host.folder, own, 'fd', '7'));
}

const ask = () => host.ask(portChecks, 'https-port');

describe('a port that is listened on', () => {
  it('is ours when our workers hold it', async () => {
    listening(443, service, service);
    process(20, 'appliance', 1, undefined, 'appliance.service');
    process(21, 'appliance-work', 20, 1001, 'appliance.service');
    expect(await ask()).toMatchObject({ state: 'ok', words: 'port 443 is ours' });
  });

  it("is ours when a worker's descriptors are gone already, and its sockets are not", async () => {
    listening(443, service);
    process(21, 'appliance-work', 20);
    expect(await ask()).toMatchObject({ state: 'ok', words: 'port 443 is ours' });
  });

  it('is ours when our worker ends between two looks at it', async () => {
    listening(443, service);
    process(21, 'appliance-work', 20, 1000);
    for (const file of ['comm', 'stat', 'cgroup']) rmSync(join(host.folder, 'proc/21', file));
    expect(await ask()).toMatchObject({ state: 'ok', words: 'port 443 is ours' });
  });

  it("is its holder's, though the holder has our user", async () => {
    listening(443, service);
    process(30, 'perl', 1, 1000);
    expect(await ask()).toMatchObject({
      state: 'failed',
      words: 'port 443 is held by perl (process 30)',
      remedy: 'sudo kill 30',
    });
  });

  it('is free when its holder, whom nobody sees, is gone in a moment', async () => {
    listening(443, somebody);
    const found = ask();
    await Promise.resolve();
    listening(80, somebody);
    expect(await found).toMatchObject({ state: 'ok', words: 'nobody listens on port 443' });
  });

  it("is somebody's when the holder, whom nobody sees, stays", async () => {
    listening(443, service, somebody);
    expect(await ask()).toMatchObject({
      state: 'failed',
      words: 'somebody listens on port 443 who cannot be seen from here',
      remedy: "sudo ss -ltnp 'sport = 443'",
    });
  });
});
