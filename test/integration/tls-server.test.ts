import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkPair } from '../../src/core/certificate-pair.ts';
import { UnservedCertificate, type TlsCertificate } from '../../src/http/tls-certificate.ts';
import { createTlsServer, type TlsServer } from '../../src/http/tls-server.ts';
import type { CertificatePair } from '../../src/ports/certificate-store.ts';
import { freePort } from '../support/free-port.ts';
import { madeCertificate } from '../support/made-certificate.ts';

const folder = mkdtempSync(join(tmpdir(), 'tls-server-'));
afterAll(() => rmSync(folder, { recursive: true }));

let server: TlsServer;
beforeEach(async () => {
  const port = await freePort();
  server = createTlsServer({ host: '127.0.0.1', port, register: () => undefined, watch: () => undefined });
});
afterEach(() => server.close());

let files = 0;
function stored({ chain, key }: CertificatePair): TlsCertificate {
  const { names, fingerprint } = checkPair(chain, key).facts;
  const base = join(folder, String(++files));
  writeFileSync(`${base}.chain`, chain);
  writeFileSync(`${base}.key`, key);
  return { names, fingerprint, chainFile: `${base}.chain`, keyFile: `${base}.key` };
}

describe('a server of HTTPS', () => {
  it('serves a chain with more in it than clients need, in whatever order', async () => {
    const other = await madeCertificate(['other.test']);
    const { leaf, authority, key } = await madeCertificate(['a.test']);
    await server.use([stored({ chain: leaf + other.leaf + authority + leaf + authority, key })]);
    expect(server.open).toBe(true);
  });

  it('serves a wildcard beside the certificate of any name under it', async () => {
    const names = [['a.test'], ['*.example.test'], ['proof.example.test']];
    const pairs = await Promise.all(names.map((each) => madeCertificate(each)));
    await server.use(pairs.map(stored));
    expect(server.open).toBe(true);
  });

  it('names the one that cannot be served, and how to get another where its files are in order', async () => {
    const [good, odd] = [stored(await madeCertificate(['a.test'])), stored(withShortKey())];
    const failure = await server.use([good, odd]).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(UnservedCertificate);
    expect(failure).toMatchObject({
      certificate: odd,
      remedy: expect.stringContaining('renew-certs --force --domain odd.test') as string,
    });
    expect(server.open).toBe(false);
  });
});

/** So short that the native server does not take it. */
function withShortKey(): CertificatePair {
  const key = join(folder, 'odd.key');
  const words = [
    'req',
    '-x509',
    '-newkey',
    'rsa:512',
    '-nodes',
    '-keyout',
    key,
    '-days',
    '30',
    '-subj',
    '/CN=odd',
  ];
  const chain = execFileSync('openssl', [...words, '-addext', 'subjectAltName=DNS:odd.test'], {
    encoding: 'utf8',
    stdio: 'pipe',
  });
  return { chain, key: readFileSync(key, 'utf8') };
}
