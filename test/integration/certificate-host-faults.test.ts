import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readState, scenesBefore, wantRenewal, type Scene } from '../support/certificate-scene.ts';
import { startPebble, type Pebble } from '../support/pebble.ts';
import { findPebble } from '../support/pebble-program.ts';
import {
  liveness,
  servedSerial,
  statusOf,
  storedSerial,
  untilServed,
} from '../support/served-certificate.ts';
import { until } from '../support/until.ts';

const { features } = findPebble();
const yearMs = 365.25 * 24 * 3_600_000;
let pebble: Pebble;
/** Its certificates last for four minutes. */
let hasty: Pebble;
beforeAll(async () => {
  const life = { notBefore: Date.now() - 12 * yearMs, notAfter: Date.now() + 12 * yearMs };
  pebble = await startPebble({ listenerLife: life });
  hasty = await startPebble({ httpPort: pebble.httpPort, profiles: { default: 240 } });
});
afterAll(() => Promise.all([pebble.stop(), hasty.stop()]));

const inScene = scenesBefore(() => pebble);
const inHastyScene = scenesBefore(() => hasty, 1);

/** Gets the first certificate; its serial number. */
async function first({ host, place }: Scene): Promise<string> {
  const { exitCode, err } = await host.run(['renew-certs']);
  expect(exitCode, err).toBe(0);
  return (await storedSerial(place))!;
}

describe.concurrent('a disk', { timeout: 300_000 }, () => {
  const inNamespace = (mount: string, folder: string) => [
    'unshare',
    '-m',
    'sh',
    '-c',
    `${mount} && exec "$@"`,
    folder,
  ];
  const dataFolder = ({ host }: Scene) => join(host.folder, 'data');

  // Debian's Pebble cannot be told to want a renewal
  it.runIf(features.ari)(
    'that is full keeps the old certificate, which serves on, and it goes on by itself when there is room',
    async () =>
      inHastyScene(async (scene) => {
        const { host, proxy, place } = scene;
        // the database lies elsewhere, and cannot take the last room or be what complains
        const folder = join(dataFolder(scene), 'certificates');
        mkdirSync(folder, { recursive: true, mode: 0o700 });
        const service = await host.serve(
          {},
          inNamespace('mount -t tmpfs -o size=256k,mode=0700 tmpfs "$0"', folder),
        );
        const inside = `/proc/${service.pid}/root`;
        const before = await untilServed(scene, { place: inside + place });
        const filler = join(inside, folder, 'filler');
        proxy.onRequest = ({ resource }, phase) => {
          if (resource !== 'certificate' || phase !== 'after') return;
          expect(() => {
            for (;;) writeFileSync(filler, Buffer.alloc(4096), { flag: 'a' });
          }).toThrow('ENOSPC');
        };
        await wantRenewal(hasty, readFileSync(join(inside + place, 'certificate.pem'), 'utf8'));
        await until('it has failed', async () => (await statusOf(scene)).lastError !== undefined);
        const { exitCode, err } = await host.run(['renew-certs']);
        expect(exitCode, err).toBe(1);
        expect(err).toMatch(/error: .*cannot write .*: no space left on device\nto do: Free some space/);
        expect(err).toContain('meanwhile: the certificate from before still serves, until');
        expect(await statusOf(scene)).toMatchObject({
          state: 'valid',
          serial: before,
          lastError: { message: expect.stringContaining('no space left on device') as string },
        });
        expect(service.log()).toContain('no certificate: cannot write');
        expect([await servedSerial(scene), await storedSerial(inside + place)]).toEqual([before, before]);
        expect(await liveness(scene)).toBe(200);

        proxy.onRequest = () => {};
        rmSync(filler);
        await untilServed(scene, { place: inside + place, before, timeoutMs: 100_000 });
        expect(proxy.orders()).toBe(2);
        await until('nothing is wrong any more', async () => (await statusOf(scene)).lastError === undefined);
      }),
  );

  const readOnly = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0"';

  it('that cannot be written to keeps renew-certs from asking for anything', async () =>
    inScene(async (scene) => {
      const { host, proxy } = scene;
      const folder = dataFolder(scene);
      mkdirSync(folder);
      const { exitCode, err } = await host.run(['renew-certs'], { wrapper: inNamespace(readOnly, folder) });
      expect(exitCode, err).toBe(1);
      expect(err).toMatch(
        /error: .*cannot write .*: read-only file system\n[^]*to do: Mount it so that it can be written/,
      );
      expect(proxy.requests.length).toBe(0);
    }));

  it('that cannot be written to keeps nobody from being answered', async () =>
    inScene(async (scene) => {
      const { host, proxy } = scene;
      const folder = dataFolder(scene);
      const before = await first(scene);
      const orders = proxy.orders();
      await host.serve({}, inNamespace(readOnly, folder));
      await untilServed(scene);
      expect(await liveness(scene)).toBe(200);
      const { exitCode, err } = await host.run(['renew-certs', '--force']);
      expect(exitCode, err).toBe(1);
      expect(err).toMatch(/cannot write .*: read-only file system\n[^]*to do: Mount it/);
      expect(await servedSerial(scene)).toBe(before);
      expect(proxy.orders()).toBe(orders);
    }));

  it('that was never written to neither', async () =>
    inScene(async (scene) => {
      const { host } = scene;
      const folder = dataFolder(scene);
      mkdirSync(folder);
      await host.serve({}, inNamespace(readOnly, folder));
      await until('it has failed', async () => (await statusOf(scene)).lastError !== undefined);
      expect(await liveness(scene)).toBe(200);
      expect((await statusOf(scene)).lastError?.message).toContain('read-only file system');
    }));
});

