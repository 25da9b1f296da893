import { createPrivateKey, X509Certificate } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { keyTypes } from '../../src/ports/certificate-issuer.ts';
import { startAuthorityProxy } from '../support/authority-proxy.ts';
import { startChallengeServer, type ChallengeServer } from '../support/challenge-server.ts';
import { issuing } from '../support/issuing.ts';
import { memoryCertificateStore } from '../support/memory-certificate-store.ts';
import { startPebble, type Pebble } from '../support/pebble.ts';

let web: ChallengeServer;
let pebble: Pebble;
const folder = mkdtempSync(join(tmpdir(), 'acme-issue-'));

beforeAll(async () => {
  web = await startChallengeServer();
  pebble = await startPebble({
    httpPort: web.port,
    profiles: { default: 600 },
    blockedDomains: ['blocked.example.test'],
  });
});
afterEach(() => {
  web.answerWith(undefined);
  expect(web.tokens.size, 'tokens that are left').toBe(0);
});
afterAll(async () => {
  await pebble.stop();
  await web.stop();
  rmSync(folder, { recursive: true });
});

const certificates = (chain: string) =>
  chain
    .split(/(?<=-----END CERTIFICATE-----)/)
    .filter((pem) => pem.includes('BEGIN'))
    .map((pem) => new X509Certificate(pem));

const namesOf = (chain: string) => new X509Certificate(chain).subjectAltName?.split(', ').sort();

describe('a certificate', () => {
  test('is issued over http-01 for a new key, and its chain leads to the root of the authority', async () => {
    const { issue, progress } = issuing(pebble, web);
    const pair = await issue();
    const [leaf, intermediate] = certificates(pair.chain);
    expect(namesOf(pair.chain)).toEqual(['DNS:a.example.test']);
    expect(leaf!.checkPrivateKey(createPrivateKey(pair.key))).toBe(true);
    expect(leaf!.verify(intermediate!.publicKey)).toBe(true);
    expect(intermediate!.verify(new X509Certificate(await pebble.root()).publicKey)).toBe(true);
    expect(progress).toEqual([
      'agreeing to the terms at data:text/plain,Do%20what%20thou%20wilt',
      'placing an order for a.example.test',
      'validating a.example.test over http-01',
      'a.example.test is validated',
      'asking for the certificate',
    ]);
  });

  test('holds several names, and those that are validated already are not validated again', async () => {
    const reusing = await startPebble({ httpPort: web.port, authzReuse: 100 });
    try {
      const { issue, progress } = issuing(reusing, web);
      await issue();
      const names = ['a.example.test', 'b.example.test', 'c.example.test'];
      const pair = await issue({ names: names.toReversed() });
      expect(namesOf(pair.chain)).toEqual(names.map((name) => `DNS:${name}`));
      expect(progress).toContain('a.example.test is validated already');
      expect(progress.filter((step) => step.startsWith('validating a.'))).toHaveLength(1);
    } finally {
      await reusing.stop();
    }
  });

  test.each(keyTypes)('is issued for a key of the kind %s', async (keyType) => {
    const { chain, key } = await issuing(pebble, web).issue({ keyType });
    expect(new X509Certificate(chain).checkPrivateKey(createPrivateKey(key))).toBe(true);
    const { asymmetricKeyType, asymmetricKeyDetails } = createPrivateKey(key);
    const size = asymmetricKeyDetails!.namedCurve ?? asymmetricKeyDetails!.modulusLength;
    expect([asymmetricKeyType, size]).toEqual(
      {
        'ecdsa-p256': ['ec', 'prime256v1'],
        'ecdsa-p384': ['ec', 'secp384r1'],
        'rsa-2048': ['rsa', 2048],
        'rsa-4096': ['rsa', 4096],
      }[keyType],
    );
  });

  test('comes through refused nonces, random sleeps and Retry-After', async () => {
    const slow = await startPebble({
      httpPort: web.port,
      nonceReject: 50,
      sleepSeconds: 3,
      retryAfterSeconds: 1,
    });
    try {
      const names = ['a.example.test', 'b.example.test', 'c.example.test'];
      expect(namesOf((await issuing(slow, web).issue({ names })).chain)).toHaveLength(3);
    } finally {
      await slow.stop();
    }
  });
});

