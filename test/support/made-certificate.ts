import { webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';
import type { CertificatePair } from '../../src/ports/certificate-store.ts';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const dayMs = 86_400_000;

export interface MadeCertificate extends CertificatePair {
  readonly leaf: string;
  readonly authority: string;
}

/** A certificate of an authority made for it alone, the authority's own behind it in the chain. */
export async function madeCertificate(
  names: readonly string[],
  { notBefore = Date.now() - dayMs, notAfter = Date.now() + 90 * dayMs, serial = randomSerial() } = {},
): Promise<MadeCertificate> {
  const [above, own] = await Promise.all([keyPair(), keyPair()]);
  const times = { notBefore: new Date(notBefore), notAfter: new Date(notAfter), signingAlgorithm: algorithm };
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    ...times,
    name: 'CN=made authority',
    keys: above,
    extensions: [new x509.BasicConstraintsExtension(true, 0, true)],
  });
  const leaf = await x509.X509CertificateGenerator.create({
    ...times,
    serialNumber: serial,
    subject: '',
    issuer: authority.subject,
    signingKey: above.privateKey,
    publicKey: own.publicKey,
    extensions: [
      await x509.AuthorityKeyIdentifierExtension.create(above.publicKey),
      new x509.SubjectAlternativeNameExtension(
        names.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value })),
      ),
    ],
  });
  const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', own.privateKey));
  const [leafPem, authorityPem] = [leaf, authority].map((each) => `${each.toString('pem')}\n`);
  return {
    leaf: leafPem!,
    authority: authorityPem!,
    chain: `${leafPem}${authorityPem}`,
    key: `${x509.PemConverter.encode(key, 'PRIVATE KEY')}\n`,
  };
}

function keyPair() {
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

function randomSerial(): string {
  return `4${Buffer.from(webcrypto.getRandomValues(new Uint8Array(8)))
    .toString('hex')
    .slice(1)}`;
}
