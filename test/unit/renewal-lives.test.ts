import { describe, expect, it } from 'vitest';
import {
  CertificateWorld,
  day,
  failure,
  hour,
  minute,
  second,
  usualWindow,
  wantedFor,
} from '../support/certificate-world.ts';

/** How long something served that had ended, or nothing did, since the first certificate was there. */
function lapsedMs(world: CertificateWorld): number {
  let lapsed = 0;
  const changes = world.served.filter(({ list }) => list[0]?.stored !== undefined);
  for (const [index, { list }] of changes.entries()) {
    const until = changes[index + 1]?.at ?? world.clock.now();
    lapsed += Math.max(0, until - list[0]!.stored!.facts.notAfter);
  }
  return lapsed;
}

/** The shortest time between two attempts at the first authority, the one before having failed. */
function closest(world: CertificateWorld): number {
  const { asked } = world.primary;
  const gaps = asked
    .slice(1)
    .flatMap(({ at }, index) => (asked[index]!.failed ? [at - asked[index]!.at] : []));
  return Math.min(Infinity, ...gaps);
}

const lives: readonly (readonly [name: string, lifeMs: number, spanMs: number, part: number])[] = [
  ['90 days', 90 * day, 366 * day, 1 / 3],
  ['45 days', 45 * day, 366 * day, 1 / 3],
  ['160 hours', 160 * hour, 366 * day, 1 / 2],
  ['ten minutes', 10 * minute, day, 1 / 2],
  ['two minutes', 2 * minute, 5 * hour, 1 / 2],
];

describe.each(lives)('certificates of %s', (_, lifeMs, spanMs, part) => {
  it('are renewed when their share of life is left, and never lapse', async () => {
    const world = new CertificateWorld();
    world.primary.lifeMs = lifeMs;
    await world.start();
    await world.clock.run(spanMs);
    expect(lapsedMs(world)).toBe(0);
    const expected = spanMs / (lifeMs * (1 - part));
    expect(world.primary.asked.length).toBeGreaterThan(expected * 0.9);
    expect(world.primary.asked.length).toBeLessThan(expected * 1.1 + 2);
    expect(world.alerts).toEqual([]);
  });

  it('are renewed in the window that the authority names, which is asked for often enough and no more', async () => {
    const world = new CertificateWorld();
    world.primary.lifeMs = lifeMs;
    world.primary.info = usualWindow;
    await world.start();
    await world.clock.run(spanMs);
    expect(lapsedMs(world)).toBe(0);
    for (const { at, replaces } of world.primary.asked.slice(1)) {
      const facts = world.primary.issued.get(replaces!)!;
      const window = usualWindow(facts);
      expect(at).toBeGreaterThanOrEqual(window.start);
      expect(at).toBeLessThanOrEqual(window.end + second);
    }
    const interval = Math.min(6 * hour, lifeMs / 10);
    expect(world.primary.askedInfo.length).toBeGreaterThan((spanMs / interval) * 0.8);
    expect(world.primary.askedInfo.length).toBeLessThan((spanMs / interval) * 1.2);
  });

  it('do not lapse when the service is killed and started again all the time', async () => {
    const world = new CertificateWorld();
    world.primary.lifeMs = lifeMs;
    world.primary.info = usualWindow;
    await world.start();
    const steps = 150;
    for (let step = 0; step < steps; step += 1) {
      await world.clock.run((lifeMs / 13) * world.random());
      if (step % 2 === 0) {
        world.kill();
        await world.start();
      } else await world.restart();
    }
    expect(lapsedMs(world)).toBe(0);
    // a moment that each start drew anew would come earlier and earlier; and none is asked for twice
    const ran = world.clock.now() - world.primary.asked[0]!.at;
    expect(world.primary.asked.length).toBeLessThan((ran / lifeMs) * 1.55 + 5);
    const replaced = world.primary.asked.flatMap(({ replaces }) => replaces ?? []);
    expect(new Set(replaced).size).toBeGreaterThan(replaced.length - 3);
  });

  it('do not lapse when the authority gives every third order only', async () => {
    const world = new CertificateWorld();
    world.primary.lifeMs = lifeMs;
    let orders = 0;
    world.primary.fails = () => {
      orders += 1;
      return orders % 3 === 0 ? undefined : failure(world.primary.authority, 'serverInternal');
    };
    await world.start();
    await world.clock.run(spanMs / 4);
    expect(lapsedMs(world)).toBe(0);
    expect(closest(world)).toBeGreaterThanOrEqual(5 * second);
  });

  it('begin before they are issued, by the clock of the authority, without being renewed at once', async () => {
    const world = new CertificateWorld();
    world.primary.lifeMs = lifeMs;
    world.primary.backdatingMs = hour;
    await world.start();
    await world.clock.run(lifeMs * 5);
    expect(lapsedMs(world)).toBe(0);
    expect(world.primary.asked.length).toBeLessThan(13);
  });
});

