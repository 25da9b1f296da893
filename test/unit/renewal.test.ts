import { describe, expect, it } from 'vitest';
import { Failure } from '../../src/core/errors.ts';
import {
  CertificateWorld,
  day,
  epoch,
  failure,
  hour,
  made,
  minute,
  second,
  SimulatedStore,
  usualWindow,
  wantedFor,
} from '../support/certificate-world.ts';

/** A world whose first certificate has just been issued. */
async function served(setUp: (world: CertificateWorld) => void = () => undefined): Promise<CertificateWorld> {
  const world = new CertificateWorld();
  setUp(world);
  await world.start();
  await world.clock.run(minute);
  expect(world.serving?.kind).toBe('valid');
  return world;
}

const refuses = (
  world: CertificateWorld,
  type = 'unauthorized',
  detail: Parameters<typeof failure>[2] = {},
) => {
  world.primary.fails = () => failure(world.primary.authority, type, detail);
};

const cannotRead = new Failure('cannot read it', { code: 'store-unreadable', remedy: 'mend the disk' });

describe('a certificate service', () => {
  it('gets a certificate for a host that has none, and serves it', async () => {
    const world = new CertificateWorld();
    await world.start();
    expect(world.serving).toMatchObject({ stored: undefined, kind: 'stand-in', servesSince: undefined });
    await world.clock.run(minute);
    expect(world.serving).toMatchObject({ kind: 'valid', servesSince: epoch + 2 * second });
    expect(world.hookKinds).toEqual(['issued']);
    expect(await world.status()).toMatchObject({
      state: 'valid',
      servedAuthority: world.primary.authority,
      notAfter: world.serving?.stored?.facts.notAfter,
      nextAttemptAt: epoch + 2 * second + 60 * day,
      reason: 'when a third of its life is left',
      lastError: undefined,
    });
  });

  it('serves what the store has from the first moment, and asks nobody', async () => {
    const world = await served();
    await world.restart();
    expect(world.served.at(-1)?.at).toBe(world.clock.now());
    expect(world.serving).toMatchObject({ kind: 'valid', servesSince: epoch + 2 * second });
    await world.clock.run(day);
    expect(world.primary.asked).toHaveLength(1);
    expect(world.hookKinds).toEqual(['issued']);
  });

  describe('told that a worker cannot use a certificate', () => {
    const why = new Failure('the key is damaged', { code: 'certificate-unusable', remedy: 'mend it' });

    it('says so until it has put right what is damaged, which it does at once', async () => {
      const world = await served();
      const before = world.serving!.stored!.facts.serial;
      world.store.certificates.clear();
      void world.service.unusable(why);
      expect(await world.status()).toMatchObject({
        lastError: {
          message: 'a worker does not serve every certificate: the key is damaged',
          remedy: 'mend it',
        },
      });
      await world.clock.run(10 * second);
      expect(world.primary.asked).toHaveLength(2);
      expect(world.serving?.stored?.facts.serial).not.toBe(before);
      expect(await world.status()).toMatchObject({ state: 'valid', lastError: undefined });
    });

    it('keeps to the table of waiting where that cannot be done, and takes nothing away', async () => {
      const world = await served();
      const before = world.serving!.stored!.facts.serial;
      world.store.certificates.clear();
      refuses(world);
      for (let times = 0; times < 3; times++) {
        void world.service.unusable(why);
        await world.clock.run(5 * second);
      }
      expect(world.primary.asked).toHaveLength(2);
      expect(world.serving?.stored?.facts.serial).toBe(before);
      expect((await world.status()).lastError).toMatchObject({ message: 'it said unauthorized' });
    });

    it('hands over again what is as it was, without an order', async () => {
      const world = await served();
      const times = world.served.length;
      void world.service.unusable(why);
      await world.clock.run(5 * second);
      expect(world.served).toHaveLength(times + 1);
      expect(world.primary.asked).toHaveLength(1);
      expect((await world.status()).lastError).toBeUndefined();
    });
  });

  it('replaces one from elsewhere whose life is yet to begin, at once and once', async () => {
    const world = await served();
    world.kill();
    const life = { notBefore: world.clock.now() + 40 * day, notAfter: world.clock.now() + 130 * day };
    const id = { authority: world.primary.authority, name: 'a.test' };
    await world.store.save(id, made({ names: ['a.test'], ...life }));
    refuses(world);
    await world.start();
    expect(world.serving).toMatchObject({ kind: 'not-yet-valid', stored: { facts: life } });
    await world.clock.run(30 * second);
    expect(world.primary.asked).toHaveLength(2);
    expect(await world.status()).toMatchObject({ state: 'not-yet-valid', lastError: { failures: 1 } });
    world.primary.fails = () => undefined;
    await world.clock.run(day);
    expect(world.primary.asked).toHaveLength(3);
    expect(await world.status()).toMatchObject({ state: 'valid', lastError: undefined });
  });

  it('makes no loop of its own certificate where the clock goes back, and forgets what failed then', async () => {
    const world = await served();
    const { serial, notBefore } = world.serving!.stored!.facts;
    refuses(world, 'tls');
    world.clock.jump(-40 * day);
    await world.restart();
    await world.clock.run(10 * day);
    // by the table
    expect(world.primary.asked.length).toBeLessThan(80);
    expect(await world.status()).toMatchObject({
      state: 'not-yet-valid',
      serial,
      lastError: { message: 'it said tls' },
    });
    const asked = world.primary.asked.length;
    world.clock.jump(notBefore + minute - world.clock.now());
    await world.clock.run(day);
    expect(world.serving).toMatchObject({ kind: 'valid', stored: { facts: { serial } } });
    expect((await world.status()).lastError).toBeUndefined();
    expect(world.primary.asked).toHaveLength(asked);
  });

  it('orders one certificate and no more where its clock is behind the authority’s', async () => {
    const world = new CertificateWorld();
    world.primary.backdatingMs = -2 * hour;
    await world.start();
    await world.clock.run(minute);
    expect(world.serving?.kind).toBe('not-yet-valid');
    await world.clock.run(3 * hour);
    expect(world.serving?.kind).toBe('valid');
    expect(world.primary.asked).toHaveLength(1);
  });

  it('serves on from memory what the store has lost with all that was noted of it', async () => {
    const world = await served();
    const { serial } = world.serving!.stored!.facts;
    await world.clock.run(2 * day);
    world.store.certificates.clear();
    world.store.states.clear();
    refuses(world);
    const renewed = world.service.renew(
      { force: false, domain: undefined, dryRun: false },
      () => undefined,
      new AbortController().signal,
    );
    await world.clock.run(hour);
    expect(await renewed).toMatchObject([
      { result: 'failed', notAfter: world.serving!.stored!.facts.notAfter },
    ]);
    expect(world.serving).toMatchObject({ kind: 'valid', stored: { facts: { serial } } });
  });

  it('names the certificate that it replaces, but not one that has ended', async () => {
    const world = await served();
    const first = world.serving!.stored!.facts.ariId;
    await world.clock.run(61 * day);
    expect(world.primary.asked.map(({ replaces }) => replaces)).toEqual([undefined, first]);
    world.kill();
    await world.clock.run(100 * day);
    await world.start();
    await world.clock.run(minute);
    expect(world.primary.asked.at(-1)?.replaces).toBeUndefined();
    expect(world.serving?.kind).toBe('valid');
  });

  it('serves the old certificate while it gets one with a name that was added', async () => {
    const world = await served();
    world.wanted = [wantedFor('a.test', 'b.test')];
    refuses(world);
    await world.restart();
    await world.clock.run(second * 30);
    expect(world.serving).toMatchObject({ kind: 'valid', stored: { facts: { names: ['a.test'] } } });
    expect((await world.status()).lastError?.code).toBe('acme-unauthorized');
    world.primary.fails = () => undefined;
    await world.clock.run(2 * minute);
    expect(world.serving?.stored?.facts.names).toEqual(['a.test', 'b.test']);
    expect(world.primary.asked.at(-1)?.replaces).toBe(world.hooks[0]!.certificate!.facts.ariId);
  });

  it('does not wait out failures that concerned other names', async () => {
    const world = new CertificateWorld();
    world.wanted = [wantedFor('a.test', 'wrong.test')];
    refuses(world);
    await world.start();
    await world.clock.run(3 * day);
    world.wanted = [wantedFor('a.test')];
    world.primary.fails = () => undefined;
    await world.restart();
    await world.clock.run(minute);
    expect(world.serving?.kind).toBe('valid');
  });

  it('serves the certificate of the authority before until the new one gives its own', async () => {
    const world = await served();
    const before = world.serving!.stored!;
    world.kill();
    const disk = world.store;
    const other = new CertificateWorld();
    for (const [key, value] of disk.certificates) other.store.certificates.set(key, value);
    Object.assign(other.primary, { authority: 'https://other.test/directory' });
    refuses(other, 'unreachable');
    await other.start();
    await other.clock.run(10 * second);
    expect(other.serving).toMatchObject({ kind: 'fallback', stored: before, servesSince: undefined });
    other.primary.fails = () => undefined;
    await other.clock.run(2 * minute);
    expect(other.serving).toMatchObject({
      kind: 'valid',
      stored: { id: { authority: 'https://other.test/directory' } },
    });
  });

  it('serves an expired certificate rather than the stand-in, and says so', async () => {
    const world = await served();
    refuses(world, 'unreachable');
    await world.clock.run(91 * day);
    expect(world.serving).toMatchObject({ kind: 'expired' });
    expect(world.serving?.stored).toBeDefined();
    expect((await world.status()).state).toBe('expired');
    await world.restart();
    expect(world.serving).toMatchObject({ kind: 'expired' });
  });

  it('finds a certificate under another of its names, after these were put in another order', async () => {
    const world = await served((world) => (world.wanted = [wantedFor('a.test', 'b.test')]));
    world.wanted = [wantedFor('b.test', 'a.test')];
    await world.restart();
    await world.clock.run(day);
    expect(world.primary.asked).toHaveLength(1);
    expect(world.serving?.kind).toBe('valid');
  });

  it('does not take a certificate for its own that lacks a name', async () => {
    const world = new CertificateWorld();
    world.wanted = [wantedFor('a.test', 'b.test')];
    const { issue } = world.primary;
    world.primary.issue = (request, ...more) =>
      issue.call(world.primary, { ...request, names: ['a.test'] }, ...more);
    await world.start();
    await world.clock.run(10 * second);
    expect(world.store.certificates.size).toBe(0);
    expect((await world.status()).lastError).toMatchObject({ code: 'certificate-names' });
    await world.clock.run(hour);
    expect(world.primary.asked.length).toBeLessThan(12);
  });

  it('says so and does not ask without end when its clock is ahead of what the authority issues', async () => {
    const world = new CertificateWorld();
    world.primary.backdatingMs = 3650 * day;
    world.primary.lifeMs = -3560 * day;
    await world.start();
    await world.clock.run(hour);
    expect(world.primary.asked.length).toBeLessThan(12);
    const { lastError } = await world.status();
    expect(lastError).toMatchObject({ code: 'clock-wrong' });
    expect(lastError?.message).toContain('the clock of this host says 2027-01-01');
    world.clock.jump(-3650 * day);
    await world.clock.run(day);
    expect(world.serving?.kind).toBe('valid');
  });

  it('ends an attempt that an authority never answers', async () => {
    const world = new CertificateWorld();
    world.primary.takesMs = 1000 * day;
    await world.start();
    await world.clock.run(60.5 * minute);
    expect((await world.status()).lastError).toMatchObject({ code: 'attempt-timeout', failures: 1 });
    expect(world.store.holder).toBeUndefined();
  });

  it('stops at once, in the middle of an attempt, and counts that as no failure', async () => {
    const world = new CertificateWorld();
    world.primary.takesMs = hour;
    await world.start();
    await world.clock.run(minute);
    await world.service.stop();
    expect(world.store.holder).toBeUndefined();
    world.primary.takesMs = second;
    await world.start();
    await world.clock.run(10 * second);
    expect(world.serving?.kind).toBe('valid');
    expect(world.alerts).toEqual([]);
  });

  it('keeps its schedule where the store cannot be written, and serves on', async () => {
    const world = await served();
    world.store.full = new Failure('no space left on /store', { code: 'store-full', remedy: 'make room' });
    await world.clock.run(61 * day);
    const { lastError, state } = await world.status();
    expect(state).toBe('valid');
    expect(lastError).toMatchObject({ code: 'store-full', remedy: 'make room' });
    expect(world.primary.asked.length).toBeLessThan(40);
    expect(world.alertKinds).toEqual(['failing']);
    world.store.full = undefined;
    await world.clock.run(day);
    expect(world.serving?.stored?.facts.notBefore).toBeGreaterThan(epoch + 60 * day);
    expect(world.alertKinds).toEqual(['failing', 'recovered']);
  });

  it('begins anew where what was noted is damaged', async () => {
    const world = await served();
    for (const key of world.store.states.keys()) world.store.states.set(key, '{"failures":"many"}');
    await world.restart();
    await world.clock.run(day);
    expect(world.lines.map(({ message }) => message).join('\n')).toContain('is damaged');
    expect(world.primary.asked).toHaveLength(1);
    expect(world.serving).toMatchObject({ kind: 'valid', servesSince: epoch + 2 * second });
    expect(JSON.parse([...world.store.states.values()][0]!)).toMatchObject({ failures: 0 });
  });

  it('tells of every certificate where what was noted of one cannot be read, and looks after them all', async () => {
    const world = await served((at) => (at.wanted = [wantedFor('a.test'), wantedFor('b.test')]));
    const read = world.store.state.bind(world.store);
    world.store.state = (id) => (id.name === 'a.test' ? Promise.reject(cannotRead) : read(id));
    await world.restart();
    await world.clock.run(day);
    expect(await world.service.status()).toMatchObject([{ state: 'valid' }, { state: 'valid' }]);
    expect(world.primary.asked).toHaveLength(2);
    expect(world.lines).toContainEqual({
      level: 'warn',
      fields: { authority: world.primary.authority, name: 'a.test', err: cannotRead },
      message: 'what was noted about the renewal of a certificate cannot be read',
    });
    await world.clock.run(61 * day);
    expect(world.primary.asked).toHaveLength(4);
  });

  it('says what serves, and why, where the store cannot be read, until it can', async () => {
    const world = await served();
    const list = world.store.list.bind(world.store);
    world.store.list = () => Promise.reject(cannotRead);
    await world.restart();
    expect(await world.status()).toMatchObject({
      state: 'stand-in',
      lastError: { code: 'store-unreadable', message: 'cannot read it', remedy: 'mend the disk' },
    });
    world.store.list = list;
    await world.clock.run(2 * minute);
    expect(await world.status()).toMatchObject({ state: 'valid', lastError: undefined });
  });

  it('is not led astray by a clock that jumps ten years ahead and back', async () => {
    const world = await served();
    refuses(world, 'tls');
    world.clock.jump(3650 * day);
    await world.clock.run(2 * day);
    expect(world.serving?.kind).toBe('expired');
    const failed = world.primary.asked.length;
    expect(failed).toBeLessThan(45);
    world.clock.jump(-3650 * day);
    await world.clock.run(13 * hour);
    expect(world.serving?.kind).toBe('valid');
    world.clock.jump(-3650 * day);
    await world.clock.run(13 * hour);
    expect(world.serving?.kind).toBe('not-yet-valid');
    const said = world.lines.filter(
      ({ fields }) => fields['remedy'] === 'Set the clock: timedatectl set-ntp true',
    );
    expect(said.map(({ message }) => message.slice(0, 38))).toEqual([
      'the clock of this host says 2017-01-05',
    ]);
    world.clock.jump(3650 * day);
    const again = world.primary.asked.length;
    expect(again - failed).toBeLessThan(35);
    world.primary.fails = () => undefined;
    await world.clock.run(60 * day);
    // the attempts of the other decade are not waited for
    expect(world.primary.asked).toHaveLength(again + 1);
    expect(world.serving?.kind).toBe('valid');
  });
});