describe('the account', () => {
  test('is made once: its key is in the store before the authority hears of it, then its address and the terms', async () => {
    const { issue, store } = issuing(pebble, web);
    const first = await issue();
    store.keep({ authority: pebble.directoryUrl, name: 'a.example.test' }, first);
    const second = await issue();
    expect(first.key).not.toBe(second.key);
    const accounts = store.writes.filter((write) => 'terms' in write);
    expect(accounts).toEqual([
      { key: expect.stringContaining('PRIVATE KEY'), url: undefined, terms: undefined },
      {
        key: accounts[0]!.key,
        url: expect.stringContaining('/my-account/'),
        terms: { url: 'data:text/plain,Do%20what%20thou%20wilt', agreedAt: expect.any(Number) },
      },
    ]);
  });

  test('is registered anew where the authority has forgotten it', async () => {
    const before = await startPebble({ httpPort: web.port });
    const { store, issue } = issuing(before, web);
    await issue();
    await before.stop();
    const after = await startPebble({ httpPort: web.port, port: before.port });
    try {
      const { issue, progress } = issuing(after, web, { store });
      await issue();
      expect(progress[0]).toBe('the authority does not know our account: registering another');
    } finally {
      await after.stop();
    }
  });

  test('is replaced by one with another key where the authority has closed it', async () => {
    const proxy = await startAuthorityProxy(pebble);
    try {
      const { store, issue, progress } = issuing(proxy, web);
      const first = await issue();
      store.keep({ authority: proxy.directoryUrl, name: 'a.example.test' }, first);
      const before = await store.account(proxy.directoryUrl);
      const closed = {
        type: 'urn:ietf:params:acme:error:unauthorized',
        detail: 'Account has been deactivated',
      };
      proxy.fault('account', { status: 403, body: JSON.stringify(closed) }, 1);
      await issue();
      expect(progress).toContain('the authority has closed our account: registering another');
      const after = await store.account(proxy.directoryUrl);
      expect(after!.key).not.toBe(before!.key);
      expect(after!.url).not.toBe(before!.url);
    } finally {
      await proxy.stop();
    }
  });

  test('gets the new e-mail address', async () => {
    const proxy = await startAuthorityProxy(pebble);
    try {
      const store = memoryCertificateStore();
      const asked = () => proxy.requests.filter(({ resource }) => resource === 'account').length;
      await issuing(proxy, web, { store }).issue();
      expect(asked()).toBe(0);
      await issuing(proxy, web, { store, email: 'other@example.org' }).issue();
      expect(asked(), 'seen as different and changed').toBe(2);
      await issuing(proxy, web, { store, email: 'other@example.org' }).issue();
      expect(asked(), 'seen as the same').toBe(3);
    } finally {
      await proxy.stop();
    }
  });

  test('is bound to a customer of the authority where that is asked for', async () => {
    const hmacKey = 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W';
    const bound = await startPebble({ httpPort: web.port, eab: { 'kid-1': hmacKey }, nonceReject: 20 });
    try {
      const missing = await issuing(bound, web).failure();
      expect(missing.code).toBe('acme-externalAccountRequired');
      expect(missing.remedy).toContain('Set CERT_EAB_KID and CERT_EAB_HMAC');
      const unknown = { kid: 'kid-2', hmacKey };
      const refused = await issuing(bound, web, { externalBinding: unknown }).failure();
      expect(refused).toMatchObject({ code: 'acme-unauthorized', exitCode: 4 });
      const wrong = { kid: 'kid-1', hmacKey: hmacKey.replace('z', 'a') };
      expect(
        (await issuing(bound, web, { externalBinding: wrong }).failure()).problem.status,
      ).toBeGreaterThanOrEqual(400);
      await issuing(bound, web, { externalBinding: { kid: 'kid-1', hmacKey } }).issue();
    } finally {
      await bound.stop();
    }
  });
});