describe.concurrent('a clock that is ten years', { timeout: 300_000 }, () => {
  const clocks: readonly [string, string, number][] = [
    ['ahead', '+3653d', 10],
    ['behind', '-3653d', -10],
  ];
  const at = (offset: string) => ({
    wrapper: ['faketime', '-f', offset],
    environment: { FAKETIME_DONT_FAKE_MONOTONIC: '1' },
  });
  const year = (years: number) => String(new Date(Date.now() + years * yearMs).getUTCFullYear());

  it.each(clocks)('%s is named when the authority cannot be trusted for it', async (_, offset, years) =>
    inScene(async (scene) => {
      const { host, proxy, place } = scene;
      const { exitCode, err } = await host.run(['renew-certs'], at(offset));
      expect(exitCode, err).toBe(4);
      expect(err).toMatch(
        new RegExp(`to do: This host's clock shows ${year(years)}-.*timedatectl set-ntp true`),
      );
      // and nothing of that time is waited for
      const serial = await first(scene);
      expect(proxy.orders()).toBe(1);

      const wrong = await host.run(['renew-certs', '--force'], at(offset));
      expect(wrong.exitCode, wrong.err).toBe(4);
      expect(wrong.err).toMatch(new RegExp(`This host's clock shows ${year(years)}-`));
      const right = await host.run(['renew-certs']);
      expect([right.exitCode, right.err]).toEqual([0, expect.not.stringContaining('error')]);
      expect(right.out).toContain('not due');
      expect(await storedSerial(place)).toBe(serial);
      expect(proxy.orders()).toBe(1);
    }),
  );

  it.each(clocks)(
    '%s is named where the authority can be asked, and no certificate is lost to it',
    async (_, offset) =>
      inScene(async (scene) => {
        const { host } = scene;
        const environment = { CERT_DIRECTORY_URL: pebble.directoryUrl, CERT_CA_FILE: pebble.caFile };
        const place = host.place(pebble.directoryUrl);
        const fine = await host.run(['renew-certs'], { environment });
        expect(fine.exitCode, fine.err).toBe(0);
        const serial = await storedSerial(place);
        const { wrapper, environment: fake } = at(offset);
        for (let times = 0; times < 2; times++) {
          const { exitCode, err } = await host.run(['renew-certs', '--force'], {
            wrapper,
            environment: { ...environment, ...fake },
          });
          expect(exitCode, err).not.toBe(0);
          expect(err).toMatch(/This host's clock \(.*\) is 10 years (ahead of|behind) the authority's/);
          expect(err).toMatch(/error: .*the clock is wrong/);
          expect(err).toMatch(/to do: Set the clock/);
          expect(await storedSerial(place)).toBe(serial);
        }
        const right = await host.run(['renew-certs'], { environment });
        expect(right.exitCode, right.err).toBe(0);
        expect(right.out).toContain('not due');
        expect(await storedSerial(place)).toBe(serial);
      }),
  );
});