describe('of several certificates', () => {
  it('the one that ends first is looked after first', async () => {
    const world = await served((world) => (world.wanted = [wantedFor('a.test'), wantedFor('b.test')]));
    world.kill();
    const b = world.store.certificates.get(`${world.primary.authority} b.test`)!;
    world.store.certificates.set(`${b.id.authority} b.test`, {
      ...b,
      facts: { ...b.facts, notAfter: b.facts.notAfter - 10 * day },
    });
    await world.clock.run(70 * day);
    await world.start();
    await world.clock.run(minute);
    expect(world.primary.asked.slice(2).map(({ names }) => names[0])).toEqual(['b.test', 'a.test']);
  });
});

describe('the window of the authority', () => {
  it('is shown, and so is its explanation', async () => {
    const world = await served((world) => {
      world.primary.info = (facts) => ({ ...usualWindow(facts), explanationUrl: 'https://why.test/' });
    });
    await world.clock.run(minute);
    const { reason, nextAttemptAt } = await world.status();
    expect(reason).toContain('(https://why.test/)');
    const { start, end } = usualWindow(world.serving!.stored!.facts);
    expect(nextAttemptAt).toBeGreaterThanOrEqual(start);
    expect(nextAttemptAt).toBeLessThanOrEqual(end);
  });

  it('has its moment drawn once, over restarts, and anew only when it moves away from it', async () => {
    let shift = 0;
    const world = await served((world) => {
      world.primary.info = (facts) => {
        const { start, end, ...more } = usualWindow(facts);
        return { start: start + shift, end: end + shift, ...more };
      };
    });
    const { nextAttemptAt } = await world.status();
    for (let step = 0; step < 5; step += 1) {
      await world.clock.run(day);
      await world.restart();
      expect((await world.status()).nextAttemptAt).toBe(nextAttemptAt);
    }
    shift = -10 * day;
    await world.clock.run(day);
    const moved = (await world.status()).nextAttemptAt;
    expect(moved).toBeLessThan(nextAttemptAt - 8 * day);
    await world.clock.run(day);
    expect((await world.status()).nextAttemptAt).toBe(moved);
  });

  it('in the past means now', async () => {
    const world = await served((world) => (world.primary.info = usualWindow));
    const revoked = world.serving!.stored!.facts.serial;
    world.primary.info = (facts) =>
      facts.serial === revoked
        ? { start: epoch - 2 * day, end: epoch - day, explanationUrl: undefined, retryAfterMs: hour }
        : usualWindow(facts);
    await world.clock.run(6 * hour + minute);
    expect(world.primary.asked).toHaveLength(2);
    await world.clock.run(50 * day);
    expect(world.primary.asked).toHaveLength(2);
    expect(world.alerts).toEqual([]);
  });

  it('in the past for every certificate is followed a few times a day, not without end', async () => {
    const world = await served((world) => {
      world.primary.info = () => ({
        start: epoch - 2 * day,
        end: epoch - day,
        explanationUrl: undefined,
        retryAfterMs: hour,
      });
    });
    await world.clock.run(10 * day);
    expect(world.primary.asked.length).toBeGreaterThan(35);
    expect(world.primary.asked.length).toBeLessThan(45);
  });

  it('is kept when the authority does not say it any more, and asked for with patience', async () => {
    const world = await served((world) => (world.primary.info = usualWindow));
    const { nextAttemptAt } = await world.status();
    world.primary.askedInfo.length = 0;
    world.primary.info = () => {
      throw failure(world.primary.authority, 'unreachable');
    };
    await world.clock.run(50 * day);
    expect((await world.status()).nextAttemptAt).toBe(nextAttemptAt);
    expect(world.primary.askedInfo.length).toBeLessThan(230);
    expect(world.alerts).toEqual([]);
    await world.clock.run(12 * day);
    expect(world.primary.asked).toHaveLength(2);
    expect(world.primary.asked[1]!.at).toBeGreaterThanOrEqual(nextAttemptAt);
  });

  it.each([
    ['that ends before it begins', { start: epoch + day, end: epoch }],
    ['after the life', { start: epoch + 100 * day, end: epoch + 101 * day }],
  ])('%s lets no certificate lapse', async (_, window) => {
    const world = await served((world) => {
      world.primary.info = () => ({ ...window, explanationUrl: undefined, retryAfterMs: hour });
    });
    await world.clock.run(89 * day);
    expect(world.primary.asked).toHaveLength(2);
  });

  it('never comes: a hang holds nothing up', async () => {
    const world = await served((world) => {
      world.wanted = [wantedFor('a.test'), wantedFor('b.test')];
      world.primary.renewalInfo = () => new Promise(() => undefined);
    });
    await world.clock.run(61 * day);
    expect(world.primary.asked).toHaveLength(4);
  });
});

