import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { certificateChecks } from '../../src/host/checks/certificates.ts';
import type { DoctorContext } from '../../src/host/checks/doctor-context.ts';
import { checkedHost, type CheckedHost } from '../support/checked-host.ts';
import { madeCertificate } from '../support/made-certificate.ts';

const dayMs = 86_400_000;
const name = 'a.example';

let host: CheckedHost;
beforeEach(() => (host = checkedHost()));
afterEach(() => host.remove());

const wanted: Partial<DoctorContext> = {
  configuration: { secretsFolder: undefined, problems: [], warnings: [], values: { certificates: [[name]] } },
};
const ask = (check: string, change: Partial<DoctorContext> = {}) =>
  host.ask(certificateChecks, check, { ...wanted, ...change });

function keep(chain: string, key: string): void {
  const folder = `/data/certificates/authority/${name}`;
  host.put({ [`${folder}/certificate.pem`]: chain, [`${folder}/key.pem`]: key });
}

describe('with no service to ask, the files tell of a certificate that', () => {
  it('is not there: a stand-in serves', async () => {
    expect(await ask('certificate-stand-in')).toEqual({
      state: 'failed',
      words: 'a.example: no certificate yet, a self-signed stand-in serves',
      remedy: 'sudo appliance renew-certs --domain a.example',
    });
  });

  it('has expired', async () => {
    const { chain, key } = await madeCertificate([name], { notAfter: Date.now() - 1000 });
    keep(chain, key);
    expect(await ask('certificate-expiry')).toMatchObject({
      state: 'failed',
      words: expect.stringMatching(/^a\.example: expired \d{4}-/) as string,
      remedy: 'sudo appliance renew-certs --domain a.example',
    });
  });

  it('is not valid yet', async () => {
    const life = { notBefore: Date.now() + 40 * dayMs, notAfter: Date.now() + 130 * dayMs };
    const { chain, key } = await madeCertificate([name], life);
    keep(chain, key);
    expect(await ask('certificate-expiry')).toMatchObject({
      state: 'failed',
      words: expect.stringMatching(
        /^a\.example: not valid before \d{4}-.* by the clock of this host$/,
      ) as string,
      remedy: expect.stringContaining('appliance renew-certs --force --domain a.example') as string,
    });
  });

  it('ends soon and was not renewed', async () => {
    const life = { notBefore: Date.now() - 80 * dayMs, notAfter: Date.now() + 10.5 * dayMs };
    const { chain, key } = await madeCertificate([name], life);
    keep(chain, key);
    expect(await ask('certificate-expiry')).toMatchObject({
      state: 'failed',
      words: expect.stringMatching(/in 10 days, and was not renewed$/) as string,
    });
  });

  it('has long to go', async () => {
    const { chain, key } = await madeCertificate([name]);
    keep(chain, key);
    expect(await ask('certificate-expiry')).toEqual({ state: 'ok', words: 'none ends soon' });
    expect(await ask('certificate-stand-in')).toMatchObject({ state: 'ok' });
    expect(await ask('certificate-pair')).toMatchObject({ state: 'ok' });
    expect(await ask('certificate-rights')).toMatchObject({ state: 'ok' });
  });

  it("lies with another one's key", async () => {
    const [one, other] = await Promise.all([madeCertificate([name]), madeCertificate([name])]);
    keep(one.chain, other.key);
    expect(await ask('certificate-pair')).toMatchObject({
      state: 'failed',
      words: expect.stringMatching(/certificate and private key are no pair$/) as string,
      remedy: expect.stringMatching(/^sudo mv .* && sudo appliance renew-certs$/) as string,
    });
  });

  it('is cut off', async () => {
    const { chain, key } = await madeCertificate([name]);
    keep(chain.slice(0, -100), key);
    expect(await ask('certificate-pair')).toMatchObject({
      state: 'failed',
      words: expect.stringMatching(/is cut off$/) as string,
    });
  });

  it('came without the intermediate above it', async () => {
    const { leaf, key } = await madeCertificate([name]);
    keep(leaf, key);
    expect(await ask('certificate-chain')).toMatchObject({
      state: 'failed',
      words: expect.stringMatching(/an intermediate certificate is missing$/) as string,
      remedy: 'sudo appliance renew-certs --force --domain a.example',
    });
  });

  it('came with an intermediate that has not signed it', async () => {
    const [one, other] = await Promise.all([madeCertificate([name]), madeCertificate([name])]);
    keep(one.leaf + other.authority, one.key);
    expect(await ask('certificate-chain')).toMatchObject({
      state: 'failed',
      words: expect.stringMatching(/certificate 2 of the chain has not signed the one before it$/) as string,
    });
  });

  it('is of nobody whom callers trust', async () => {
    const { chain, key } = await madeCertificate([name]);
    keep(chain, key);
    expect(await ask('certificate-chain')).toMatchObject({
      state: 'warning',
      words: expect.stringMatching(/no root that is trusted .*made authority$/) as string,
    });
    const values = { certificates: [[name]], certCaFile: '/private/ca.pem' };
    const configuration = { secretsFolder: undefined, problems: [], warnings: [], values };
    expect(await ask('certificate-chain', { configuration })).toMatchObject({ state: 'ok' });
  });

  it('could not be renewed, as the service tells', async () => {
    const failing = {
      names: [name],
      state: 'valid',
      nextAttemptAt: 0,
      lastError: { at: 0, message: 'port 80 is closed', remedy: 'open it', failures: 3 },
    } as const;
    const service = async () => ({
      version: '1.0.0',
      pid: 1,
      startedAt: 0,
      listenHost: '::',
      httpPort: 80,
      workers: [],
      certificates: [failing],
    });
    expect(await ask('certificate-renewal', { service })).toEqual({
      state: 'warning',
      words: 'a.example: port 80 is closed (3 times)',
      remedy: 'open it',
    });
  });
});