describe.concurrent('a file that is damaged', { timeout: 300_000 }, () => {
  const garbage = (file: string) => writeFileSync(file, 'x'.repeat(500));
  const table: readonly [string, string, (file: string) => void][] = [
    ['a key that is missing', 'key.pem', (file) => rmSync(file)],
    ['a chain that is missing', 'certificate.pem', (file) => rmSync(file)],
    ['a key that is cut off', 'key.pem', (file) => truncateSync(file, 100)],
    ['an empty chain', 'certificate.pem', (file) => truncateSync(file, 0)],
    ['a key that is none', 'key.pem', garbage],
    ['what is noted about it', 'renewal.json', garbage],
    ['its description', 'certificate.json', garbage],
    ['the key of the account', '../account.key', garbage],
  ];
  /** Where a certificate is lost another is had; what else is damaged costs none. */
  const isLost = (file: string) => file.endsWith('.pem');

  it.each(table)('(%s) is put right by renew-certs, once', async (_, file, damage) =>
    inScene(async (scene) => {
      const { host, proxy, place } = scene;
      const before = await first(scene);
      damage(join(place, file));
      for (const times of [1, 2]) {
        const { exitCode, err } = await host.run(['renew-certs']);
        expect(exitCode, `${times}: ${err}`).toBe(0);
      }
      expect(proxy.orders()).toBe(isLost(file) ? 2 : 1);
      expect((await storedSerial(place)) === before).toBe(!isLost(file));
    }),
  );

  it.each(table.slice(0, 4))(
    '(%s) is put right by the service when it starts, once',
    async (_, file, damage) =>
      inScene(async (scene) => {
        const { host, proxy, place } = scene;
        const before = await first(scene);
        damage(join(place, file));
        const service = await host.serve();
        await untilServed(scene, { before });
        expect(service.log()).toContain('a file of the certificate store is damaged');
        await until('the next attempt is far away', async () => {
          const { nextAttemptAt, lastError } = await statusOf(scene);
          return lastError === undefined && Date.parse(String(nextAttemptAt)) > Date.now() + 86_400_000;
        });
        expect(proxy.orders()).toBe(2);
      }),
  );

  it('while the service runs does not touch what it serves, and is put right when it looks', async () =>
    inScene(async (scene) => {
      const { host, proxy, place } = scene;
      await host.serve();
      const before = await untilServed(scene);
      rmSync(join(place, 'key.pem'));
      expect(await servedSerial(scene)).toBe(before);
      const { exitCode, err } = await host.run(['renew-certs']);
      expect(exitCode, err).toBe(0);
      await untilServed(scene, { before });
      expect(proxy.orders()).toBe(2);
      const again = await host.run(['renew-certs']);
      expect(again.out).toContain('not due');
      expect(proxy.orders()).toBe(2);
    }));

  it('serves on from memory while the authority is down', async () =>
    inScene(async (scene) => {
      const { host, proxy, place } = scene;
      await host.serve();
      const before = await untilServed(scene);
      rmSync(join(place, 'key.pem'));
      proxy.fault('newOrder', 'cut');
      const { exitCode, err } = await host.run(['renew-certs']);
      expect(exitCode, err).toBe(4);
      expect(err).toContain('meanwhile: the certificate from before still serves, until');
      expect(await servedSerial(scene)).toBe(before);
      expect(await statusOf(scene)).toMatchObject({
        state: 'valid',
        serial: before,
        lastError: { code: 'acme-unreachable' },
      });
      proxy.heal();
      expect((await host.run(['renew-certs'])).exitCode).toBe(0);
      await untilServed(scene, { before });
    }));

  it('is no loop where it cannot be put right', async () =>
    inScene(async (scene) => {
      const { host, proxy, place } = scene;
      await first(scene);
      rmSync(join(place, 'key.pem'));
      proxy.fault('newOrder', 'cut');
      await host.serve();
      await until('it has failed', async () => (await statusOf(scene)).lastError !== undefined);
      const asked = proxy.requests.length;
      const { nextAttemptAt, state } = await statusOf(scene);
      expect(state).toBe('stand-in');
      expect(Date.parse(String(nextAttemptAt)) - Date.now()).toBeGreaterThan(30_000);
      expect(proxy.requests.length).toBe(asked);
      expect(await liveness(scene)).toBe(200);
    }));
});

describe.concurrent('a port for challenges that somebody else has', { timeout: 300_000 }, () => {
  it('is named with its holder, and the order is gone on with when it is free', async () =>
    inScene(async (scene) => {
      const { host, proxy, address } = scene;
      const holder = createServer().listen(pebble.httpPort, address);
      await once(holder, 'listening');
      const { exitCode, err } = await host.run(['renew-certs']);
      expect(exitCode, err).toBe(1);
      expect(err).toContain(`cannot listen on ${address}:${pebble.httpPort}: the port is taken by`);
      expect(err).toMatch(/to do: Stop what holds the port/);
      holder.close();
      await once(holder, 'close');
      await first(scene);
      expect(proxy.orders()).toBe(1);
    }));
});

it('a certificate whose state says that it fails is told by status with the remedy', async () =>
  inScene(async (scene) => {
    const { host, proxy, place } = scene;
    await first(scene);
    proxy.fault('newOrder', { status: 500, body: '{"detail":"out of order"}' });
    expect((await host.run(['renew-certs', '--force'])).exitCode).toBe(4);
    await host.serve();
    await untilServed(scene);
    const { out } = await host.run(['status']);
    expect(out).toMatch(/last error .*\n.*\n?.*out of order/);
    expect(readState(place)).toMatchObject({ failures: 1 });
    expect(readFileSync(join(place, 'renewal.json'), 'utf8')).not.toContain('PRIVATE');
  }));
