import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { PendingOrder } from '../../src/ports/certificate-store.ts';
import { startAuthorityProxy, type AcmeResource, type AuthorityProxy } from '../support/authority-proxy.ts';
import { startChallengeServer, type ChallengeServer } from '../support/challenge-server.ts';
import { freePort } from '../support/free-port.ts';
import { issuing } from '../support/issuing.ts';
import { startPebble, type Pebble } from '../support/pebble.ts';

let web: ChallengeServer;
let pebble: Pebble;
let proxy: AuthorityProxy;

beforeAll(async () => {
  web = await startChallengeServer();
  pebble = await startPebble({ httpPort: web.port });
});
beforeEach(async () => {
  proxy = await startAuthorityProxy(pebble);
});
afterEach(() => proxy.stop());
afterAll(async () => {
  await pebble.stop();
  await web.stop();
});

const serialOf = (chain: string) => new X509Certificate(chain).serialNumber;
const id = () => ({ authority: proxy.directoryUrl, name: 'a.example.test' });

describe('an order that was left behind', () => {
  /** Lets one run fail for good at the first request of that kind, without an answer. */
  async function leave(resource: AcmeResource, fault: 'cut' | 'cut-after') {
    const left = issuing(proxy, web);
    proxy.fault(resource, fault, 1);
    const failure = await left.failure().catch(() => undefined);
    proxy.heal();
    return { ...left, left: failure };
  }

  test.each([
    ['authorization', 'cut', 'pending'],
    ['challenge', 'cut', 'pending'],
    ['finalize', 'cut', 'ready'],
    // Pebble answers before it has signed
    ['finalize', 'cut-after', 'processing|valid'],
    ['certificate', 'cut', 'valid'],
    ['certificate', 'cut-after', 'valid'],
  ] as const)('is gone on with after %s: %s, as it is %s then', async (resource, fault, status) => {
    const { left, store, issue, progress } = await leave(resource, fault);
    expect(left?.code).toBe('acme-unreachable');
    const pending = await store.order(id());
    const { key } = await issue();
    expect(key).toBe(pending?.key);
    expect(progress).toContainEqual(
      expect.stringMatching(`^going on with an order that was left behind \\((${status})\\)$`),
    );
    expect(proxy.orders()).toBe(1);
  });

  test('whose certificate was not saved is not ordered again', async () => {
    const { issue } = issuing(proxy, web);
    const first = await issue();
    const second = await issue();
    expect(second).toEqual(first);
    expect(proxy.orders()).toBe(1);
  });

  test('whose certificate was saved is over: the next one has a new key', async () => {
    const { issue, store } = issuing(proxy, web);
    const first = await issue();
    store.keep(id(), first);
    const second = await issue();
    expect(serialOf(second.chain)).not.toBe(serialOf(first.chain));
    expect(second.key).not.toBe(first.key);
    expect(proxy.orders()).toBe(2);
  });

  test.each<[string, (order: PendingOrder) => PendingOrder]>([
    ['that was never answered', (order) => ({ ...order, url: undefined })],
    ['that the authority does not know', (order) => ({ ...order, url: `${order.url}x` })],
    ['for other names', (order) => ({ ...order, names: ['a.example.test', 'b.example.test'] })],
    ['for another profile', (order) => ({ ...order, profile: 'other' })],
    ['with a damaged key', (order) => ({ ...order, key: 'no key' })],
  ])('%s is dropped', async (_, change) => {
    const { store, issue, progress } = await leave('challenge', 'cut');
    await store.saveOrder(id(), change((await store.order(id()))!));
    await issue();
    expect(progress).not.toContainEqual(expect.stringContaining('going on'));
    expect(proxy.orders()).toBe(2);
  });

  test('for another kind of key is dropped', async () => {
    const { issue } = await leave('challenge', 'cut');
    await issue({ keyType: 'ecdsa-p384' });
    expect(proxy.orders()).toBe(2);
  });

  test('that hung for more than an hour is dropped', async () => {
    const { store, issue } = await leave('challenge', 'cut');
    const pending = (await store.order(id()))!;
    await store.saveOrder(id(), { ...pending, placedAt: Date.now() - 2 * 3_600_000 });
    await issue();
    expect(proxy.orders()).toBe(2);
  });

  test('that fails when it is gone on with is replaced by a new one in the same run', async () => {
    const { issue, progress } = await leave('challenge', 'cut');
    const { present } = web;
    let presented = 0;
    const forgetful: ChallengeServer = {
      ...web,
      present: async (token, keyAuthorization) =>
        present(token, ++presented === 1 ? 'something else' : keyAuthorization),
    };
    const { store } = await leave('challenge', 'cut');
    const again = issuing(proxy, forgetful, { store });
    await again.issue();
    expect(again.progress).toContainEqual(
      expect.stringContaining('the order that was left behind has failed'),
    );
    expect(presented).toBe(2);
    await issue();
    expect(progress).toContainEqual(expect.stringContaining('going on'));
  });

  test('whose URL has led nowhere for more than an hour is dropped', async () => {
    const { store, issue, failure } = await leave('challenge', 'cut');
    const url = `https://127.0.0.1:${await freePort()}/order`;
    const pending = { ...(await store.order(id()))!, url };
    await store.saveOrder(id(), pending);
    expect((await failure()).code).toBe('acme-unreachable');
    expect(proxy.orders()).toBe(1);
    await store.saveOrder(id(), { ...pending, placedAt: Date.now() - 2 * 3_600_000 });
    await issue();
    expect(proxy.orders()).toBe(2);
  });

  test('waits while the authority cannot be reached', async () => {
    const { store, failure, issue } = await leave('challenge', 'cut');
    const before = await store.order(id());
    proxy.fault('order', 'cut');
    expect((await failure()).code).toBe('acme-unreachable');
    expect(await store.order(id())).toEqual(before);
    proxy.heal();
    await issue();
    expect(proxy.orders()).toBe(1);
  });
});

