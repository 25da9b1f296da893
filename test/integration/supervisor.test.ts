import { once } from 'node:events';
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { createServer, connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { connectToService } from '../../src/supervisor/control-client.ts';
import {
  applianceCommand,
  launchAppliance,
  startAppliance,
  type Appliance,
  type ApplianceOptions,
} from '../support/appliance.ts';
import { freePort } from '../support/free-port.ts';
import { startLoad } from '../support/load.ts';
import { listenForNotifications } from '../support/notify-socket.ts';
import { until } from '../support/until.ts';

const running: Appliance[] = [];
async function start(options?: ApplianceOptions): Promise<Appliance> {
  const appliance = await startAppliance(options);
  running.push(appliance);
  return appliance;
}
afterEach(async () => {
  await Promise.all(running.splice(0).map((appliance) => appliance.stop()));
});

/** Options with a secrets folder whose app.env can be rewritten. */
function withSecrets(appEnv: string): ApplianceOptions & { file(appliance: Appliance): string } {
  return {
    environment: {},
    flags: ['--secrets-dir', 'secrets'],
    prepare(folder) {
      mkdirSync(join(folder, 'secrets'), { mode: 0o750 });
      writeFileSync(join(folder, 'secrets', 'app.env'), appEnv, { mode: 0o640 });
    },
    file: (appliance) => join(appliance.folder, 'secrets', 'app.env'),
  };
}

async function text(url: string, headers: { [name: string]: string } = {}): Promise<string> {
  return (await fetch(url, { headers })).text();
}

describe('workers', () => {
  it('are as many as APP_WORKERS says, and all answer', async () => {
    const appliance = await start({ flags: ['--workers', '3'] });
    expect(appliance.workers()).toHaveLength(3);
    const load = startLoad(appliance.port, 48);
    await until('every worker has answered', () => load.totals.byPid.size === 3);
    const totals = await load.stop();
    expect(new Set(totals.byPid.keys())).toEqual(new Set(appliance.workers()));
    expect(totals.bad).toEqual([]);
  });

  it('are replaced when killed in turn under load, and the other one does not lose a request', async () => {
    const appliance = await start({ flags: ['--workers', '2'] });
    const load = startLoad(appliance.port, 32);
    const killed: number[] = [];
    for (const pid of appliance.workers()) {
      await until('both workers answer', () => {
        const alive = appliance.workers();
        return alive.length === 2 && alive.every((each) => load.totals.byPid.has(each));
      });
      killed.push(pid);
      process.kill(pid, 'SIGKILL');
      await until('the worker is replaced', () => {
        const alive = appliance.workers();
        return alive.length === 2 && !alive.includes(pid);
      });
    }
    await until('both replacements answer', () =>
      appliance.workers().every((each) => load.totals.byPid.has(each)),
    );
    const totals = await load.stop();
    expect(killed).toHaveLength(2);
    expect(totals.cut.filter(({ pid }) => pid === undefined || !killed.includes(pid))).toEqual([]);
    expect(totals.bad).toEqual([]);
    expect(totals.refused).toBe(0);
    expect(totals.answered).toBeGreaterThan(1000);
    expect(appliance.log().match(/worker ended, starting another/g)).toHaveLength(2);
  });

  it('that die at once, over and over, are started again more and more slowly', async () => {
    const appliance = await start({ flags: ['--workers', '1'] });
    for (let death = 0; death < 4; death++) {
      await until('there is a worker', () => appliance.workers().length === 1);
      const [pid] = appliance.workers();
      process.kill(pid!, 'SIGKILL');
      await until('it is gone', () => !appliance.workers().includes(pid!));
    }
    const waits = () =>
      [...appliance.log().matchAll(/"restartInMs":(\d+)/g)].map((match) => Number(match[1]));
    await until('the fourth death is logged', () => waits().length === 4);
    expect(waits()).toEqual([0, 100, 500, 1000]);
    await until('it answers again', () => text(`${appliance.url}/ip`).then(Boolean, () => false));
  });
});

describe('SIGTERM', () => {
  it('cuts no answer short under load and ends with status 0', async () => {
    const appliance = await start({ flags: ['--workers', '2'] });
    const load = startLoad(appliance.port, 32);
    await until('there is load', () => load.totals.answered > 2000);
    appliance.kill('SIGTERM');
    expect(await appliance.ended).toBe(0);
    await until('the port refuses', () => load.totals.refused > 0);
    const totals = await load.stop();
    expect(totals.cut).toEqual([]);
    expect(totals.bad).toEqual([]);
  });

  it('lets a request be finished whose first byte had arrived', async () => {
    const appliance = await start({ flags: ['--workers', '2'] });
    const socket = connect({ port: appliance.port, host: '127.0.0.1' });
    let received = '';
    socket.on('data', (chunk) => (received += String(chunk)));
    await once(socket, 'connect');
    socket.write('G');
    // The byte has to be in the worker, not in the kernel's queue: a second client on each worker is later in it.
    await Promise.all(Array.from({ length: 16 }, () => text(`${appliance.url}/ip`)));
    appliance.kill('SIGTERM');
    await until('the port is closed', () =>
      text(`${appliance.url}/ip`).then(
        () => false,
        () => true,
      ),
    );
    socket.write('ET /ip HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await once(socket, 'close');
    expect(received).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(received).toMatch(/\r\nConnection: close\r\n/);
    expect(received).toMatch(/\r\n\r\n127\.0\.0\.1\n$/);
    expect(await appliance.ended).toBe(0);
  });

  it('asked for twice, ends at once whatever is open', async () => {
    const appliance = await start();
    const socket = connect({ port: appliance.port, host: '127.0.0.1' });
    socket.on('error', () => {});
    await once(socket, 'connect');
    socket.write('G');
    await text(`${appliance.url}/ip`);
    const before = performance.now();
    appliance.kill('SIGTERM');
    await until('it is draining', () =>
      text(`${appliance.url}/ip`).then(
        () => false,
        () => true,
      ),
    );
    appliance.kill('SIGTERM');
    expect(await appliance.ended).toBe(0);
    expect(performance.now() - before).toBeLessThan(8000);
    socket.destroy();
  });
});

describe('SIGTERM that reaches the workers', () => {
  it('besides, because the whole group got it, cuts no request short that had begun', async () => {
    const appliance = await start({ flags: ['--workers', '2'], wrapper: ['setsid'] });
    // enough of them that both workers have some
    const begun = Array.from({ length: 12 }, () => {
      const socket = connect({ port: appliance.port, host: '127.0.0.1' });
      const got = { received: '', error: '' };
      socket.on('data', (chunk) => (got.received += String(chunk)));
      socket.on('error', (error) => (got.error = error.message));
      socket.write('GET /ip HTTP/1.1\r\nHost: localhost\r\n\r\nG');
      return { socket, got };
    });
    await until('each was answered once', () =>
      begun.every(({ got }) => got.received.endsWith('127.0.0.1\n')),
    );
    for (const { got } of begun) got.received = '';
    process.kill(-appliance.pid, 'SIGTERM');
    await until('the port is closed', () =>
      text(`${appliance.url}/ip`).then(
        () => false,
        () => true,
      ),
    );
    for (const { socket } of begun) socket.write('ET /ip HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await until('each ended', () => begun.every(({ socket }) => socket.destroyed));
    for (const { got } of begun) {
      expect(got).toEqual({
        received: expect.stringMatching(/^HTTP\/1\.1 200 OK\r\n.*\r\n\r\n127\.0\.0\.1\n$/s),
        error: '',
      });
    }
    expect(await appliance.ended).toBe(0);
  });

  it('alone changes nothing: they end when their supervisor has them end', async () => {
    const appliance = await start({ flags: ['--workers', '1'] });
    const [worker] = appliance.workers();
    process.kill(worker!, 'SIGTERM');
    // a second one is delivered after the first was
    await text(`${appliance.url}/ip`);
    process.kill(worker!, 'SIGTERM');
    // on connections of their own: a worker that drains takes no new ones
    for (let times = 0; times < 5; times++)
      expect(await text(`${appliance.url}/ip`, { connection: 'close' })).toBe('127.0.0.1\n');
    expect(appliance.workers()).toEqual([worker]);
    appliance.kill('SIGTERM');
    expect(await appliance.ended).toBe(0);
  });
});

describe('a supervisor that is killed', () => {
  it('takes its workers with it at once and leaves the port free', async () => {
    const appliance = await start({ flags: ['--workers', '2'] });
    const workers = appliance.workers();
    const load = startLoad(appliance.port, 8);
    await until('there is load', () => load.totals.answered > 100);
    appliance.kill('SIGKILL');
    const before = performance.now();
    await until('the workers are gone', () => workers.every((pid) => !isAlive(pid)));
    expect(performance.now() - before).toBeLessThan(10_000);
    await load.stop();
    const server = createServer().listen({ port: appliance.port, host: '127.0.0.1', exclusive: true });
    await once(server, 'listening');
    server.close();
  });
});

describe('SIGHUP', () => {
  it('rolls to workers with the new configuration without failing a request', async () => {
    const options = withSecrets('APP_WORKERS=1\n');
    const appliance = await start(options);
    const [before] = appliance.workers();
    const load = startLoad(appliance.port, 16);
    await until('there is load', () => load.totals.answered > 500);
    writeFileSync(options.file(appliance), 'APP_WORKERS=2\nAPP_TRUSTED_PROXIES=none\n');
    appliance.kill('SIGHUP');
    await until('the old worker is gone', () => {
      const alive = appliance.workers();
      return alive.length === 2 && !alive.includes(before!);
    });
    const totals = await load.stop();
    expect(totals.cut).toEqual([]);
    expect(totals.bad).toEqual([]);
    expect(totals.refused).toBe(0);
    // Nobody is a trusted proxy any more.
    expect(await text(`${appliance.url}/ip`, { 'x-forwarded-for': '8.8.8.8' })).toBe('127.0.0.1\n');
  });

  it('leaves a service that can be asked all along', async () => {
    const appliance = await start({ environment: { APP_RUN_DIR: 'run' } });
    const service = connectToService(join(appliance.folder, 'run'));
    for (let times = 1; times <= 3; times++) {
      appliance.kill('SIGHUP');
      await until('it has the state of the new start', async () => {
        // rejects where nobody listens
        const { pid, state } = await service.status();
        expect(pid).toBe(appliance.pid);
        return appliance.log().split('"reloaded;').length > times && state?.database.ok === true;
      });
    }
  });

  it('with a bad configuration is refused with every reason, and the old one goes on', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'refused-test-'));
    const systemd = await listenForNotifications(folder);
    const environment = { NOTIFY_SOCKET: systemd.path, WATCHDOG_USEC: String(1e6) };
    const options = { ...withSecrets('APP_WORKERS=1\n'), environment };
    const appliance = await start(options);
    const workers = appliance.workers();
    writeFileSync(options.file(appliance), 'APP_WORKERS=many\nAPP_HTTP_PROT=80\n');
    appliance.kill('SIGHUP');
    await until('it is refused', () => appliance.log().includes('the reload was refused'));
    expect(appliance.log()).toContain('APP_WORKERS');
    expect(appliance.log()).toContain('APP_HTTP_PORT');
    expect(appliance.workers()).toEqual(workers);
    const ask = (command: string, ...flags: readonly string[]) => {
      const [file, ...leading] = applianceCommand();
      const args = [...leading, command, '--secrets-dir', 'secrets', ...flags];
      const env = { PATH: process.env['PATH'], HOME: appliance.folder };
      return spawnSync(file, args, { cwd: appliance.folder, env, encoding: 'utf8' }).stdout;
    };
    // what the service listens on counts, not what the files say by now
    expect(ask('doctor', '--only', 'http-answer')).toMatch(/^ok +http-answer/);
    expect(ask('doctor', '--only', 'configuration')).toMatch(/APP_WORKERS.*config check/s);
    writeFileSync(options.file(appliance), 'APP_WORKERS=1\n');
    expect(ask('doctor', '--only', 'configuration')).toMatch(/refused it.*APP_WORKERS.*systemctl reload/s);
    const status = ask('status');
    expect(status).toMatch(/needs you +yes: the configuration, which was refused/);
    expect(status).toMatch(/last reload +refused .*APP_WORKERS/s);
    expect(await text(`${appliance.url}/ip`)).toBe('127.0.0.1\n');
    await until('each turn of the watchdog tells it too', () => {
      const fed = systemd.told().findLast(([what]) => what === 'WATCHDOG=1');
      return fed?.[1]?.endsWith('; the reload was refused, the log says why') === true;
    });
    await systemd.close();
    rmSync(folder, { recursive: true });
  });

  it('with a damaged database is refused by its name, and the old one goes on', async () => {
    const appliance = await start();
    const workers = appliance.workers();
    mkdirSync(join(appliance.folder, 'data', 'geoip'), { recursive: true });
    writeFileSync(join(appliance.folder, 'data', 'geoip', 'broken.mmdb'), 'not a database');
    appliance.kill('SIGHUP');
    await until('it is refused', () => appliance.log().includes('the reload was refused'));
    expect(appliance.log()).toContain('broken.mmdb');
    await until('the workers that were tried are gone', () => appliance.workers().length === workers.length);
    expect(appliance.workers()).toEqual(workers);
    expect(await text(`${appliance.url}/whoami?ip=8.8.8.8`)).toContain('United States');
  });

  it('moves to another port', async () => {
    const first = await freePort();
    const second = await freePort();
    const options = withSecrets(`APP_HTTP_PORT=${first}\n`);
    const appliance = await launchAppliance({ ...options, environment: { APP_HTTP_PORT: '' } });
    running.push(appliance);
    const answers = (port: number) => text(`http://127.0.0.1:${port}/ip`).then(Boolean, () => false);
    await until('it answers on the first port', () => answers(first));
    writeFileSync(options.file(appliance), `APP_HTTP_PORT=${second}\n`);
    appliance.kill('SIGHUP');
    await until('it answers on the second port', () => answers(second));
    await until('the first port is closed', () => answers(first).then((yes) => !yes));
  });

  it('moves to other addresses of the same port, and its metrics with it', async () => {
    const [port, metricsPort] = [await freePort(), await freePort()];
    const settings = (host: string) =>
      `APP_HTTP_PORT=${port}\nAPP_LISTEN_HOST=${host}\nAPP_METRICS_LISTEN=${host}:${metricsPort}\n`;
    const options = withSecrets(settings('127.0.0.1'));
    const environment = { APP_HTTP_PORT: '', APP_LISTEN_HOST: '' };
    const appliance = await launchAppliance({ ...options, environment });
    running.push(appliance);
    const answers = (host: string) =>
      Promise.all([text(`http://${host}:${port}/ip`), text(`http://${host}:${metricsPort}/metrics`)]).then(
        ([, metrics]) => metrics.includes('appliance_'),
        () => false,
      );
    await until('it answers on one address', () => answers('127.0.0.1'));
    expect(await answers('127.0.0.2')).toBe(false);
    for (const [host, elsewhere] of [
      ['0.0.0.0', true],
      ['127.0.0.1', false],
    ] as const) {
      writeFileSync(options.file(appliance), settings(host));
      appliance.kill('SIGHUP');
      await until(`it listens on ${host}`, async () => (await answers('127.0.0.2')) === elsewhere);
      await until('it answers', () => answers('127.0.0.1'));
    }
    expect(appliance.log()).not.toMatch(/refused|metrics cannot be served/);
  });

  it('to an address that this host does not have is refused with that reason, and the old one goes on', async () => {
    const port = await freePort();
    const options = withSecrets(`APP_HTTP_PORT=${port}\nAPP_LISTEN_HOST=127.0.0.1\n`);
    const environment = { APP_HTTP_PORT: '', APP_LISTEN_HOST: '' };
    const appliance = await launchAppliance({ ...options, environment });
    running.push(appliance);
    const answers = () => text(`http://127.0.0.1:${port}/ip`).then(Boolean, () => false);
    await until('it answers', answers);
    writeFileSync(options.file(appliance), `APP_HTTP_PORT=${port}\nAPP_LISTEN_HOST=192.0.2.77\n`);
    appliance.kill('SIGHUP');
    await until('it is refused', () => appliance.log().includes('the reload was refused'));
    expect(appliance.log()).toMatch(/cannot listen on 192\.0\.2\.77:\d+: this host has no such address/);
    expect(await answers()).toBe(true);
  });

  it('to a port that is taken is refused, and the old one goes on', async () => {
    const taken = createServer().listen({ port: 0, host: '127.0.0.1' });
    await once(taken, 'listening');
    const { port } = taken.address() as { port: number };
    const first = await freePort();
    const options = withSecrets(`APP_HTTP_PORT=${first}\n`);
    const appliance = await launchAppliance({ ...options, environment: { APP_HTTP_PORT: '' } });
    running.push(appliance);
    const answers = () => text(`http://127.0.0.1:${first}/ip`).then(Boolean, () => false);
    await until('it answers', answers);
    writeFileSync(options.file(appliance), `APP_HTTP_PORT=${port}\n`);
    appliance.kill('SIGHUP');
    await until('it is refused', () => appliance.log().includes('the reload was refused'));
    expect(appliance.log()).toContain(`cannot listen on 127.0.0.1:${port}`);
    expect(await answers()).toBe(true);
    taken.close();
  });
});