describe('dns-01', () => {
  test('proves a wildcard and the name itself by a program with the environment of certbot', async () => {
    const calls = join(folder, 'calls');
    const hook = join(folder, 'hook');
    writeFileSync(
      hook,
      `#!/bin/sh
echo "$1 $CERTBOT_DOMAIN $CERTBOT_REMAINING_CHALLENGES $CERTBOT_ALL_DOMAINS $CERTBOT_AUTH_OUTPUT" >> ${calls}
name="_acme-challenge.$CERTBOT_DOMAIN."
case $1 in
auth) curl -sf -d "{\\"host\\":\\"$name\\",\\"value\\":\\"$CERTBOT_VALIDATION\\"}" ${pebble.challtestsrvUrl}/set-txt; echo "record $CERTBOT_REMAINING_CHALLENGES" ;;
cleanup) curl -sf -d "{\\"host\\":\\"$name\\"}" ${pebble.challtestsrvUrl}/clear-txt ;;
esac
`,
    );
    chmodSync(hook, 0o755);
    const names = ['*.wild.example.test', 'wild.example.test'];
    const { chain } = await issuing(pebble, web, { dnsHook: hook }).issue({ names });
    expect(namesOf(chain)).toEqual(['DNS:*.wild.example.test', 'DNS:wild.example.test']);
    expect(readFileSync(calls, 'utf8').trim().split('\n')).toEqual([
      'auth wild.example.test 1 wild.example.test ',
      'auth wild.example.test 0 wild.example.test ',
      'cleanup wild.example.test 1 wild.example.test record 1',
      'cleanup wild.example.test 0 wild.example.test record 0',
    ]);
  });

  test('a program that fails is said with its last line, and cleaned up after', async () => {
    const calls = join(folder, 'failing-calls');
    const hook = join(folder, 'failing-hook');
    writeFileSync(hook, `#!/bin/sh\necho $1 >> ${calls}\necho no such zone >&2\nexit 7\n`);
    chmodSync(hook, 0o755);
    const issued = issuing(pebble, web, { dnsHook: hook }).issue();
    await expect(issued).rejects.toMatchObject({
      code: 'hook-failed',
      message: expect.stringContaining('no such zone'),
    });
    expect(readFileSync(calls, 'utf8')).toBe('auth\ncleanup\n');
  });

  test('a program that writes nothing fails with the name of the record', async () => {
    const failure = await issuing(pebble, web, { dnsHook: '/bin/true' }).failure();
    expect(failure.code).toBe('acme-unauthorized');
    expect(failure.message).toContain('_acme-challenge.a.example.test');
    expect(failure.remedy).toContain('CERT_DNS_HOOK');
  });

  test('a wildcard without a program says what to set', async () => {
    await expect(issuing(pebble, web).issue({ names: ['*.example.test'] })).rejects.toMatchObject({
      code: 'wildcard-without-dns-hook',
      exitCode: 2,
      remedy: expect.stringContaining('CERT_DNS_HOOK'),
    });
  });
});