describe('after a failure', () => {
  it('the staging authority is asked first, and production when that works', async () => {
    const world = new CertificateWorld();
    world.withStaging = true;
    refuses(world);
    world.staging.fails = () => failure(world.staging.authority, 'unauthorized');
    await world.start();
    await world.clock.run(hour);
    expect(world.primary.asked).toHaveLength(1);
    expect(world.staging.asked.length).toBeGreaterThan(4);
    expect(world.staging.asked.every(({ keep }) => !keep)).toBe(true);
    world.staging.fails = () => undefined;
    world.primary.fails = () => undefined;
    await world.clock.run(hour);
    expect(world.primary.asked).toHaveLength(2);
    expect(world.primary.asked[1]!.at - world.staging.asked.at(-1)!.at).toBe(2 * second);
    expect(world.serving?.kind).toBe('valid');
  });

  it('a staging authority that is out of order itself is no obstacle, and its Retry-After is kept', async () => {
    const world = new CertificateWorld();
    world.withStaging = true;
    refuses(world, 'unreachable');
    world.staging.fails = () => failure(world.staging.authority, 'rateLimited', { retryAfterMs: day });
    await world.start();
    await world.clock.run(12 * hour);
    expect(world.staging.asked).toHaveLength(1);
    expect(world.primary.asked.length).toBeGreaterThan(15);
  });

  it.each([
    // the CAA record of the name admits the account at production alone
    ['caa', false],
    ['unauthorized', true],
  ])('a staging authority that refuses our account there is no obstacle (%s)', async (type, ofAccount) => {
    const world = new CertificateWorld();
    world.withStaging = true;
    world.primary.fails = () =>
      world.primary.asked.length === 0 ? failure(world.primary.authority, 'unreachable') : undefined;
    world.staging.fails = () => failure(world.staging.authority, type, { ofAccount });
    await world.start();
    await world.clock.run(10 * minute);
    expect([world.primary.asked.length, world.staging.asked.length]).toEqual([2, 1]);
    expect(world.serving?.kind).toBe('valid');
  });

  it('a trial that never goes well ends when attempts are an hour apart, and with --force at once', async () => {
    const world = new CertificateWorld();
    world.withStaging = true;
    refuses(world);
    world.staging.fails = () => failure(world.staging.authority, 'malformed');
    await world.start();
    await world.clock.run(5 * hour);
    expect(world.primary.asked).toHaveLength(1);
    const forced = { force: true, domain: undefined, dryRun: false };
    const renewed = world.service.renew(forced, () => undefined, new AbortController().signal);
    await world.clock.run(10 * second);
    expect(await renewed).toMatchObject([{ result: 'failed', detail: 'it said unauthorized' }]);
    expect(world.primary.asked).toHaveLength(2);
    world.primary.fails = () => undefined;
    await world.clock.run(7 * hour);
    expect(world.serving?.kind).toBe('valid');
    const tried = world.staging.asked.length;
    await world.clock.run(day);
    expect([world.primary.asked.length, world.staging.asked.length]).toEqual([3, tried]);
  });

  it('a trial that went well is not asked for again while production is out of order', async () => {
    const world = new CertificateWorld();
    world.withStaging = true;
    refuses(world, 'serverInternal');
    await world.start();
    await world.clock.run(hour);
    await world.restart();
    await world.clock.run(hour);
    expect(world.staging.asked).toHaveLength(1);
    refuses(world);
    await world.clock.run(6 * hour);
    expect(world.staging.asked.length).toBeGreaterThan(2);
  });

  it('is told to the log once each, in plain words, with what to do and the time of the next attempt', async () => {
    const world = new CertificateWorld();
    refuses(world);
    await world.start();
    await world.clock.run(2 * minute);
    const warnings = world.lines.filter(({ level }) => level === 'warn' || level === 'error');
    expect(warnings).toHaveLength(world.primary.asked.length);
    expect(warnings[0]!.message).toMatch(
      /^no certificate: it said unauthorized; there is none yet; next attempt 2027-01-01 00:0\d:\d\d UTC$/,
    );
    expect(warnings[0]!.fields).toMatchObject({ remedy: 'mend unauthorized', code: 'acme-unauthorized' });
  });

  it.each([
    [false, 1],
    [true, 3],
  ])('a person is alerted once, and once when it is over (retryable: %s)', async (retryable, after) => {
    const world = new CertificateWorld();
    refuses(world, 'dns', { retryable });
    await world.start();
    while (world.primary.asked.length < after) await world.clock.run(10 * second);
    expect(world.alerts).toHaveLength(0);
    await world.clock.run(2 * second);
    expect(world.alertKinds).toEqual(['failing']);
    expect(world.alerts[0]!.body).toContain('What to do: mend dns');
    await world.restart();
    await world.clock.run(hour);
    expect(world.alerts).toHaveLength(1);
    expect(
      world.hooks.every(({ kind, error }) => kind === 'failed' && error?.message === 'it said dns'),
    ).toBe(true);
    world.primary.fails = () => undefined;
    await world.clock.run(hour);
    expect(world.alertKinds).toEqual(['failing', 'recovered']);
    expect(world.hookKinds.at(-1)).toBe('issued');
  });

  it('one that mends itself is no person’s business', async () => {
    const world = await served();
    let left = 2;
    world.primary.fails = () => {
      left -= 1;
      return left < 0 ? undefined : failure(world.primary.authority, 'unreachable');
    };
    await world.clock.run(65 * day);
    expect(world.primary.asked).toHaveLength(4);
    expect(world.alerts).toEqual([]);
  });

  it('the end that comes nearer is told once for each certificate, and the end itself', async () => {
    const world = await served();
    refuses(world, 'unreachable');
    await world.clock.run(74 * day);
    expect(world.alertKinds).toEqual(['failing']);
    await world.clock.run(2 * day);
    await world.restart();
    await world.clock.run(10 * day);
    expect(world.alertKinds).toEqual(['failing', 'expiring']);
    expect(world.hookKinds.filter((kind) => kind !== 'failed')).toEqual(['issued', 'expiring']);
    await world.clock.run(5 * day);
    expect(world.alertKinds).toEqual(['failing', 'expiring', 'expired']);
    world.primary.fails = () => undefined;
    await world.clock.run(2 * day);
    expect(world.alertKinds).toEqual(['failing', 'expiring', 'expired', 'recovered']);
  });

  it('a host that was off until the last week renews before it alarms anybody', async () => {
    const world = await served();
    world.kill();
    await world.clock.run(85 * day);
    await world.start();
    await world.clock.run(minute);
    expect(world.serving?.stored?.facts.notBefore).toBeGreaterThan(epoch + 80 * day);
    expect(world.alerts).toEqual([]);
  });

  it('a hook and an alert that never end stop nothing', async () => {
    const world = new CertificateWorld();
    world.wanted = [wantedFor('a.test'), wantedFor('b.test')];
    world.hangingEvents = true;
    refuses(world, 'dns', { retryable: false });
    await world.start();
    await world.clock.run(10 * second);
    world.primary.fails = () => undefined;
    await world.clock.run(62 * day);
    expect(world.primary.asked).toHaveLength(6);
    await world.service.stop();
  });
});

