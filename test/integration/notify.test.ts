import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runProgram } from '../../src/host/run-program.ts';
import { createServiceManager, takeNotifyVariables } from '../../src/supervisor/notify.ts';
import { listenForNotifications, type NotifySocket } from '../support/notify-socket.ts';

let folder: string;
let socket: NotifySocket;
const logged: object[] = [];
const ignore = () => {};
const warn = (fields: object) => void logged.push(fields);
const log = { debug: ignore, info: ignore, warn, error: ignore, debugging: false };

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'notify-test-'));
  socket = await listenForNotifications(folder);
  logged.length = 0;
});
afterEach(async () => {
  await socket.close();
  rmSync(folder, { recursive: true });
});

describe('systemd', () => {
  it('is told of everything in the order of the calls, however many at once', async () => {
    const systemd = createServiceManager({ NOTIFY_SOCKET: socket.path }, runProgram, log);
    await Promise.all([
      systemd.ready('two workers answer\nSTOPPING=1'),
      systemd.reloading('reading'),
      systemd.ready('as before'),
      systemd.watchdog('well'),
      systemd.status('busy'),
      systemd.mainProcess(4711),
      systemd.stopping('draining'),
    ]);
    const monotonic = expect.stringMatching(/^MONOTONIC_USEC=\d+$/) as string;
    expect(socket.told()).toEqual([
      ['READY=1', 'STATUS=two workers answer STOPPING=1'],
      ['RELOADING=1', monotonic, 'STATUS=reading'],
      ['READY=1', 'STATUS=as before'],
      ['WATCHDOG=1', 'STATUS=well'],
      ['STATUS=busy'],
      ['MAINPID=4711'],
      ['STOPPING=1', 'STATUS=draining'],
    ]);
    expect(logged).toEqual([]);
  });

  it('hears no more of a process that another has taken over from', async () => {
    const systemd = createServiceManager({ NOTIFY_SOCKET: socket.path }, runProgram, log);
    void systemd.mainProcess(4711);
    await systemd.fallSilent();
    await systemd.stopping('gone');
    expect(socket.told()).toEqual([['MAINPID=4711']]);
  });

  it('that cannot be reached harms nothing and is logged once', async () => {
    const systemd = createServiceManager({ NOTIFY_SOCKET: join(folder, 'nobody') }, runProgram, log);
    await systemd.ready('well');
    await systemd.watchdog('well');
    expect(logged).toEqual([{ reason: expect.stringMatching(/No such file/), told: expect.any(Array) }]);
  });

  it('that is not there is not told, and nothing is started for it', async () => {
    const run = () => Promise.reject(new Error('nothing is to be run'));
    const systemd = createServiceManager({ WATCHDOG_USEC: '1000000' }, run, log);
    await systemd.ready('well');
    await systemd.stopping('done');
    expect([systemd.watchdogEveryMs, systemd.environment, logged]).toEqual([undefined, {}, []]);
  });
});

describe('the variables of systemd', () => {
  it('are taken away from children', () => {
    const environment: NodeJS.ProcessEnv = { NOTIFY_SOCKET: '/s', WATCHDOG_USEC: '2', PATH: '/bin' };
    expect(takeNotifyVariables(environment)).toEqual({ NOTIFY_SOCKET: '/s', WATCHDOG_USEC: '2' });
    expect(environment).toEqual({ PATH: '/bin' });
  });

  it('say how often the watchdog is due, to the process that is meant', () => {
    const of = (variables: Record<string, string>) =>
      createServiceManager({ NOTIFY_SOCKET: socket.path, ...variables }, runProgram, log);
    expect(of({ WATCHDOG_USEC: '30000000' }).watchdogEveryMs).toBe(15_000);
    expect(of({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: String(process.pid) }).watchdogEveryMs).toBe(15_000);
    expect(of({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '1' }).watchdogEveryMs).toBeUndefined();
    expect(of({ WATCHDOG_USEC: 'often' }).watchdogEveryMs).toBeUndefined();
    expect(of({}).watchdogEveryMs).toBeUndefined();
  });

  it('are handed on to another process of the service without the number of this one', () => {
    const variables = { NOTIFY_SOCKET: socket.path, WATCHDOG_USEC: '30000000' };
    const systemd = createServiceManager({ ...variables, WATCHDOG_PID: '1' }, runProgram, log);
    expect(systemd.environment).toEqual(variables);
  });
});