describe('what the authority sees and refuses is said in plain words', () => {
  test('somebody else answers under the name', async () => {
    web.answerWith('<html>another host</html>');
    const failure = await issuing(pebble, web).failure();
    expect(failure).toMatchObject({ code: 'acme-unauthorized', exitCode: 4, retryable: true });
    expect(failure.message).toContain("got somebody else's answer for a.example.test");
    expect(failure.remedy).toContain('Another server answers on port 80 under a.example.test');
  });

  test('nobody listens', async () => {
    await pebble.dns('/add-a', { host: 'closed.example.test', addresses: ['127.0.0.77'] });
    const failure = await issuing(pebble, web).failure({ names: ['closed.example.test'] });
    expect(failure.code).toBe('acme-connection');
    expect(failure.message).toContain('could not connect to closed.example.test on port 80');
    expect(failure.remedy).toContain('Open port 80');
  });

  test('several names fail, and each is listed', async () => {
    const failed = { addresses: ['127.0.0.77'] };
    await pebble.dns('/add-a', { host: 'one.example.test', ...failed });
    await pebble.dns('/add-a', { host: 'two.example.test', ...failed });
    const names = ['a.example.test', 'one.example.test', 'two.example.test'];
    const failure = await issuing(pebble, web).failure({ names });
    expect(failure.code).toBe('acme-compound');
    expect(failure.message).toContain('one.example.test');
    expect(failure.message).toContain('two.example.test');
    expect(failure.problem.subproblems).toHaveLength(2);
  });

  test('a name that it does not issue for', async () => {
    const failure = await issuing(pebble, web).failure({ names: ['blocked.example.test'] });
    expect(failure).toMatchObject({ code: 'acme-rejectedIdentifier', retryable: false });
    expect(failure.message).toContain('does not issue for this name');
  });

  test('an order that failed is forgotten', async () => {
    const { failure, store, issue } = issuing(pebble, web);
    web.answerWith('no');
    await failure();
    expect(await store.order({ authority: pebble.directoryUrl, name: 'a.example.test' })).toBeUndefined();
    web.answerWith(undefined);
    await issue();
  });
});

test('two authorities with different private roots work at the same time in one process', async () => {
  const other = await startPebble({ httpPort: web.port });
  try {
    const mixed = issuing({ directoryUrl: other.directoryUrl, caFile: pebble.caFile }, web);
    const [, , untrusted] = await Promise.all([
      issuing(pebble, web).issue(),
      issuing(other, web).issue(),
      mixed.failure(),
    ]);
    expect(untrusted).toMatchObject({ code: 'acme-tls', retryable: true });
    expect(untrusted.remedy).toContain('CERT_CA_FILE');
    const public_ = await issuing({ directoryUrl: pebble.directoryUrl, caFile: undefined }, web).failure();
    expect(public_.code).toBe('acme-tls');
  } finally {
    await other.stop();
  }
});

test('a trust anchor that cannot be read is said with its file', async () => {
  const { directoryUrl } = pebble;
  const empty = join(folder, 'empty.pem');
  writeFileSync(empty, '');
  for (const caFile of [empty, join(folder, 'absent.pem')]) {
    await expect(issuing({ directoryUrl, caFile }, web).issue()).rejects.toMatchObject({
      code: 'ca-file-unreadable',
      exitCode: 2,
      message: expect.stringContaining(caFile),
    });
  }
});

test('the clock is named where the certificate of the authority itself is outdated or not yet valid', async () => {
  const tenYearsMs = 10 * 365 * 86_400_000;
  for (const listenerLife of [
    { notBefore: Date.now() - 2 * tenYearsMs, notAfter: Date.now() - tenYearsMs },
    { notBefore: Date.now() + tenYearsMs, notAfter: Date.now() + 2 * tenYearsMs },
  ]) {
    const outdated = await startPebble({ listenerLife });
    try {
      const date = () => new Date().toISOString().slice(0, 10);
      const before = date();
      const failure = await issuing(outdated, web).failure();
      expect(failure).toMatchObject({ code: 'acme-tls', retryable: true });
      expect(failure.remedy).toMatch(new RegExp(`This host's clock shows (${before}|${date()})`));
    } finally {
      await outdated.stop();
    }
  }
});

test('aborting ends it at once with the reason, takes the tokens away and keeps the order', async () => {
  const slow = await startPebble({ httpPort: web.port, sleepSeconds: 100 });
  try {
    const stop = new AbortController();
    const { issue, store } = issuing(slow, web);
    const running = issue(undefined, stop.signal);
    running.catch(() => {});
    await expect.poll(() => web.tokens.size).toBe(1);
    stop.abort(new Error('the service stops'));
    await expect(running).rejects.toThrow('the service stops');
    expect(await store.order({ authority: slow.directoryUrl, name: 'a.example.test' })).toMatchObject({
      url: expect.stringContaining('/my-order/'),
    });
  } finally {
    await slow.stop();
  }
});
