import { webcrypto } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';

/** A certificate for the HTTPS listener of a server of the tests, and the private authority that signed it. */
export interface ListenerCertificate {
  /** What a client has to trust, PEM. */
  readonly caFile: string;
  readonly certificateFile: string;
  readonly keyFile: string;
}

const hourMs = 3_600_000;
const signing = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** Writes one for 127.0.0.1, ::1, localhost and another address into `folder`; valid now unless the milliseconds since 1970 say otherwise. */
export async function makeListenerCertificate(
  folder: string,
  { address = '127.0.0.1', notBefore = Date.now() - hourMs, notAfter = Date.now() + 48 * hourMs } = {},
): Promise<ListenerCertificate> {
  const makeKeys = () => webcrypto.subtle.generateKey(signing, true, ['sign', 'verify']);
  const [caKeys, keys] = await Promise.all([makeKeys(), makeKeys()]);
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '02',
    name: `CN=Listener authority ${Math.random().toString(36).slice(2)}`,
    notBefore: new Date(Math.min(notBefore, Date.now() - hourMs)),
    notAfter: new Date(Math.max(notAfter, Date.now() + 48 * hourMs)),
    signingAlgorithm: signing,
    keys: caKeys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  });
  const leaf = await x509.X509CertificateGenerator.create({
    serialNumber: '01',
    subject: 'CN=localhost',
    issuer: ca.subject,
    notBefore: new Date(notBefore),
    notAfter: new Date(notAfter),
    signingAlgorithm: signing,
    publicKey: keys.publicKey,
    signingKey: caKeys.privateKey,
    extensions: [
      new x509.SubjectAlternativeNameExtension([
        { type: 'dns', value: 'localhost' },
        ...[...new Set(['127.0.0.1', address, '::1'])].map((value) => ({ type: 'ip' as const, value })),
      ]),
    ],
  });
  const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  const files = {
    caFile: join(folder, 'listener-ca.pem'),
    certificateFile: join(folder, 'listener.pem'),
    keyFile: join(folder, 'listener.key'),
  };
  writeFileSync(files.caFile, ca.toString('pem'));
  writeFileSync(files.certificateFile, leaf.toString('pem'));
  writeFileSync(files.keyFile, `-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----\n`, {
    mode: 0o600,
  });
  return files;
}