describe('the second authority', () => {
  it('is asked when the first has failed for a day, and gives way when that works again', async () => {
    const world = await served((world) => (world.withFallback = true));
    refuses(world, 'unreachable');
    await world.clock.run(60 * day);
    const began = world.primary.asked[1]!.at;
    await world.clock.run(23 * hour);
    expect(world.second.asked).toHaveLength(0);
    expect(world.serving?.kind).toBe('valid');
    await world.clock.run(2 * hour);
    expect(world.second.asked).toHaveLength(1);
    expect(world.second.asked[0]!.at - began).toBeGreaterThanOrEqual(day);
    expect(world.serving).toMatchObject({
      kind: 'fallback',
      stored: { id: { authority: world.second.authority } },
    });
    const issued = world.hooks.findLast(({ kind }) => kind === 'issued');
    expect(issued?.authority).toBe(world.second.authority);
    const before = world.primary.asked.length;
    await world.clock.run(5 * day);
    expect(world.primary.asked.length).toBeGreaterThan(before + 15);
    expect(world.second.asked).toHaveLength(1);
    world.primary.fails = () => undefined;
    await world.clock.run(8 * hour);
    expect(world.serving?.kind).toBe('valid');
    expect(world.alertKinds).toEqual(['failing', 'recovered']);
  });

  it('goes on being renewed while the first is gone for good', async () => {
    const world = await served((world) => (world.withFallback = true));
    refuses(world, 'unreachable');
    await world.clock.run(300 * day);
    expect(world.second.asked.length).toBe(4);
    expect(world.serving?.kind).toBe('fallback');
    expect(world.alertKinds).toEqual(['failing']);
  });

  it('is asked before that where little life is left, so that no short-lived certificate lapses', async () => {
    const world = await served((world) => {
      world.withFallback = true;
      world.primary.lifeMs = 10 * minute;
      world.second.lifeMs = 10 * minute;
    });
    refuses(world, 'unreachable');
    await world.clock.run(8 * minute);
    expect(world.second.asked).toHaveLength(0);
    await world.clock.run(hour);
    expect(world.serving?.kind).toBe('fallback');
    const lapses = world.served.slice(2).map(({ at }, index) => {
      const before = world.served[index + 1]!.list[0]!.stored!;
      return before.facts.notAfter - at;
    });
    expect(Math.min(...lapses)).toBeGreaterThan(0);
  });

  it('is not asked because of what failed by order of a person before it was due', async () => {
    const world = await served((world) => (world.withFallback = true));
    refuses(world, 'unreachable');
    const forced = { force: true, domain: undefined, dryRun: false };
    const renewed = world.service.renew(forced, () => undefined, new AbortController().signal);
    await world.clock.run(10 * second);
    expect(await renewed).toMatchObject([{ result: 'failed' }]);
    await world.clock.run(60 * day);
    expect(world.primary.asked.length).toBeGreaterThan(2);
    expect(world.second.asked).toHaveLength(0);
    expect(world.serving?.kind).toBe('valid');
    await world.clock.run(2 * day);
    expect(world.second.asked).toHaveLength(1);
  });

  it('has a table of its own, and its trials are not made at the staging of the first', async () => {
    const world = await served((world) => {
      world.withFallback = true;
      world.withStaging = true;
    });
    refuses(world, 'unreachable');
    world.second.fails = () => failure(world.second.authority, 'rateLimited', { retryAfterMs: 2 * day });
    await world.clock.run(66 * day);
    const gaps = world.second.asked.slice(1).map(({ at }, index) => at - world.second.asked[index]!.at);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(2 * day);
    expect(world.staging.asked).toHaveLength(1);
  });
});

