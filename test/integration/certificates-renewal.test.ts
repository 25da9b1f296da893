import { chmodSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startAuthorityProxy, type AuthorityProxy, type ProxyRequest } from '../support/authority-proxy.ts';
import {
  prepareAppliance,
  textOf,
  type CertifiedAppliance,
  type Settings,
} from '../support/certified-appliance.ts';
import { startPebble, type Pebble } from '../support/pebble.ts';
import { findPebble } from '../support/pebble-program.ts';
import { unlessReset } from '../support/tls-visit.ts';
import { until } from '../support/until.ts';

const { features } = findPebble();
const minute = 60_000;

let pebble: Pebble;
let proxy: AuthorityProxy;
let appliance: CertifiedAppliance;
/**
 * What each new order was asked to replace, '' where nothing was: what the authority made of it is `acme-profiles`' to look
 * at, for Pebble refuses one certificate in 256 (see there).
 */
let asked: string[];
/** When each of them came, in milliseconds since 1970. */
let askedAt: number[];
beforeEach(() => {
  asked = [];
  askedAt = [];
});
afterEach(async () => {
  await appliance?.stop();
  await proxy?.stop();
  await pebble?.stop();
});

/** A service for `a.test` with an authority whose certificates live for so long; not started. */
async function prepare(lifeSeconds: number, settings: Settings = {}): Promise<void> {
  pebble = await startPebble({ profiles: { default: lifeSeconds } });
  proxy = await startAuthorityProxy(pebble);
  proxy.onRequest = noteOrders;
  appliance = await prepareAppliance({
    pebble: { ...pebble, directoryUrl: proxy.directoryUrl, caFile: proxy.caFile },
    settings: { CERT_DOMAIN: 'a.test', ...settings },
  });
}

function noteOrders({ resource, payload }: ProxyRequest, phase: 'before' | 'after'): void {
  if (resource !== 'newOrder' || phase !== 'before') return;
  asked.push((JSON.parse(payload) as { replaces?: string }).replaces ?? '');
  askedAt.push(Date.now());
}

/** As an authority of before RFC 9773. */
function withoutRenewalInfo(): void {
  proxy.fault('directory', (answer) => {
    const { renewalInfo: _, ...rest } = JSON.parse(answer.body) as Record<string, unknown>;
    return { ...answer, body: JSON.stringify(rest) };
  });
}

const fileOf = (name: string) =>
  globSync(join(appliance.dataDir, 'certificates', '*', 'a.test', name))[0] ?? '';

/** Has the authority suggest this window for the first certificate, from the first time that it is asked. */
function suggestForTheFirst(window: () => { readonly start: number; readonly end: number }): void {
  let suggested = false;
  proxy.onRequest = async (request, phase) => {
    noteOrders(request, phase);
    if (request.resource !== 'renewalInfo' || phase !== 'before' || suggested) return;
    suggested = true;
    const { start, end } = window();
    await pebble.setRenewalInfo(readFileSync(fileOf('certificate.pem'), 'utf8'), {
      suggestedWindow: { start: new Date(start).toISOString(), end: new Date(end).toISOString() },
      explanationURL: 'https://example.org/why',
    });
  };
}

describe.runIf(features.ari)('where the authority says when to renew (RFC 9773)', () => {
  it('it is done at a moment of the window, and the authority is told what is replaced', async () => {
    await prepare(90 * 86_400);
    let window = { start: 0, end: 0 };
    suggestForTheFirst(() => (window = { start: Date.now() + 30_000, end: Date.now() + 31_000 }));
    await appliance.start();
    const first = await appliance.issued();
    const [planned] = (await appliance.status()).certificates;
    expect(planned?.reason).toMatch(
      /^as the authority asks, between .* and .* \(https:\/\/example\.org\/why\)$/,
    );
    expect(Date.parse(planned?.nextAttemptAt ?? '')).toBeGreaterThanOrEqual(window.start);
    expect(Date.parse(planned?.nextAttemptAt ?? '')).toBeLessThanOrEqual(window.end);
    const ariId = (JSON.parse(readFileSync(fileOf('renewal.json'), 'utf8')) as { ari: { certId: string } })
      .ari.certId;

    await appliance.issued({ other: first });
    expect(Date.now()).toBeGreaterThanOrEqual(window.start);
    expect(asked.slice(0, 2)).toEqual(['', ariId]);
    const seen = await appliance.serials('a.test');
    const [renewed] = (await appliance.status()).certificates;
    expect(seen).toEqual([renewed?.serial]);
    // its own window is that of a certificate of ninety days
    expect(Date.parse(renewed?.nextAttemptAt ?? '') - Date.now()).toBeGreaterThan(50 * 24 * 60 * minute);
  });

  it('it is done at once when the window is past, as before a revocation', async () => {
    await prepare(90 * 86_400);
    suggestForTheFirst(() => ({ start: Date.now() - 2 * minute, end: Date.now() - minute }));
    await appliance.start();
    await until('a second one was asked for', () => asked.length >= 2);
    expect(asked[0]).toBe('');
    expect(asked[1]).toMatch(/^[\w-]+\.[\w-]+$/);
    const issued = () => appliance.service.log().split('"certificate issued"').length - 1;
    // until then the first serves, and is valid
    await until('it is issued', () => issued() >= 2);
    await until('it serves', async () => {
      const [certificate] = (await appliance.status()).certificates;
      const [serial] = (await unlessReset(appliance.serials('a.test'))) ?? [];
      return serial === certificate?.serial && certificate?.state === 'valid';
    });
    expect(issued()).toBe(2);
  });
});

