import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { startAuthorityProxy, type AuthorityProxy } from '../support/authority-proxy.ts';
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
afterEach(async () => {
  expect(web.tokens.size, 'tokens that are left').toBe(0);
  await proxy.stop();
});
afterAll(async () => {
  await pebble.stop();
  await web.stop();
});

const problem = (type: string, detail: string, more: object = {}) =>
  JSON.stringify({ type: `urn:ietf:params:acme:error:${type}`, detail, ...more });
const minuteMs = 60_000;

describe('a limit', () => {
  test.each([
    ['seconds', () => '7200'],
    ['a date', () => new Date(Date.now() + 120 * minuteMs).toUTCString()],
  ])('is said with its end, from Retry-After in %s, and nothing waits for it', async (_, retryAfter) => {
    proxy.fault('newOrder', {
      status: 429,
      headers: { 'retry-after': retryAfter(), date: new Date().toUTCString() },
      body: problem('rateLimited', 'too many certificates already issued for a.example.test'),
    });
    const before = performance.now();
    const failure = await issuing(proxy, web).failure();
    expect(performance.now() - before).toBeLessThan(10_000);
    expect(failure).toMatchObject({ code: 'acme-rateLimited', retryable: true, exitCode: 4 });
    expect(failure.problem).toMatchObject({
      status: 429,
      detail: expect.stringContaining('too many certificates'),
    });
    expect(Math.abs(failure.retryAfterMs! - 120 * minuteMs)).toBeLessThanOrEqual(1000);
    expect(failure.message).toMatch(/limits how often it may be asked until \d{4}-\d\d-\d\d \d\d:\d\d UTC/);
  });

  test('of the whole server is obeyed as well', async () => {
    proxy.fault('directory', {
      status: 503,
      headers: { 'retry-after': '300' },
      body: 'down for maintenance',
    });
    const failure = await issuing(proxy, web).failure();
    expect(failure).toMatchObject({ code: 'acme-serverInternal', retryAfterMs: 300_000, retryable: true });
  });
});

describe('a server that', () => {
  test('never answers is given up after the time limit of a request', async () => {
    proxy.fault('newOrder', 'hang');
    const failure = await issuing(proxy, web, { timeoutMs: 500 }).failure();
    expect(failure).toMatchObject({ code: 'acme-timeout', retryable: true });
    expect(failure.message).toContain('did not answer within 0.5 seconds');
  });

  test('begins an answer and never ends it is given up as well', async () => {
    const endless = createServer((socket) => void socket.on('error', () => {})).listen(0, '127.0.0.1');
    await once(endless, 'listening');
    const { port } = endless.address() as { port: number };
    const directoryUrl = `https://127.0.0.1:${port}/dir`;
    const failure = await issuing({ directoryUrl, caFile: pebble.caFile }, web, { timeoutMs: 500 }).failure();
    endless.close();
    expect(failure.code).toBe('acme-timeout');
  });

  test('hangs is left at once when we are told to stop', async () => {
    proxy.fault('newOrder', 'hang');
    const stop = new AbortController();
    const running = issuing(proxy, web).issue({}, stop.signal);
    running.catch(() => {});
    await expect.poll(() => proxy.requests.at(-1)?.resource).toBe('newOrder');
    const before = performance.now();
    stop.abort(new Error('the service stops'));
    await expect(running).rejects.toThrow('the service stops');
    // the time limit of a request is half a minute
    expect(performance.now() - before).toBeLessThan(10_000);
  });

  test.each(['directory', 'nonce', 'newAccount', 'newOrder', 'finalize', 'certificate'] as const)(
    'cuts the connection at %s cannot be reached',
    async (resource) => {
      proxy.fault(resource, 'cut');
      const failure = await issuing(proxy, web).failure();
      expect(failure).toMatchObject({ code: 'acme-unreachable', retryable: true, exitCode: 4 });
      expect(failure.message).toContain('cut the connection');
    },
  );

  test('refuses connections cannot be reached', async () => {
    const directoryUrl = `https://127.0.0.1:${await freePort()}/dir`;
    const failure = await issuing({ directoryUrl, caFile: pebble.caFile }, web).failure();
    expect(failure.message).toContain('refused the connection (ECONNREFUSED)');
  });

  test('speaks plain HTTP on the port is said so', async () => {
    const directoryUrl = `https://127.0.0.1:${web.port}/dir`;
    const failure = await issuing({ directoryUrl, caFile: pebble.caFile }, web).failure();
    expect(failure.code).toBe('acme-tls');
  });

  test('is down for a moment while it validates does not cost the order', async () => {
    const { issue } = issuing(proxy, web);
    let seen = 0;
    proxy.onRequest = ({ resource }, phase) => {
      if (resource === 'challenge' && phase === 'after') {
        proxy.fault('authorization', { status: 503, body: 'busy' }, 2);
      }
      if (resource === 'authorization') seen++;
    };
    await issue();
    expect(seen).toBeGreaterThan(3);
    expect(proxy.orders()).toBe(1);
  });

  test('refuses every nonce is given up', async () => {
    const body = problem('badNonce', 'used already');
    proxy.fault('newOrder', { status: 400, body });
    const failure = await issuing(proxy, web).failure();
    expect(failure.code).toBe('acme-badNonce');
  });
});

