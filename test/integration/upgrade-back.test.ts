import { once } from 'node:events';
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { LastUpgrade } from '../../src/supervisor/last-upgrade.ts';
import { connectToService, type ServiceStatus } from '../../src/supervisor/control-client.ts';
import { startAppliance, type Appliance } from '../support/appliance.ts';
import { childrenOf, isAlive } from '../support/child-processes.ts';
import { freePort } from '../support/free-port.ts';
import { type Load, startLoad } from '../support/load.ts';
import { nextVersion, type NextVersion } from '../support/next-version.ts';
import { until } from '../support/until.ts';

let appliance: Appliance;
let load: Load | undefined;
async function start(): Promise<void> {
  const httpsPort = await freePort();
  appliance = await startAppliance({
    environment: { APP_HTTPS_PORT: String(httpsPort), APP_WORKERS: '2' },
    flags: [
      '--run-dir=run',
      '--cert-domain=a.test',
      '--cert-email=a@a.test',
      '--cert-directory-url=https://127.0.0.1:9/',
    ],
  });
  await until('HTTPS serves', () => answersOn(httpsPort));
}
afterEach(async () => {
  await load?.stop();
  load = undefined;
});

const service = () => connectToService(join(appliance.folder, 'run'));
const upgrade = (next: NextVersion, watchMs = 1500, progress: (step: string) => unknown = () => {}) =>
  service().upgrade({ file: nextVersion(appliance.folder, next), watchMs }, (step) => void progress(step));
async function answersOn(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
/** The supervisor, its workers, and nobody else. */
async function expectAsBefore(before: ServiceStatus): Promise<LastUpgrade | undefined> {
  const after = await service().status();
  expect(after).toMatchObject({ pid: before.pid, workers: before.workers.map(({ pid }) => ({ pid })) });
  await until('nothing of the other is left', () => {
    const children = childrenOf(before.pid);
    return children.length === 2 && before.workers.every(({ pid }) => children.includes(pid));
  });
  return after.lastUpgrade;
}

/** Those that are found out before any caller meets them cost nobody anything. */
const broken: readonly (readonly [what: string, next: NextVersion, reason: RegExp, harmless: boolean])[] = [
  ['ends at once', { fault: 'exit' }, /does not run: it ended with status 7/, true],
  ['cannot read the configuration', { fault: 'config' }, /does not run: .*APP_HTTP_PORT/s, true],
  [
    'does not serve HTTPS any more',
    { shell: 'set -- serve --run-dir run' },
    /does not serve the certificate of a\.test/,
    true,
  ],
  [
    'has workers that stop answering',
    { fault: 'unwell' },
    // on a busy host they may be ended for it, or keep the supervisor from its turn, before they are told of twice
    /is not well: (?:[12] of 2 workers do not answer|workers died|it has said nothing)/,
    false,
  ],
  ['has a supervisor that stops answering', { fault: 'stuck' }, /is not well: it has said nothing/, false],
];

describe('a version that', () => {
  beforeAll(start);
  afterAll(() => appliance.stop());

  it.each(broken)('%s never takes over', async (_, next, reason, harmless) => {
    const before = await service().status();
    load = startLoad(appliance.port, 8);
    const begins = join(appliance.folder, 'fault-begins');
    rmSync(begins, { force: true });
    const { fault } = next;
    const version = fault === undefined ? next : { fault: `${fault} ${begins}` };
    const isWatched = (step: string) => step.includes('watching') && writeFileSync(begins, '');
    await expect(upgrade(version, 120_000, isWatched)).rejects.toMatchObject({
      code: 'upgrade-went-back',
      message: reason,
    });
    expect(await expectAsBefore(before)).toMatchObject({
      outcome: 'went-back',
      from: before.version,
      reason,
    });
    const { cut, bad, refused } = load.totals;
    if (harmless) expect({ cut, bad, refused }).toEqual({ cut: [], bad: [], refused: 0 });
    const answered = load.totals.answered;
    await until('requests are answered', () => (load?.totals.answered ?? 0) > answered + 1000);
  });

  it('others may write to is not even started', async () => {
    const file = nextVersion(appliance.folder, { shell: 'touch started' });
    chmodSync(file, 0o777);
    await expect(service().upgrade({ file }, () => {})).rejects.toMatchObject({ code: 'upgrade-file' });
  });
});

describe('while a version is watched', () => {
  beforeEach(start);
  afterEach(() => appliance.stop());

  /** Its PID. */
  async function watched(): Promise<{ pid: number; ended: Promise<unknown> }> {
    const before = childrenOf(appliance.pid);
    const steps: string[] = [];
    const ended = upgrade({}, 60_000, (step) => steps.push(step)).catch((error: unknown) => error);
    await until('it is watched', () => steps.some((step) => step.includes('watching')));
    const [pid] = childrenOf(appliance.pid).filter((each) => !before.includes(each));
    return { pid: pid!, ended };
  }

  it('another upgrade and a renewal are refused with words, and SIGHUP waits', async () => {
    const { pid, ended } = await watched();
    await expect(upgrade({})).rejects.toMatchObject({ code: 'upgrade-under-way', exitCode: 5 });
    const renewal = service().renewCerts(
      { force: true, domain: undefined, dryRun: false },
      () => {},
      AbortSignal.timeout(5000),
    );
    await expect(renewal).rejects.toMatchObject({ code: 'upgrade-under-way', exitCode: 5 });
    expect((await service().status()).lastUpgrade).toMatchObject({ outcome: 'under-way' });
    appliance.kill('SIGHUP');
    process.kill(pid, 'SIGKILL');
    expect(await ended).toMatchObject({ code: 'upgrade-went-back', message: /it ended with SIGKILL/ });
    await until('the configuration is read again', () => appliance.log().includes('"reloaded;'));
  });

  it('it ends when whoever asked for it is killed, and the one before serves on', async () => {
    const before = await service().status();
    const steps: string[] = [];
    const asks = new AbortController();
    const file = nextVersion(appliance.folder, {});
    const ended = service()
      .upgrade({ file, watchMs: 60_000 }, (step) => steps.push(step), asks.signal)
      .catch((error: unknown) => error);
    await until('it is watched', () => steps.some((step) => step.includes('watching')));
    expect((await service().status()).upgrading).toBe(true);
    asks.abort();
    await ended;
    await until('it has gone back', async () => (await service().status()).upgrading === false, 40_000);
    expect(await expectAsBefore(before)).toMatchObject({
      outcome: 'went-back',
      reason: /whoever asked for it was ended/,
    });
  });

  it('SIGTERM ends both', async () => {
    const { pid, ended } = await watched();
    load = startLoad(appliance.port, 8);
    await until('there is load', () => (load?.totals.answered ?? 0) > 500);
    appliance.kill('SIGTERM');
    expect(await appliance.ended).toBe(0);
    await ended;
    expect(isAlive(pid)).toBe(false);
    expect(load.totals.cut).toEqual([]);
  });

  it('it ends when the one before is killed', async () => {
    const { pid, ended } = await watched();
    appliance.kill('SIGKILL');
    await until('it has ended', () => !isAlive(pid), 30_000);
    await until('nobody serves', async () => !(await answersOn(appliance.port)));
    expect(await ended).toMatchObject({ code: 'service-ended' });
  });
});