describe('a start that cannot work', () => {
  it('names the copy that has the port, and leaves it alone', async () => {
    const first = await start();
    const second = await launchAppliance({ port: first.port });
    expect(await second.ended).toBe(1);
    expect(second.log()).toMatch(/cannot listen on 127\.0\.0\.1:\d+: another appliance is running there/);
    expect(second.log()).toContain('to do:');
    expect(await text(`${first.url}/ip`)).toBe('127.0.0.1\n');
  });

  it('lets one of two copies that start at the same moment have the whole port', async () => {
    const port = await freePort();
    const copies = await Promise.all([launchAppliance({ port }), launchAppliance({ port })]);
    running.push(...copies);
    const loser = await Promise.race(
      copies.map(async (copy) => {
        await copy.ended;
        return copy;
      }),
    );
    const winner = copies.find((copy) => copy !== loser)!;
    await until('the other one answers', () => winner.stdout().includes('answers on'));
    const load = startLoad(port, 32);
    await until('there is load', () => load.totals.answered > 500);
    const totals = await load.stop();
    expect([...totals.byPid.keys()].every((pid) => winner.workers().includes(pid))).toBe(true);
  });

  it('names another program that has the port', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const appliance = await launchAppliance({ port });
    expect(await appliance.ended).toBe(1);
    expect(appliance.log()).toContain(`cannot listen on 127.0.0.1:${port}: the port is taken by`);
    expect(appliance.log()).toContain(`(process ${process.pid})`);
    server.close();
  });

  it.each([
    ['nonsense', Buffer.from('this is no database')],
    ['an empty file', Buffer.alloc(0)],
  ])('names a GeoIP database that is %s and says what to do', async (_what, bytes) => {
    const appliance = await launchAppliance({
      prepare(folder) {
        mkdirSync(join(folder, 'data', 'geoip'), { recursive: true });
        writeFileSync(join(folder, 'data', 'geoip', 'city.mmdb'), bytes);
      },
    });
    expect(await appliance.ended).toBe(1);
    expect(appliance.log()).toMatch(/the GeoIP database \S+\/geoip\/city\.mmdb cannot be used/);
    expect(appliance.log()).toMatch(/to do: Make \S+city\.mmdb a whole MaxMind DB file/);
    expect(appliance.log()).not.toMatch(/ at .*\.ts:\d+/);
  });

  it('ends with status 2 and every problem of the configuration', async () => {
    const appliance = await launchAppliance({
      environment: { APP_WORKERS: '-1', APP_LOG_LEVEL: 'loud' },
    });
    expect(await appliance.ended).toBe(2);
    expect(appliance.log()).toContain('APP_WORKERS');
    expect(appliance.log()).toContain('APP_LOG_LEVEL');
  });
});