describe('the lock', () => {
  it('held by another process is no failure: it is tried again soon', async () => {
    const world = new CertificateWorld();
    world.store.holder = 'another process';
    await world.start();
    await world.clock.run(5 * minute);
    expect((await world.status()).lastError).toBeUndefined();
    world.store.holder = undefined;
    await world.clock.run(minute + 10 * second);
    expect(world.serving?.kind).toBe('valid');
  });

  it('is followed by another look into the store: what another process got there is taken over', async () => {
    const world = new CertificateWorld();
    world.store.holder = 'another process';
    await world.start();
    await world.clock.run(minute);
    const other = new SimulatedStore(world.store);
    const id = { authority: world.primary.authority, name: 'a.test' };
    await other.save(
      id,
      made({ names: ['a.test'], notBefore: world.clock.now(), notAfter: world.clock.now() + 90 * day }),
    );
    world.store.holder = undefined;
    await world.clock.run(2 * minute);
    expect(world.serving?.kind).toBe('valid');
    expect(world.primary.asked).toHaveLength(0);
  });

  it('that is lost in the middle of an attempt makes it a failed one', async () => {
    const world = new CertificateWorld();
    world.primary.takesMs = hour;
    const lost = new AbortController();
    const { withLock } = world.store;
    let times = 0;
    world.store.withLock = (action) =>
      withLock.call(world.store, () => {
        times += 1;
        return action(times === 1 ? lost.signal : new AbortController().signal);
      }) as never;
    await world.start();
    await world.clock.run(minute);
    lost.abort(new Failure('the lock was taken away', { code: 'lock-lost', retryable: true }));
    await world.clock.run(second);
    expect((await world.status()).lastError).toMatchObject({ code: 'lock-lost', failures: 1 });
  });
});

