import { X509Certificate as Parsed, AuthorityKeyIdentifierExtension } from '@peculiar/x509';
import { X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CertificatePair } from '../../src/ports/certificate-store.ts';
import { startAuthorityProxy } from '../support/authority-proxy.ts';
import { startChallengeServer, type ChallengeServer } from '../support/challenge-server.ts';
import { issuing } from '../support/issuing.ts';
import { startPebble, type Pebble } from '../support/pebble.ts';

let web: ChallengeServer;
let pebble: Pebble;

beforeAll(async () => {
  web = await startChallengeServer();
  const profiles = { classic: 90 * 86_400, shortlived: 160 * 3600, minutes: 120 };
  pebble = await startPebble({ httpPort: web.port, profiles });
});
afterAll(async () => {
  await pebble.stop();
  await web.stop();
});

/** Seconds. */
function lifeOf(chain: string): number {
  const leaf = new X509Certificate(chain);
  return (Date.parse(leaf.validTo) - Date.parse(leaf.validFrom)) / 1000 + 1;
}

/** RFC 9773 §4.1, by hand. */
function ariIdOf(chain: string): string {
  const leaf = new Parsed(chain);
  const { keyId } = leaf.getExtension(AuthorityKeyIdentifierExtension)!;
  const serial = Buffer.from(leaf.serialNumber, 'hex');
  const positive = serial[0]! >= 0x80 ? Buffer.concat([Buffer.from([0]), serial]) : serial;
  return `${Buffer.from(keyId!, 'hex').toString('base64url')}.${positive.toString('base64url')}`;
}

/**
 * Pebble 2.10.1 does not find the order of a certificate whose serial number begins with 00 in DER, as RFC 9773 wants it
 * written, and answers 500: one of its certificates in 256.
 */
async function issueFindable(
  issue: () => Promise<CertificatePair>,
  keep: (pair: CertificatePair) => void,
): Promise<CertificatePair> {
  for (;;) {
    const pair = await issue();
    // else the next run goes on with the order of this one
    keep(pair);
    if (Buffer.from(ariIdOf(pair.chain).split('.')[1]!, 'base64url')[0] !== 0) return pair;
  }
}

describe('a profile', () => {
  test('decides how long a certificate lives', async () => {
    const { issue, store } = issuing(pebble, web);
    for (const [profile, seconds] of Object.entries({ classic: 90 * 86_400, minutes: 120 })) {
      const pair = await issue({ profile });
      store.keep({ authority: pebble.directoryUrl, name: 'a.example.test' }, pair);
      expect(lifeOf(pair.chain)).toBe(seconds);
    }
  });

  test('that is not offered fails before anything is ordered, with those that are', async () => {
    const { failure, store } = issuing(pebble, web);
    const refused = await failure({ profile: 'tlsserver' });
    expect(refused).toMatchObject({ code: 'acme-invalidProfile', retryable: false, exitCode: 4 });
    expect(refused.message).toContain(
      'does not offer the profile tlsserver; it offers classic, minutes, shortlived',
    );
    expect(store.writes.filter((write) => 'names' in write)).toEqual([]);
  });
});

describe('an IP address', () => {
  test.each([
    ['127.0.0.1', '127.0.0.1'],
    ['::1', '0:0:0:0:0:0:0:1'],
  ])('%s gets a certificate, of the profile shortlived by itself', async (name, written) => {
    const { issue, progress } = issuing(pebble, web);
    const { chain } = await issue({ names: [name] });
    expect(new X509Certificate(chain).subjectAltName).toBe(`IP Address:${written.toUpperCase()}`);
    expect(lifeOf(chain)).toBe(160 * 3600);
    expect(progress).toContain(`placing an order for ${name} (shortlived)`);
  });

  test('stands beside names, and is proven over http-01 where names are proven over DNS', async () => {
    const { issue, progress } = issuing(pebble, web, { dnsHook: '/bin/true' });
    await issue({ names: ['127.0.0.1'] });
    expect(progress).toContain('validating 127.0.0.1 over http-01');
    const { chain } = await issuing(pebble, web).issue({ names: ['a.example.test', '127.0.0.1'] });
    const names = new X509Certificate(chain).subjectAltName!.split(', ').sort();
    expect(names).toEqual(['DNS:a.example.test', 'IP Address:127.0.0.1']);
  });

  test('takes the profile that is asked for', async () => {
    const { chain } = await issuing(pebble, web).issue({ names: ['127.0.0.1'], profile: 'minutes' });
    expect(lifeOf(chain)).toBe(120);
  });
});