describe('what a host does to a service', () => {
  it('a worker that is frozen is replaced, and so is one that listens and does not answer', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'unwell-test-'));
    const systemd = await listenForNotifications(folder);
    const watched = { NOTIFY_SOCKET: systemd.path, WATCHDOG_USEC: String(1e6) };
    const appliance = await start({ flags: ['--workers', '2'], environment: watched });
    const { workers } = appliance;
    const [frozen, deaf] = workers();
    for (const worker of [frozen, deaf])
      expect(readFileSync(`/proc/${worker}/environ`, 'utf8')).not.toMatch(/NOTIFY_SOCKET|WATCHDOG/);
    const fed = () => systemd.told().filter(([what]) => what === 'WATCHDOG=1').length;
    const status = () => systemd.told().at(-1)?.at(-1);
    await until('systemd knows that all is well', () => fed() > 0);
    expect(systemd.told()[0]).toEqual([
      'READY=1',
      `STATUS=2 of 2 workers answer on port ${appliance.port} of 127.0.0.1`,
    ]);

    process.kill(frozen!, 'SIGSTOP');
    await until('one is missed', () => status()?.startsWith('STATUS=1 of 2') === true);
    // what it has open goes on, and what it tells its supervisor too; it takes no connection any more
    spawnSync('prlimit', ['--pid', String(deaf), '--nofile=3:3']);
    await until('nobody answers', () => appliance.log().includes('no worker answers'));
    const before = fed();
    await until('both are ended and replaced', () => {
      const alive = workers();
      return alive.length === 2 && !alive.includes(frozen!) && !alive.includes(deaf!);
    });
    expect(appliance.log().match(/worker has not answered for 10 s/g)).toHaveLength(2);
    await until('systemd knows that all is well again', () => fed() > before);
    await appliance.stop();
    expect(systemd.told().some(([what]) => what === 'STOPPING=1')).toBe(true);
    await systemd.close();
    rmSync(folder, { recursive: true });
  });

  it('a worker without file descriptors says so, and works again when there are some', async () => {
    const appliance = await start({
      flags: ['--workers', '1'],
      wrapper: ['sh', '-c', 'ulimit -n 64; exec "$0" "$@"'],
    });
    const sockets = Array.from({ length: 100 }, () => connect(appliance.port, '127.0.0.1'));
    await until('it is told', () => appliance.log().includes('out of file descriptors: all 64 that'));
    expect(appliance.log()).toContain('"remedy":"raise LimitNOFILE= of the unit, or \\"ulimit -n\\""');
    for (const socket of sockets) socket.destroy();
    expect(await text(`${appliance.url}/ip`)).toBe('127.0.0.1\n');
  });

  it('a supervisor killed while it starts leaves no worker behind', async () => {
    for (const afterMs of [0, 20, 40, 60, 80, 120]) {
      const appliance = await launchAppliance({ flags: ['--workers', '2'] });
      await until('it has workers', () => appliance.workers().length === 2);
      const workers = appliance.workers();
      await wait(afterMs);
      appliance.kill('SIGKILL');
      await until('they are gone', () => workers.every((pid) => !isAlive(pid)));
    }
  });

  it('SIGUSR1 opens no debugger, and a SIGHUP at any time of the start does not end it', async () => {
    const appliance = await launchAppliance({ flags: ['--workers', '1'] });
    running.push(appliance);
    await until('it is on its way', () => appliance.workers().length === 1);
    appliance.kill('SIGHUP');
    await until('the reload is done', () => appliance.log().includes('reloaded'));
    await until('the first worker is gone', () => appliance.workers().length === 1);
    const [worker] = appliance.workers();
    for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) {
      appliance.kill(signal);
      process.kill(worker!, signal);
    }
    process.kill(worker!, 'SIGHUP');
    await wait(300);
    expect(appliance.workers()).toEqual([worker]);
    expect(await text(`${appliance.url}/ip`)).toBe('127.0.0.1\n');
    expect(appliance.log()).not.toContain('Debugger');
    expect(() => process.kill(appliance.pid, 0)).not.toThrow();
  });

  it('a disk that is full below its log and its output does not end it', async () => {
    const [file, ...leading] = applianceCommand();
    const port = await freePort();
    const full = openSync('/dev/full', 'w');
    const folder = mkdtempSync(join(tmpdir(), 'full-output-'));
    const child = spawn(file, [...leading, 'serve', '--workers', '1', '--http-port', String(port)], {
      cwd: folder,
      env: { PATH: process.env['PATH'], HOME: folder, APP_DATA_DIR: join(folder, 'data') },
      stdio: ['ignore', full, full],
    });
    await until('it answers', () => text(`http://127.0.0.1:${port}/ip`).then(Boolean, () => false));
    child.kill('SIGHUP');
    await wait(500);
    expect(await text(`http://127.0.0.1:${port}/ip`)).toBe('127.0.0.1\n');
    child.kill('SIGTERM');
    expect((await once(child, 'exit'))[0]).toBe(0);
    closeSync(full);
    rmSync(folder, { recursive: true });
  });

  it('a pipe gets the whole output, however long, and a full disk is told', () => {
    const [file, ...leading] = applianceCommand();
    const folder = mkdtempSync(join(tmpdir(), 'long-output-'));
    const keys = Array.from({ length: 5000 }, (_, index) => `KEY_THAT_IS_NONE_${index}=1\n`).join('');
    writeFileSync(join(folder, 'app.env'), keys, { mode: 0o640 });
    const arguments_ = [...leading, 'config', 'check', '--json', '--secrets-dir', folder];
    const slowReader = spawnSync('sh', ['-c', '"$@" | (sleep 1; cat)', 'sh', file, ...arguments_], {
      maxBuffer: 1e8,
      encoding: 'utf8',
    });
    expect((JSON.parse(slowReader.stdout) as { problems: object[] }).problems).toHaveLength(5000);
    const full = openSync('/dev/full', 'w');
    const lost = spawnSync(file, [...leading, 'version'], {
      stdio: ['ignore', full, 'pipe'],
      encoding: 'utf8',
    });
    closeSync(full);
    expect([lost.status, lost.stderr]).toEqual([
      1,
      expect.stringMatching(/^error: the output could not be written: ENOSPC.*\n$/),
    ]);
    rmSync(folder, { recursive: true });
  });
});

describe('secrets', () => {
  it('given in the environment do not reach the workers', async () => {
    const appliance = await start({
      environment: { POSTGRES_PASSWORD: 'Tr0ub4dor&3', REDIS_PASS: 'hunter2' },
    });
    const [worker] = appliance.workers();
    const environment = readFileSync(`/proc/${worker}/environ`, 'utf8');
    const commandLine = readFileSync(`/proc/${worker}/cmdline`, 'utf8');
    expect(environment).toContain('APP_HTTP_PORT');
    expect(environment + commandLine + appliance.log()).not.toMatch(/Tr0ub4dor|hunter2/);
  });
});

/** A process that ended and that nobody has waited for yet is gone. */
function isAlive(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
