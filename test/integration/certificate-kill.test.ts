import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readPair } from '../../src/adapters/certificate-store-pair.ts';
import type { AcmeResource } from '../support/authority-proxy.ts';
import type { RunningCommand } from '../support/certificate-host.ts';
import { expectNothingHalf } from '../support/certificate-kill-calls.ts';
import { checkStore, dueCertificate, runAgain } from '../support/certificate-kill-checks.ts';
import { scenesBefore, type Scene } from '../support/certificate-scene.ts';
import { startPebble, type Pebble } from '../support/pebble.ts';
import { untilServed } from '../support/served-certificate.ts';

let pebble: Pebble;
beforeAll(async () => {
  pebble = await startPebble();
});
afterAll(() => pebble.stop());

const inScene = scenesBefore(() => pebble);

/** A moment of an order: the `nth` request of that kind, before the authority hears it or before we hear the answer. */
type Point = readonly [resource: AcmeResource, nth: number, phase: 'before' | 'after'];

/** The authority has an order of which nobody here knows, or looks at a challenge that nobody answers. */
const mayCostAnOrder = ([resource, nth, phase]: Point) =>
  phase === 'after' &&
  (resource === 'newOrder' || resource === 'challenge' || (resource === 'authorization' && nth > 1));

/** Has `kill` done at a point, once; what was not yet forwarded is not forwarded any more. */
function killAt(
  { proxy }: Scene,
  [resource, nth, phase]: Point,
  kill: () => Promise<unknown>,
): { readonly done: boolean } {
  const seen = { done: false };
  let count = 0;
  proxy.onRequest = async (request, now) => {
    if (request.resource !== resource || now !== phase || seen.done || ++count < nth) return;
    seen.done = true;
    await kill();
    if (now === 'before') throw new Error('nobody is there any more');
  };
  return seen;
}

async function killed({ child, ended }: RunningCommand): Promise<void> {
  child.kill('SIGKILL');
  expect((await ended).exitCode).toBe('SIGKILL');
}

describe.concurrent('a first order that is killed', { timeout: 300_000 }, () => {
  const points: readonly Point[] = [
    ['directory', 1, 'before'],
    ['directory', 1, 'after'],
    ['nonce', 1, 'after'],
    ['newAccount', 1, 'before'],
    ['newAccount', 1, 'after'],
    ['newOrder', 1, 'before'],
    ['newOrder', 1, 'after'],
    ['authorization', 1, 'before'],
    ['authorization', 1, 'after'],
    ['challenge', 1, 'before'],
    ['challenge', 1, 'after'],
    ['authorization', 2, 'after'],
    ['order', 1, 'after'],
    ['finalize', 1, 'before'],
    ['finalize', 1, 'after'],
    ['order', 2, 'before'],
    ['certificate', 1, 'before'],
    ['certificate', 1, 'after'],
  ];
  it.each(points)('at %s %i, %s the authority, is ended by the next run', async (...point) =>
    inScene(async (scene) => {
      const run = scene.host.start(['renew-certs']);
      const seen = killAt(scene, point, () => killed(run));
      const { err } = await run.ended;
      expect(seen.done, err).toBe(true);
      expect((await readPair(scene.place)).pair).toBeUndefined();
      await runAgain(scene);
      expect(scene.proxy.orders()).toBeLessThanOrEqual(mayCostAnOrder(point) ? 2 : 1);
    }),
  );
});

describe.concurrent('a renewal that is killed', { timeout: 300_000 }, () => {
  const points: readonly Point[] = [
    ['renewalInfo', 1, 'before'],
    ['renewalInfo', 1, 'after'],
    ['account', 1, 'before'],
    ['account', 1, 'after'],
    ['newOrder', 1, 'before'],
    ['newOrder', 1, 'after'],
    ['authorization', 1, 'after'],
    ['challenge', 1, 'after'],
    ['finalize', 1, 'before'],
    ['finalize', 1, 'after'],
    ['certificate', 1, 'before'],
    ['certificate', 1, 'after'],
  ];
  it.each(points)('at %s %i, %s the authority, keeps the old and is ended by the next', async (...point) =>
    inScene(async (scene) => {
      const { host, proxy, place } = scene;
      const before = await dueCertificate(pebble, scene);
      const run = host.start(['renew-certs']);
      const seen = killAt(scene, point, () => killed(run));
      const { err } = await run.ended;
      expect(seen.done, err).toBe(true);
      expect((await readPair(place)).pair?.facts.serial).toBe(before.serial);
      await runAgain(scene);
      expect((await readPair(place)).pair?.facts.serial).not.toBe(before.serial);
      expect(proxy.orders()).toBeLessThanOrEqual(before.orders + (mayCostAnOrder(point) ? 2 : 1));
    }),
  );
});

// one call in three; the long run has them all
expectNothingHalf(() => pebble, { first: 1, step: 3 });

describe.concurrent('a service that is killed in the middle of an order', { timeout: 300_000 }, () => {
  const points: readonly Point[] = [
    ['newOrder', 1, 'after'],
    ['authorization', 1, 'before'],
    ['challenge', 1, 'before'],
    ['challenge', 1, 'after'],
    ['finalize', 1, 'after'],
    ['certificate', 1, 'after'],
  ];
  it.each(points)('at %s %i, %s the authority, has it ended when it starts again', async (...point) =>
    inScene(async (scene) => {
      const { host, proxy } = scene;
      const seen = killAt(scene, point, async () => {
        first.kill('SIGKILL');
        await first.ended;
      });
      const first = await host.serve();
      await first.ended;
      expect(seen.done).toBe(true);
      proxy.onRequest = () => {};
      await host.serve();
      await untilServed(scene);
      checkStore(scene);
      expect(proxy.orders()).toBeLessThanOrEqual(mayCostAnOrder(point) ? 2 : 1);
      expect(scene.accounts.size).toBe(1);
    }),
  );
});