describe('while the authority is down', () => {
  it.each([
    ['10 hours', 10 * hour, 27],
    ['3 days', 3 * day, 44],
    ['40 days', 40 * day, 185],
  ])(
    'for %s it is asked by the table, and the certificate is renewed when it is back',
    async (_, downMs, most) => {
      const world = new CertificateWorld();
      await world.start();
      await world.clock.run(59 * day);
      const down = world.clock.now() + day;
      world.primary.fails = () =>
        world.clock.now() < down + downMs ? failure(world.primary.authority, 'unreachable') : undefined;
      await world.clock.run(day + downMs);
      const failed = world.primary.asked.filter(({ failed }) => failed).length;
      expect(failed).toBeGreaterThan(most * 0.75);
      expect(failed).toBeLessThanOrEqual(most);
      expect(closest(world)).toBeGreaterThan(50 * second);
      await world.clock.run(28 * hour);
      expect(world.primary.asked.filter(({ failed }) => !failed)).toHaveLength(2);
      expect(world.serving?.kind).toBe('valid');
      // it ends on the ninetieth day
      expect(lapsedMs(world) > 0).toBe(downMs > 30 * day);
      const expected = ['failing', ...(downMs > 30 * day ? ['expiring', 'expired'] : []), 'recovered'];
      expect(world.alertKinds).toEqual(expected);
    },
  );

  it('for months it is never given up: once a day', async () => {
    const world = new CertificateWorld();
    world.primary.fails = () => failure(world.primary.authority, 'unreachable');
    await world.start();
    await world.clock.run(100 * day);
    const late = world.primary.asked.filter(({ at }) => at > world.clock.now() - 60 * day);
    expect(late.length).toBeGreaterThan(50);
    expect(late.length).toBeLessThan(70);
  });

  it('another certificate is renewed, and a Retry-After of a week is kept to the second', async () => {
    const world = new CertificateWorld();
    world.wanted = [wantedFor('a.test'), wantedFor('b.test')];
    world.primary.fails = ({ names }) =>
      names[0] === 'a.test'
        ? failure(world.primary.authority, 'rateLimited', { retryAfterMs: 7 * day })
        : undefined;
    await world.start();
    await world.clock.run(60 * day);
    const asked = world.primary.asked.filter(({ names }) => names[0] === 'a.test');
    for (const [index, { at }] of asked.slice(1).entries()) {
      expect(at - asked[index]!.at).toBeGreaterThanOrEqual(7 * day);
      expect(at - asked[index]!.at).toBeLessThan(7 * day + minute);
    }
    expect(asked).toHaveLength(9);
    const other = world.primary.asked.filter(({ names }) => names[0] === 'b.test');
    expect(other.map(({ at }) => at < world.primary.asked[0]!.at + minute)).toEqual([true]);
  });

  it('a Retry-After outlives restarts', async () => {
    const world = new CertificateWorld();
    world.primary.fails = () => failure(world.primary.authority, 'rateLimited', { retryAfterMs: 3 * day });
    await world.start();
    for (let step = 0; step < 20; step += 1) {
      await world.clock.run(3 * hour);
      await world.restart();
    }
    expect(world.primary.asked).toHaveLength(1);
    await world.clock.run(12 * hour + minute);
    expect(world.primary.asked).toHaveLength(2);
  });
});

describe('whatever happens', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])('no two attempts are closer than allowed (schedule %i)', async (seed) => {
    const world = new CertificateWorld();
    for (let step = 0; step < seed; step += 1) world.random();
    const { random } = world;
    const lifeMs = [10 * minute, 12 * hour, 6 * day, 90 * day][seed % 4]!;
    world.primary.lifeMs = lifeMs;
    world.primary.info = seed % 2 === 0 ? usualWindow : () => undefined;
    world.withStaging = seed % 3 === 0;
    const least: number[] = [];
    world.primary.fails = () => {
      const retryAfterMs = random() < 0.1 ? Math.min(random() * lifeMs, 14 * day) : 0;
      const fails = random() < 0.7;
      const leaveAlone = fails ? retryAfterMs : 0;
      least.push(Math.max(5 * second, leaveAlone));
      return fails ? failure(world.primary.authority, 'serverInternal', { retryAfterMs }) : undefined;
    };
    await world.start();
    for (let step = 0; step < 60; step += 1) {
      await world.clock.run((random() * lifeMs) / 10);
      const what = random();
      if (what < 0.3) await world.restart();
      else if (what < 0.5) {
        world.kill();
        await world.start();
      } else if (what < 0.7) {
        world.store.holder = 'another process';
        await world.clock.run(Math.min((random() * lifeMs) / 20, hour));
        world.store.holder = undefined;
      }
    }
    const { asked } = world.primary;
    expect(asked.length).toBeGreaterThan(3);
    // an attempt that was killed could not be noted; those that came to their end were
    for (const [index, { at }] of asked.slice(1).entries()) {
      const before = asked[index]!;
      if (!before.failed) continue;
      expect(at - before.at).toBeGreaterThanOrEqual(least[index]!);
    }
  });
});