describe('what the workers cannot serve', () => {
  it('is tried again, told as the last error, and the old one counts as what serves', async () => {
    const world = await served();
    const old = world.serving!.stored!.facts.serial;
    world.unservable = new Failure('worker 2 proved another serial', {
      code: 'swap-failed',
      retryable: true,
    });
    await world.clock.run(61 * day);
    const status = await world.status();
    expect(status).toMatchObject({ serial: old, lastError: { code: 'swap-failed' } });
    expect(status.lastError?.message).toContain('worker 2 proved another serial');
    expect(world.alertKinds).toEqual(['unserved']);
    expect(world.primary.asked).toHaveLength(2);
    await world.clock.run(16 * day);
    expect(world.alertKinds).toEqual(['unserved', 'expiring']);
    world.unservable = undefined;
    await world.clock.run(7 * hour);
    expect((await world.status()).serial).not.toBe(old);
    expect((await world.status()).lastError).toBeUndefined();
    expect(world.alertKinds).toEqual(['unserved', 'expiring', 'recovered', 'recovered']);
  });

  it('is not told of as what serves while the stand-in does', async () => {
    const world = new CertificateWorld();
    await world.start();
    world.unservable = new Failure('worker 2 proved another serial', {
      code: 'swap-failed',
      retryable: true,
    });
    await world.clock.run(minute);
    expect(world.primary.asked).toHaveLength(1);
    const lastError = { code: 'swap-failed' };
    expect(await world.status()).toMatchObject({ state: 'stand-in', serial: undefined, lastError });
    world.unservable = undefined;
    await world.clock.run(7 * hour);
    expect(await world.status()).toMatchObject({ state: 'valid', lastError: undefined });
  });
});