test('a trial run keeps nothing of its own and leaves the order of a real one alone', async () => {
  const { store, issue } = issuing(proxy, web);
  await issue({ keep: false });
  expect(await store.order(id())).toBeUndefined();
  proxy.fault('challenge', 'cut', 1);
  await issue().catch(() => {});
  const pending = await store.order(id());
  expect(pending).toBeDefined();
  await issue({ keep: false });
  web.answerWith('no');
  await issue({ keep: false }).catch(() => {});
  web.answerWith(undefined);
  expect(await store.order(id())).toEqual(pending);
});

test('an order is only placed once its key is on the disk', async () => {
  const { store, issue } = issuing(proxy, web);
  const full = new Error('no space left');
  store.saveOrder = () => Promise.reject(full);
  await expect(issue()).rejects.toBe(full);
  expect(proxy.orders()).toBe(0);
});

describe('a process that is killed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'acme-resume-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  let killable: Pebble;
  let httpPort: number;
  beforeAll(async () => {
    httpPort = await freePort();
    killable = await startPebble({ httpPort });
  });
  afterAll(() => killable.stop());

  const moments = (
    [
      'directory',
      'newAccount',
      'newOrder',
      'authorization',
      'challenge',
      'order',
      'finalize',
      'certificate',
    ] as const
  ).flatMap((resource) => (['before', 'after'] as const).map((phase) => [phase, resource] as const));

  test.each(moments)(
    '%s the authority has done its part of %s costs one order at most',
    async (phase, resource) => {
      const front = await startAuthorityProxy(killable);
      const stateFile = join(folder, `${phase}-${resource}.json`);
      writeFileSync(stateFile, '{}');
      const start = () => {
        const program = join(import.meta.dirname, '..', 'support', 'issue-once.ts');
        return spawn(
          process.execPath,
          [program, front.directoryUrl, front.caFile, String(httpPort), stateFile],
          {
            stdio: ['ignore', 'pipe', 'inherit'],
          },
        );
      };
      try {
        const killed = start();
        const ended = once(killed, 'close');
        front.onRequest = async (asked, at) => {
          if (asked.resource !== resource || at !== phase) return;
          killed.kill('SIGKILL');
          await ended;
        };
        expect(await ended).toEqual([null, 'SIGKILL']);
        front.onRequest = () => {};
        const state = JSON.parse(readFileSync(stateFile, 'utf8')) as object;
        expect(Object.keys(state)).toEqual(
          ['directory'].includes(resource)
            ? []
            : resource === 'newAccount'
              ? ['account']
              : ['account', 'order'],
        );

        const next = start();
        let chain = '';
        next.stdout.on('data', (chunk) => (chain += String(chunk)));
        expect(await once(next, 'close')).toEqual([0, null]);
        expect(new X509Certificate(chain).subjectAltName).toContain('b.example.test');
        expect(front.orders()).toBeLessThanOrEqual(2);
        const spared = ['order', 'finalize', 'certificate', 'directory', 'newAccount'].includes(resource);
        if (spared) expect(front.orders()).toBe(1);
      } finally {
        await front.stop();
      }
    },
  );
});
