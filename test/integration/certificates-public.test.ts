import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCertified, type CertifiedAppliance } from '../support/certified-appliance.ts';
import { startPebble, type Pebble } from '../support/pebble.ts';
import { unlessReset } from '../support/tls-visit.ts';
import { until } from '../support/until.ts';

const browser = { Accept: 'text/html', 'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64)' };

describe('under an authority that everybody trusts', () => {
  const name = 'whoami.appliance-test.example';
  const year = `max-age=${365 * 86_400}`;
  let pebble: Pebble;
  let appliance: CertifiedAppliance;
  beforeAll(async () => {
    pebble = await startPebble();
    appliance = await startCertified({
      pebble,
      settings: { CERT_DOMAIN: name, CERT_CA_FILE: undefined, APP_PUBLIC_NAMES: '127.0.0.1,other.example' },
      // as if it were among the anchors that come with Node
      environment: { NODE_EXTRA_CA_CERTS: pebble.caFile },
    });
    await appliance.issued();
  });
  afterAll(async () => {
    await appliance?.stop();
    await pebble?.stop();
  });

  it('browsers are told to stay with HTTPS, for its names and nothing else, a day for the first day', async () => {
    for (const path of ['/', '/whoami', '/nothing']) {
      const { headers } = await appliance.visit({ name, path, headers: browser });
      expect(headers['strict-transport-security']).toBe('max-age=86400');
    }
    for (const host of ['127.0.0.1', 'other.example']) {
      const { status, headers } = await appliance.visit({ host });
      expect([status, headers['strict-transport-security']]).toEqual([200, undefined]);
    }
    const plain = await appliance.plain('/whoami', { Host: name });
    expect(plain.headers).not.toHaveProperty('strict-transport-security');
  });

  it('a page under a name without a certificate is sent to the name that has one', async () => {
    const answer = await appliance.plain('/', { Host: 'other.example', ...browser });
    expect(answer).toMatchObject({
      status: 307,
      headers: { location: `https://${name}:${appliance.httpsPort}/` },
    });
  });

  it('APP_HSTS=off keeps quiet', async () => {
    appliance.configure({ APP_HSTS: 'off' });
    await appliance.reload();
    await until('it is not sent', async () => {
      const seen = await unlessReset(appliance.visit({ name }));
      return seen !== undefined && seen.headers['strict-transport-security'] === undefined;
    });
    appliance.configure({ APP_HSTS: undefined });
  });

  it('both are for good once that has gone well for a day', async () => {
    await appliance.service.stop();
    const [file = ''] = globSync(join(appliance.dataDir, 'certificates', '*', name, 'renewal.json'));
    const state = JSON.parse(readFileSync(file, 'utf8')) as { servesSince: number };
    writeFileSync(file, JSON.stringify({ ...state, servesSince: state.servesSince - 25 * 3_600_000 }));
    await appliance.start();
    await until('it is settled', async () => {
      const { headers } = await appliance.visit({ name });
      return headers['strict-transport-security'] === year;
    });
    const answer = await appliance.plain('/', { Host: name, ...browser });
    expect(answer).toMatchObject({
      status: 308,
      headers: { location: `https://${name}:${appliance.httpsPort}/` },
    });
  });
});