describe('kill -9 at any moment', () => {
  it('is harmless: the next start finishes, the hook is told, and no more than one extra order is placed', async () => {
    const counting = await served();
    await counting.clock.run(60 * day - 2 * minute);
    let calls = 0;
    counting.onCall = () => (calls += 1);
    await counting.clock.run(hour);
    expect(calls).toBeGreaterThan(20);

    for (let at = 1; at <= calls; at += 1) {
      const world = await served((world) => (world.checkEveryMs = 20 * day));
      await world.clock.run(60 * day - 2 * minute);
      let left = at;
      world.onCall = () => {
        left -= 1;
        if (left === 0) world.kill();
      };
      await world.clock.run(hour);
      world.kill();
      const killed = world.clock.now();
      world.onCall = () => undefined;
      await world.start();
      await world.clock.run(minute);
      const { serial } = world.serving!.stored!.facts;
      expect(world.serving!.stored!.facts.notBefore).toBeGreaterThan(epoch + 60 * day);
      expect(world.primary.asked.length).toBeLessThanOrEqual(3);
      expect(world.hooks.map(({ certificate }) => certificate?.facts.serial)).toContain(serial);
      expect(world.alerts).toEqual([]);
      expect((await world.status()).nextAttemptAt).toBeGreaterThan(killed + 50 * day);
    }
  });
});

describe('an import', () => {
  const pairFor = (...names: string[]) =>
    made({ names, notBefore: epoch - 30 * day, notAfter: epoch + 60 * day });

  it('is served, and renewed by the configured authority when its own life says so', async () => {
    const world = new CertificateWorld();
    refuses(world);
    await world.start();
    await world.clock.run(minute);
    const { chain, key } = pairFor('a.test', 'more.test');
    const imported = world.service.import(chain, key);
    await world.clock.run(10 * second);
    expect(await imported).toMatchObject({ result: 'issued', exitCode: 0, names: ['a.test'] });
    expect(world.serving).toMatchObject({
      kind: 'fallback',
      stored: { id: { authority: 'import', name: 'a.test' } },
    });
    expect(world.hookKinds.at(-1)).toBe('issued');
    world.primary.fails = () => undefined;
    await world.restart();
    await world.clock.run(29 * day);
    expect(world.primary.asked.length).toBeLessThan(4);
    const before = world.primary.asked.length;
    await world.clock.run(3 * day);
    expect(world.primary.asked).toHaveLength(before + 1);
    expect(world.serving?.kind).toBe('valid');
  });

  it('takes the place of one that was issued', async () => {
    const world = await served();
    await world.clock.run(day);
    const { chain, key } = pairFor('*.test', 'a.test');
    const imported = world.service.import(chain, key);
    await world.clock.run(10 * second);
    await imported;
    expect(world.serving?.stored?.id.authority).toBe('import');
    await world.restart();
    expect(world.serving?.stored?.id.authority).toBe('import');
  });

  it('that the workers cannot serve has failed, and says why', async () => {
    const world = await served();
    world.unservable = new Failure('its key is of another kind', {
      code: 'certificate-not-served',
      remedy: 'get another',
    });
    const { chain, key } = pairFor('a.test');
    const imported = world.service.import(chain, key);
    await world.clock.run(10 * second);
    expect(await imported).toMatchObject({
      result: 'failed',
      exitCode: 1,
      detail: 'the new certificate is not served: its key is of another kind',
      remedy: 'get another',
      notAfter: world.serving?.stored?.facts.notAfter,
    });
    expect(world.serving?.kind).toBe('valid');
    // who asks again has mended something
    world.unservable = undefined;
    const again = world.service.import(chain, key);
    await world.clock.run(10 * second);
    expect(await again).toMatchObject({ result: 'issued', exitCode: 0 });
  });

  it('is refused where it lacks a name, and nothing is kept', async () => {
    const world = new CertificateWorld();
    world.wanted = [wantedFor('a.test', 'b.test', 'c.test')];
    world.create();
    const { chain, key } = pairFor('a.test', 'other.test');
    await expect(world.service.import(chain, key)).rejects.toMatchObject({
      exitCode: 2,
      message: 'The certificate is for a.test, other.test; b.test, c.test of CERT_DOMAIN is missing.',
    });
    expect(world.store.certificates.size).toBe(0);
  });

  it('is refused where it has ended', async () => {
    const world = new CertificateWorld();
    world.create();
    const { chain, key } = made({ names: ['a.test'], notBefore: epoch - 2 * day, notAfter: epoch - day });
    await expect(world.service.import(chain, key)).rejects.toMatchObject({ exitCode: 2 });
    expect(world.store.certificates.size).toBe(0);
  });
});

