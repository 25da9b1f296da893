import { copyFileSync, globSync, mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCertified, type CertifiedAppliance } from '../support/certified-appliance.ts';
import { startPebble, type Pebble } from '../support/pebble.ts';
import { until } from '../support/until.ts';

/** What is ready to answer says of itself to the host. */
async function degraded({ httpPort }: CertifiedAppliance): Promise<unknown> {
  const answer = await fetch(`http://127.0.0.1:${httpPort}/health/ready`);
  return answer.json();
}

// Each test goes on where the one before ended.
describe('of several certificates', () => {
  const folder = mkdtempSync(join(tmpdir(), 'several-certificates-'));
  let pebble: Pebble;
  let appliance: CertifiedAppliance;
  beforeAll(async () => {
    pebble = await startPebble({ blockedDomains: ['blocked.test'] });
    // outlives the authority
    const caFile = join(folder, 'ca.pem');
    copyFileSync(pebble.caFile, caFile);
    const settings = { CERT_DOMAIN: 'a.test;blocked.test;127.0.0.1', CERT_CA_FILE: caFile };
    appliance = await startCertified({ pebble, settings });
  });
  afterAll(async () => {
    await appliance?.stop();
    await pebble?.stop();
    rmSync(folder, { recursive: true });
  });
  const trusted = async (name: string | undefined) => (await appliance.visit({ name })).trusted;

  it('the one that cannot be had leaves the others as they are, and says why by itself', async () => {
    await appliance.issued({ name: 'a.test' });
    await appliance.issued({ name: '127.0.0.1' });
    expect(await trusted('a.test')).toBe(true);
    expect(await trusted(undefined)).toBe(true);
    expect(await trusted('blocked.test')).toBe(false);
    await until('the refusal is told', async () => {
      const { certificates } = await appliance.status();
      return certificates[1]?.lastError !== undefined;
    });
    const [first, blocked, address] = (await appliance.status()).certificates;
    expect(first).toMatchObject({ state: 'valid' });
    expect(first).not.toHaveProperty('lastError');
    expect(blocked).toMatchObject({ state: 'stand-in', lastError: { code: 'acme-rejectedIdentifier' } });
    expect(address).toMatchObject({ state: 'valid' });
    expect(appliance.service.log()).not.toContain('another certificate is served');
    expect(await degraded(appliance)).toMatchObject({ degraded: [] });
  });

  it('those that were had serve after a restart, whether or not the authority is there', async () => {
    await appliance.service.stop();
    await pebble.stop();
    await appliance.start();
    await until('HTTPS is there', () => trusted('a.test').catch(() => false));
    expect(await trusted(undefined)).toBe(true);
    expect(await trusted('blocked.test')).toBe(false);
  });

  it('one whose files are damaged is replaced by the stand-in, and the others serve', async () => {
    await appliance.service.stop();
    const [chain = ''] = globSync(
      join(appliance.dataDir, 'certificates', '*', '127.0.0.1', 'certificate.pem'),
    );
    truncateSync(chain);
    await appliance.start();
    await until('HTTPS is there', () => trusted('a.test').catch(() => false));
    expect(await trusted('blocked.test')).toBe(false);
  });

  it('one whose files are lost while it serves does not keep a worker that starts from serving the others', async () => {
    rmSync(join(appliance.dataDir, 'certificates', 'stand-in'), { recursive: true });
    const [worker] = appliance.service.workers();
    process.kill(worker!, 'SIGKILL');
    await until('another worker is there', () => appliance.service.log().includes('does not serve every'));
    // what is missing is made anew, and while listeners change the kernel resets what waits at the one that closes
    for (let visits = 0; visits < 20; visits++)
      expect(await trusted('a.test').catch(() => trusted('a.test'))).toBe(true);
  });
});

describe('a certificate that is damaged while it serves', () => {
  const folder = mkdtempSync(join(tmpdir(), 'damaged-certificate-'));
  let pebble: Pebble;
  let appliance: CertifiedAppliance;
  beforeAll(async () => {
    pebble = await startPebble();
    // outlives the authority
    const caFile = join(folder, 'ca.pem');
    copyFileSync(pebble.caFile, caFile);
    const settings = { CERT_DOMAIN: 'a.test;b.test', CERT_CA_FILE: caFile };
    appliance = await startCertified({ pebble, settings });
  });
  afterAll(async () => {
    await appliance?.stop();
    await pebble?.stop();
    rmSync(folder, { recursive: true });
  });
  const trusted = async (name: string) => (await appliance.visit({ name })).trusted;
  /** Gives a's certificate the key of b's. */
  const damage = () => {
    const [of = ''] = globSync(join(appliance.dataDir, 'certificates', '*', 'a.test'));
    copyFileSync(join(of, '..', 'b.test', 'key.pem'), join(of, 'key.pem'));
  };
  const wellAgain = async (before: string) => {
    await until('every worker serves another for its name', async () => {
      const serials = await appliance.serials('a.test').catch((): string[] => []);
      return serials.length === 1 && !serials.includes(before) && (await trusted('a.test'));
    });
    await until('nothing is wrong', async () => {
      const { certificates } = await appliance.status();
      return certificates.every(({ state, lastError }) => state === 'valid' && lastError === undefined);
    });
    expect(await trusted('b.test')).toBe(true);
  };

  it('is put right as soon as a worker that starts cannot use it', async () => {
    const before = await appliance.issued({ name: 'a.test' });
    await appliance.issued({ name: 'b.test' });
    damage();
    process.kill(appliance.service.workers()[0]!, 'SIGKILL');
    await wellAgain(before);
  });

  it('is put right by a reload, which is not refused for it', async () => {
    const before = await appliance.issued({ name: 'a.test' });
    damage();
    await appliance.reload();
    await wellAgain(before);
    expect((await appliance.command('status')).stdout).toMatch(/needs you +no\n/);
  });

  it('has a reload refused while it cannot be, with the files, what is wrong with them and what to do', async () => {
    const before = await appliance.serials('a.test');
    damage();
    await pebble.stop();
    appliance.service.kill('SIGHUP');
    let text = '';
    await until('the reload is refused', async () => {
      text = (await appliance.command('status')).stdout.replaceAll(/\s+/g, ' ');
      return text.includes('the reload, which was refused');
    });
    expect(text).toMatch(
      /the certificate for a\.test cannot be used: certificate and private key are no pair to do Get another: appliance renew-certs --domain a\.test \(its files are \S+certificate\.pem and \S+key\.pem\); then: sudo systemctl reload/,
    );
    expect(await appliance.serials('a.test')).toEqual(before);
  });
});