describe('something that is no ACME server', () => {
  test.each([
    [
      'a web page',
      { headers: { 'content-type': 'text/html' }, body: '<!doctype html><title>Welcome</title>' },
      'a web page',
    ],
    ['no JSON', { body: 'hello' }, 'no JSON'],
    ['other JSON', { body: '[1]' }, 'no directory'],
    [
      'a directory without newOrder',
      { body: '{"newNonce":"https://a/","newAccount":"https://a/"}' },
      'newOrder',
    ],
    ['a directory of plain HTTP', { body: '{"newNonce":"http://a/","newAccount":"https://a/"}' }, 'newNonce'],
    ['404', { status: 404, body: '<html>not found</html>' }, '404'],
    ['two megabytes', { body: 'x'.repeat(2 << 20) }, 'more than 1 MiB'],
    ['a redirect to plain HTTP', { status: 301, headers: { location: 'http://127.0.0.1/dir' } }, 'not HTTPS'],
    ['a redirect to itself', { status: 302, headers: { location: '/dir' } }, 'redirects without end'],
  ])('(%s) is said so, with the setting', async (_, answer, words) => {
    proxy.fault('directory', answer);
    const { failure, store } = issuing(proxy, web);
    const refused = await failure();
    expect(refused).toMatchObject({ code: 'acme-not-acme', exitCode: 4 });
    expect(refused.message).toContain(words);
    expect(refused.remedy).toContain('CERT_DIRECTORY_URL');
    expect(store.writes).toEqual([]);
  });

  test('a directory that has moved is found', async () => {
    proxy.fault('directory', { status: 301, headers: { location: '/dir?moved' } }, 1);
    await issuing(proxy, web).issue();
  });

  test.each(['newOrder', 'order', 'authorization', 'finalize'] as const)(
    'wrong JSON for %s is said so',
    async (resource) => {
      proxy.fault(resource, (answer) => ({ ...answer, body: '{"status":"excellent","authorizations":[]}' }));
      const failure = await issuing(proxy, web).failure();
      expect(failure.code).toBe('acme-not-acme');
    },
  );

  test('an account without its address is said so', async () => {
    proxy.fault('newAccount', (answer) => {
      const { location: _, ...headers } = answer.headers;
      return { ...answer, headers };
    });
    const failure = await issuing(proxy, web).failure();
    expect(failure).toMatchObject({ code: 'acme-not-acme', exitCode: 4, retryable: true });
    expect(failure.message).toContain('It does not say where our account is (Location).');
    expect(failure.remedy).toContain('CERT_DIRECTORY_URL');
  });

  test.each(['newOrder', 'order', 'authorization', 'finalize'] as const)(
    'nothing (null) for %s is said in plain words',
    async (resource) => {
      proxy.fault(resource, (answer) => ({ ...answer, body: 'null' }));
      const failure = await issuing(proxy, web).failure();
      expect(failure).toMatchObject({ code: 'acme-not-acme', exitCode: 4 });
      expect(failure.message).toContain('It answers with something else than belongs there.');
    },
  );

  test.each(['../../etc/passwd', 'a b', 'x'.repeat(300), ''])('a token like %j is refused', async (token) => {
    proxy.fault('authorization', (answer) => ({
      ...answer,
      body: answer.body.replace(/"token": "[^"]*"/g, `"token": "${token}"`),
    }));
    const failure = await issuing(proxy, web).failure();
    expect(failure.code).toBe('acme-not-acme');
  });
});

describe('a certificate that cannot be used', () => {
  const id = () => ({ authority: proxy.directoryUrl, name: 'a.example.test' });

  test('because it is for another key is refused and nothing of it is kept', async () => {
    const body = readFileSync(pebble.caFile, 'utf8');
    proxy.fault('certificate', (answer) => ({ ...answer, body }), 1);
    const { failure, store, issue } = issuing(proxy, web);
    const refused = await failure();
    expect(refused).toMatchObject({ code: 'acme-wrong-certificate', exitCode: 4, retryable: true });
    expect(refused.message).toContain('another key than ours');
    expect(await store.order(id())).toBeUndefined();
    await issue();
  });

  test('because it is none is refused', async () => {
    proxy.fault('certificate', (answer) => ({ ...answer, body: 'later' }));
    expect((await issuing(proxy, web).failure()).code).toBe('acme-wrong-certificate');
  });
});

describe('a clock that is ten years off', () => {
  const tenYearsMs = 10 * 365.25 * 86_400_000;

  test.each([
    ['behind', -1],
    ['ahead of', 1],
  ])('%s is told before anything else and with each failure', async (words, direction) => {
    const date = new Date(Date.now() - direction * tenYearsMs).toUTCString();
    proxy.fault('directory', (answer) => ({ ...answer, headers: { ...answer.headers, date } }));
    proxy.fault('newOrder', { status: 400, body: problem('malformed', 'no') });
    const { failure, progress } = issuing(proxy, web);
    const refused = await failure();
    const said = `is 10 years ${words} the authority's`;
    expect(progress[0]).toContain(said);
    expect(refused.remedy).toContain(said);
    expect(refused.remedy).toContain('timedatectl');
  });

  test('is found out by the certificate, and the order waits until it is set', async () => {
    let now = Date.now() + tenYearsMs;
    const clock = { ...systemClock, now: () => now };
    const { issue, store } = issuing(pebble, web, { clock });
    await expect(issue()).rejects.toMatchObject({ code: 'clock-wrong', retryable: true });
    now = Date.now() - tenYearsMs;
    await expect(issuing(pebble, web, { clock }).issue()).rejects.toMatchObject({
      code: 'clock-wrong',
      message: expect.stringContaining('begins on'),
    });
    expect(store.writes.length).toBeGreaterThan(0);
  });

  test('is not suspected for a few minutes', async () => {
    const date = new Date(Date.now() - 10 * minuteMs).toUTCString();
    proxy.fault('directory', (answer) => ({ ...answer, headers: { ...answer.headers, date } }));
    const { issue, progress } = issuing(proxy, web);
    await issue();
    expect(progress.join()).not.toContain('clock');
  });
});