describe('a renewal that a person asks for', () => {
  const usual = { force: false, domain: undefined, dryRun: false };
  const steps: string[] = [];
  async function renew(
    world: CertificateWorld,
    asked: { force?: boolean; domain?: string; dryRun?: boolean } = {},
  ) {
    steps.length = 0;
    const renewed = world.service.renew(
      { ...usual, ...asked },
      (step) => steps.push(step),
      new AbortController().signal,
    );
    renewed.catch(() => undefined);
    await world.clock.run(10 * second);
    return renewed;
  }

  it('works without a service, and returns when the hook has ended', async () => {
    const world = new CertificateWorld();
    world.hookTakesMs = 3 * second;
    world.create();
    const [outcome] = await renew(world);
    expect(outcome).toMatchObject({ result: 'issued', exitCode: 0, names: ['a.test'] });
    expect(steps).toEqual([`asking ${world.primary.authority}`]);
    expect(world.hookKinds).toEqual(['issued']);
    const announced = world.serving!.stored!.facts.fingerprint;
    expect(JSON.parse([...world.store.states.values()][0]!)).toMatchObject({ failures: 0, announced });
    world.kill();
    await world.start();
    await world.clock.run(day);
    expect(world.hookKinds).toEqual(['issued']);
    expect(world.primary.asked).toHaveLength(1);
  });

  it('of what is not due says when it will be, and why then', async () => {
    const world = await served();
    expect(await renew(world)).toMatchObject([
      {
        result: 'not-due',
        detail: 'not due before 2027-03-02 00:00:02 UTC, when a third of its life is left',
        exitCode: 0,
      },
    ]);
    expect(await renew(world, { force: true })).toMatchObject([{ result: 'issued' }]);
    expect(world.serving?.stored?.facts.serial).toBe([...world.primary.issued.values()].at(-1)!.serial);
  });

  it('does not wait for the table, since something was mended', async () => {
    const world = new CertificateWorld();
    refuses(world);
    await world.start();
    await world.clock.run(3 * day);
    world.primary.fails = () => undefined;
    expect(await renew(world)).toMatchObject([{ result: 'issued' }]);
    expect(world.serving?.kind).toBe('valid');
  });

  it('keeps a Retry-After and says until when; with --force it says so and asks', async () => {
    const world = new CertificateWorld();
    refuses(world, 'rateLimited', { retryAfterMs: day });
    await world.start();
    await world.clock.run(minute);
    const [refused] = await renew(world);
    expect(refused).toMatchObject({ result: 'failed', exitCode: 4 });
    expect(refused!.detail).toBe(
      'https://first.test/directory wants not to be asked before 2027-01-02 00:00:02 UTC, after: it said rateLimited',
    );
    expect(refused!.remedy).toContain('--force');
    expect(world.primary.asked).toHaveLength(1);
    world.primary.fails = () => undefined;
    expect(await renew(world, { force: true })).toMatchObject([{ result: 'issued' }]);
    expect(steps[0]).toContain('asking all the same, because of --force');
  });

  it('that fails ends with the exit code of what failed, and the next attempt is noted', async () => {
    const world = new CertificateWorld();
    refuses(world, 'dns');
    world.create();
    expect(await renew(world)).toMatchObject([
      { result: 'failed', detail: 'it said dns', remedy: 'mend dns', exitCode: 4 },
    ]);
    world.primary.fails = () => new Failure('port 80 is taken', { code: 'port-taken' });
    expect(await renew(world)).toMatchObject([{ result: 'failed', exitCode: 1 }]);
    expect((await world.status()).lastError?.failures).toBe(2);
  });

  it('as a trial goes to staging, keeps nothing and counts for nothing', async () => {
    const world = await served((world) => (world.withStaging = true));
    expect(await renew(world, { dryRun: true })).toMatchObject([{ result: 'tested', exitCode: 0 }]);
    expect(world.staging.asked).toMatchObject([{ keep: false }]);
    expect(world.primary.asked).toHaveLength(1);
    world.staging.fails = () => failure(world.staging.authority, 'caa');
    expect(await renew(world, { dryRun: true })).toMatchObject([{ result: 'failed', exitCode: 4 }]);
    expect(await world.status()).toMatchObject({ state: 'valid', lastError: undefined });
    expect(world.hookKinds).toEqual(['issued']);
  });

  it('as a trial goes to the configured directory where no staging is known', async () => {
    const world = await served();
    expect(await renew(world, { dryRun: true })).toMatchObject([{ result: 'tested' }]);
    expect(world.primary.asked.map(({ keep }) => keep)).toEqual([true, false]);
    expect(world.store.certificates.size).toBe(1);
  });

  it('is for the one certificate that has the name', async () => {
    const world = await served(
      (world) => (world.wanted = [wantedFor('a.test'), wantedFor('b.test', '2001:db8::1')]),
    );
    const outcomes = await renew(world, { force: true, domain: '[2001:DB8:0::1]' });
    expect(outcomes.map(({ names }) => names[0])).toEqual(['b.test']);
    await expect(renew(world, { domain: 'c.test' })).rejects.toMatchObject({ exitCode: 2 });
  });

  it('is refused while another process holds the lock', async () => {
    const world = new CertificateWorld();
    world.store.holder = 'another process';
    world.create();
    await expect(renew(world)).rejects.toMatchObject({ exitCode: 5 });
  });

  it('waits for the attempt that is under way, and does not repeat it', async () => {
    const world = new CertificateWorld();
    world.primary.takesMs = 8 * second;
    await world.start();
    await world.clock.run(second);
    expect(await renew(world)).toMatchObject([{ result: 'not-due' }]);
    expect(steps[0]).toContain('waiting');
    expect(world.primary.asked).toHaveLength(1);
  });

  it.each([
    ['waits until an order has put away what it laid out', 6 * second, 6 * second],
    ['does not wait for an order that never comes to an end', hour, 10 * second],
  ])('that is broken off %s', async (_, puttingAwayMs, waited) => {
    const world = new CertificateWorld();
    world.primary.takesMs = hour;
    world.primary.puttingAwayMs = puttingAwayMs;
    world.create();
    const gone = new AbortController();
    const renewed = world.service.renew(usual, () => undefined, gone.signal);
    let endedAt: number | undefined;
    renewed.catch(() => (endedAt = world.clock.now()));
    await world.clock.run(second);
    const brokenOffAt = world.clock.now();
    gone.abort(new Error('gone'));
    await world.clock.run(minute);
    await expect(renewed).rejects.toThrow('gone');
    expect(endedAt! - brokenOffAt).toBe(waited);
  });

  it('ends when its caller goes away', async () => {
    const world = new CertificateWorld();
    world.primary.takesMs = hour;
    world.create();
    const gone = new AbortController();
    const renewed = world.service.renew(usual, () => undefined, gone.signal);
    await world.clock.run(second);
    gone.abort(new Error('gone'));
    await expect(renewed).rejects.toThrow('gone');
    expect((await world.status()).lastError).toBeUndefined();
  });
});