describe('what a certificate replaces', () => {
  test('is told to the authority, and left out once it says that it is replaced already', async () => {
    const proxy = await startAuthorityProxy(pebble);
    try {
      const { issue, store, issuer } = issuing(proxy, web);
      const id = { authority: proxy.directoryUrl, name: 'a.example.test' };
      const first = await issueFindable(
        () => issue({ profile: 'classic' }),
        (pair) => store.keep(id, pair),
      );
      const replaces = ariIdOf(first.chain);
      const placed = proxy.orders();
      const asked = () => proxy.requests.filter(({ resource }) => resource === 'newOrder').length;
      const before = asked();
      expect(await issuer.renewalInfo(replaces, AbortSignal.timeout(10_000))).toBeDefined();
      const second = await issue({ profile: 'classic', replaces });
      store.keep(id, second);
      expect([asked() - before, proxy.orders() - placed]).toEqual([1, 1]);
      const third = await issue({ profile: 'classic', replaces });
      expect([asked() - before, proxy.orders() - placed], 'refused once, then placed without').toEqual([
        3, 2,
      ]);
      store.keep(id, third);
      for (const refused of ['no certID', 'AAAA.AAAA']) {
        store.keep(id, await issue({ profile: 'classic', replaces: refused }));
      }
    } finally {
      await proxy.stop();
    }
  });

  test('does not hide another reason for a refusal', async () => {
    const proxy = await startAuthorityProxy(pebble);
    try {
      const limited = { type: 'urn:ietf:params:acme:error:rateLimited', detail: 'too many certificates' };
      proxy.fault('newOrder', {
        status: 429,
        headers: { 'retry-after': '60' },
        body: JSON.stringify(limited),
      });
      const refused = await issuing(proxy, web).failure({ profile: 'classic', replaces: 'AAAA.AAAA' });
      expect(refused.code).toBe('acme-rateLimited');
      expect(proxy.requests.filter(({ resource }) => resource === 'newOrder')).toHaveLength(1);
    } finally {
      await proxy.stop();
    }
  });
});

describe('renewal info', () => {
  const hourMs = 3_600_000;
  const soon = () => AbortSignal.timeout(10_000);

  test('is the window that the authority suggests, with the time until it may be asked again', async () => {
    const { issue, issuer } = issuing(pebble, web);
    const { chain } = await issue({ profile: 'classic' });
    const ariId = ariIdOf(chain);
    const own = (await issuer.renewalInfo(ariId, soon()))!;
    expect(own.retryAfterMs).toBe(6 * hourMs);
    expect(own.start).toBeGreaterThan(Date.now());
    const start = '2026-01-02T03:04:05Z';
    const end = '2026-01-03T04:05:06Z';
    const explanationURL = 'https://example.org/why';
    await pebble.setRenewalInfo(chain, { suggestedWindow: { start, end }, explanationURL });
    expect(await issuer.renewalInfo(ariId, soon())).toEqual({
      start: Date.parse(start),
      end: Date.parse(end),
      explanationUrl: explanationURL,
      retryAfterMs: 6 * hourMs,
    });
  });

  test.each([
    [
      'a window that ends before it starts',
      '{"suggestedWindow":{"start":"2026-01-03T00:00:00Z","end":"2026-01-02T00:00:00Z"}}',
    ],
    ['no dates', '{"suggestedWindow":{"start":"soon","end":"later"}}'],
    ['no window', '{}'],
    ['no JSON', '<html>'],
  ])('with %s is refused', async (_, answer) => {
    const { issue, issuer } = issuing(pebble, web);
    const { chain } = await issue({ profile: 'classic' });
    await pebble.setRenewalInfo(chain, answer);
    await expect(issuer.renewalInfo(ariIdOf(chain), soon())).rejects.toMatchObject({ code: 'acme-not-acme' });
  });

  test.each([
    ['1', 60_000],
    ['999999', 24 * hourMs],
    ['7200', 2 * hourMs],
    ['nonsense', 6 * hourMs],
  ])('that may be asked again after %s is left alone for %d ms', async (header, ms) => {
    const proxy = await startAuthorityProxy(pebble);
    try {
      const { issue, issuer } = issuing(proxy, web);
      const { chain } = await issue({ profile: 'classic' });
      proxy.fault('renewalInfo', (answer) => ({
        ...answer,
        headers: { ...answer.headers, 'retry-after': header },
      }));
      const info = await issuer.renewalInfo(ariIdOf(chain), soon());
      expect(info?.retryAfterMs).toBe(ms);
    } finally {
      await proxy.stop();
    }
  });

  test('is undefined where the authority has none', async () => {
    const proxy = await startAuthorityProxy(pebble);
    try {
      proxy.fault('directory', (answer) => ({
        ...answer,
        body: answer.body.replace('"renewalInfo"', '"none"'),
      }));
      expect(await issuing(proxy, web).issuer.renewalInfo('AAAA.AAAA', soon())).toBeUndefined();
    } finally {
      await proxy.stop();
    }
  });
});