describe('where the authority does not say when to renew', () => {
  it('it is done when half of a short life is left, and again', async () => {
    await prepare(40);
    withoutRenewalInfo();
    await appliance.start();
    let serial = await appliance.issued();
    for (let round = 0; round < 2; round++) {
      const { notAfter } = await appliance.visit({ name: 'a.test' });
      const [planned] = (await appliance.status()).certificates;
      const next = asked.length;
      expect(planned?.reason).toBe('when half of its life is left');
      const half = notAfter - 20_000;
      const plannedAt = Date.parse(planned?.nextAttemptAt ?? '');
      expect(Math.abs(plannedAt - half)).toBeLessThan(2000);
      serial = await appliance.issued({ other: serial });
      expect(askedAt[next]).toBeGreaterThanOrEqual(plannedAt);
      // a quarter of its life is left
      expect(askedAt[next]).toBeLessThan(half + 10_000);
    }
    expect(asked.slice(0, 3)).toEqual(['', '', '']);
  });

  it('an authority that is down for a while costs nobody an answer, and the owner sees what goes on', async () => {
    await prepare(60);
    withoutRenewalInfo();
    await appliance.start();
    const serial = await appliance.issued();
    for (const resource of ['directory', 'nonce', 'newOrder'] as const) proxy.fault(resource, 'cut');
    await until('an attempt has failed', () => appliance.service.log().includes('"no certificate: '));
    const [shown] = (await appliance.status()).certificates;
    expect(shown).toMatchObject({ state: 'valid', serial });
    // the second attempt comes five seconds after the first
    expect(shown?.lastError?.failures).toBeGreaterThanOrEqual(1);
    expect(shown?.reason).toMatch(/^again after (one attempt|\d+ attempts) that failed$/);
    expect(shown?.lastError?.message).toMatch(/^127\.0\.0\.1:\d+ cannot be reached/);
    expect(shown?.lastError?.remedy).toEqual(expect.any(String));
    // soon enough for a life this short
    expect(Date.parse(shown?.nextAttemptAt ?? '')).toBeLessThan(Date.parse(shown?.notAfter ?? ''));
    expect(await appliance.visit({ name: 'a.test' })).toMatchObject({ serial, trusted: true, status: 200 });
    proxy.heal();
    withoutRenewalInfo();
    await until('it has been renewed', async () => {
      const seen = await unlessReset(appliance.visit({ name: 'a.test' }));
      if (seen === undefined) return false;
      expect(seen).toMatchObject({ trusted: true, status: 200 });
      return seen.serial !== serial;
    });
    const [healed] = (await appliance.status()).certificates;
    expect(healed).not.toHaveProperty('lastError');
  });
});

describe('the programs that are told', () => {
  it('get their documented variables and nothing else, for what failed and for what was issued', async () => {
    await prepare(90 * 86_400);
    const hook = join(appliance.folder, 'hook');
    const told = join(appliance.folder, 'told');
    const alerts = join(appliance.folder, 'alerts');
    writeFileSync(
      hook,
      `#!/bin/sh\ntr '\\0' '\\n' </proc/$$/environ >${told}.new\nmv ${told}.new ${told}.$CERT_EVENT\n`,
    );
    chmodSync(hook, 0o755);
    appliance.configure({
      CERT_HOOK: hook,
      APP_ALERT_COMMAND: `{ echo "$ALERT_KIND: $ALERT_SUBJECT"; cat; } >>${alerts}`,
    });
    const refusal = {
      type: 'urn:ietf:params:acme:error:rejectedIdentifier',
      detail: 'our policy has no a.test',
    };
    proxy.fault('newOrder', {
      status: 403,
      headers: { 'content-type': 'application/problem+json' },
      body: JSON.stringify(refusal),
    });
    const environmentOf = async (event: string): Promise<Record<string, string>> => {
      await until(`the hook is told of ${event}`, () => textOf(`${told}.${event}`) !== '');
      const lines = textOf(`${told}.${event}`).split('\n');
      return Object.fromEntries(
        lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
      );
    };
    const ofService = { PATH: process.env['PATH'], HOME: expect.stringMatching(/appliance-test-/) as string };

    await appliance.start();
    expect(await environmentOf('failed')).toEqual({
      ...ofService,
      CERT_EVENT: 'failed',
      CERT_NAMES: 'a.test',
      CERT_AUTHORITY: proxy.directoryUrl,
      CERT_ERROR: expect.stringContaining('our policy has no a.test') as string,
      CERT_REMEDY: expect.stringContaining('CERT_DOMAIN') as string,
    });
    await until('a person is told', () => textOf(alerts).includes('What to do: '));
    expect(textOf(alerts)).toMatch(
      /^certificate-failing: No new certificate for a\.test\n[^]*our policy has no a\.test[^]*What to do: /,
    );

    proxy.heal();
    expect(await appliance.command('renew-certs')).toMatchObject({ exitCode: 0 });
    const chainFile = fileOf('certificate.pem');
    expect(await environmentOf('issued')).toEqual({
      ...ofService,
      CERT_EVENT: 'issued',
      CERT_NAMES: 'a.test',
      CERT_AUTHORITY: proxy.directoryUrl,
      CERT_FILE: chainFile,
      CERT_KEY_FILE: fileOf('key.pem'),
      CERT_NOT_AFTER: (await appliance.status()).certificates[0]?.notAfter,
      RENEWED_DOMAINS: 'a.test',
      RENEWED_LINEAGE: join(chainFile, '..'),
    });
    await until('a person is told that all is well', () => textOf(alerts).includes('certificate-recovered'));
    // each thing once
    expect(textOf(alerts).match(/^certificate-\w+/gm)).toEqual([
      'certificate-failing',
      'certificate-recovered',
    ]);
  });
});
