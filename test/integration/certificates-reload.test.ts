import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCertified, type CertifiedAppliance } from '../support/certified-appliance.ts';
import { freePort } from '../support/free-port.ts';
import { startPebble, type Pebble } from '../support/pebble.ts';
import { unlessReset } from '../support/tls-visit.ts';
import { until } from '../support/until.ts';

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => (socket.destroy(), resolve(true)));
    socket.once('error', () => resolve(false));
  });
}

/** Whether SIGHUP, the lowest bit of the mask, was sent to a process that had no turn since. */
function hangupWaits(pid: number): boolean {
  return /^ShdPnd:\s+[\da-f]*[13579bdf]$/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
}

describe('a service whose configuration is read again', () => {
  let pebble: Pebble;
  let appliance: CertifiedAppliance;
  let metricsPort: number;
  beforeAll(async () => {
    pebble = await startPebble();
    metricsPort = await freePort();
    appliance = await startCertified({
      pebble,
      settings: { CERT_DOMAIN: undefined, APP_METRICS_LISTEN: `127.0.0.1:${metricsPort}` },
    });
  });
  afterAll(async () => {
    await appliance?.stop();
    await pebble?.stop();
  });
  const certificateMetrics = async () =>
    (await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()).match(
      /^appliance_certificate_.*/gm,
    );

  it('has no HTTPS without CERT_DOMAIN', async () => {
    expect(await isOpen(appliance.httpsPort)).toBe(false);
    expect((await appliance.status()).certificates).toEqual([]);
    expect((await appliance.command('status')).stdout).toContain('none: CERT_DOMAIN is not set');
  });

  it('gets its certificate once CERT_DOMAIN is there, in the same process', async () => {
    appliance.configure({ CERT_DOMAIN: 'a.test' });
    await appliance.reload();
    await appliance.issued();
    expect(await appliance.visit({ name: 'a.test' })).toMatchObject({ trusted: true, status: 200 });
    expect(await appliance.status()).toMatchObject({ service: { pid: appliance.service.pid } });
  });

  it('gets another one for a name more, while the one before serves', async () => {
    const { serial } = await appliance.visit({ name: 'a.test' });
    appliance.configure({ CERT_DOMAIN: 'a.test,b.test' });
    const seen = new Set<boolean>();
    let watching = true;
    const watched = (async () => {
      while (watching) {
        const visited = await unlessReset(appliance.visit({ name: 'a.test' }));
        if (visited !== undefined) seen.add(visited.trusted);
      }
    })();
    await appliance.reload();
    await appliance.issued({ name: 'a.test', other: serial });
    watching = false;
    await watched;
    expect([...seen]).toEqual([true]);
    for (const name of ['a.test', 'b.test']) {
      const after = await appliance.visit({ name });
      expect(after).toMatchObject({ trusted: true, subjectAltName: 'DNS:a.test, DNS:b.test' });
    }
  });

  it('goes on with what it has when the new configuration is wrong', async () => {
    const before = await appliance.serials('a.test');
    appliance.configure({ CERT_DOMAIN: 'a.test,,b.test' });
    appliance.service.kill('SIGHUP');
    await until('it is refused', () => appliance.service.log().includes('the reload was refused'));
    expect(await appliance.serials('a.test')).toEqual(before);
  });

  it('told to five times at once does it one after the other, and can be talked to afterwards', async () => {
    appliance.configure({ CERT_DOMAIN: 'a.test,b.test' });
    const reloaded = () => appliance.service.log().split('"reloaded;').length - 1;
    const before = reloaded();
    for (let times = 0; times < 5; times++) {
      appliance.service.kill('SIGHUP');
      // signals of one kind that wait together are one
      await until('the signal has arrived', () => !hangupWaits(appliance.service.pid));
    }
    await until('five have been', () => reloaded() === before + 5, 120_000);
    await until('it answers', async () => (await appliance.status()).certificates[0]?.state === 'valid');
    expect(await appliance.visit({ name: 'a.test' })).toMatchObject({ trusted: true, status: 200 });
    expect(appliance.service.log()).not.toContain('cannot reach this service');
  });

  it('closes the HTTPS port when CERT_DOMAIN is gone, and tells of no certificate any more', async () => {
    expect(await certificateMetrics()).not.toBeNull();
    appliance.configure({ CERT_DOMAIN: undefined });
    await appliance.reload();
    await until('it is closed', async () => !(await isOpen(appliance.httpsPort)));
    expect(await appliance.plain('/whoami', { Host: 'a.test' })).toMatchObject({ status: 200 });
    expect((await appliance.status()).certificates).toEqual([]);
    expect(await certificateMetrics()).toBeNull();
  });

  it('serves the certificate that it had, without another order, when CERT_DOMAIN is back', async () => {
    const issued = () => appliance.service.log().split('"certificate issued"').length;
    const before = issued();
    appliance.configure({ CERT_DOMAIN: 'a.test,b.test' });
    await appliance.reload();
    await appliance.issued();
    expect(issued()).toBe(before);
  });
});
