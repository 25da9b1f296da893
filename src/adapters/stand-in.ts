import { webcrypto } from 'node:crypto';
import { join } from 'node:path';
import { makeFolder } from '../core/atomic-file.ts';
import { standInName } from '../core/certificate-facts.ts';
import { identifierOf } from '../core/identifier.ts';
import type { CertificatePair, StoredCertificate } from '../ports/certificate-store.ts';
import { standInFolder } from './certificate-store-names.ts';
import { finishSave, readPair, savePair } from './certificate-store-pair.ts';

const dayMs = 86_400_000;
const lifeMs = 365 * dayMs;
/** With less left it is made anew. */
const leastLeftMs = 30 * dayMs;
/** For clients whose clock is behind. */
const headStartMs = dayMs;

/**
 * A self-signed certificate to serve until an authority has given one, kept in the folder of the certificate store. It is
 * made anew when it lacks one of the names (DNS names, wildcards, IP addresses), is damaged, or has under 30 of its 365
 * days left at `now` (milliseconds since 1970). For one process at a time. Rejects with `store-full`,
 * `store-unwritable` or `store-unreadable`.
 */
export async function standIn(
  folder: string,
  names: readonly string[],
  now: number = Date.now(),
): Promise<Omit<StoredCertificate, 'id'>> {
  const place = join(folder, standInFolder);
  const wanted = names.length > 0 ? names : ['localhost'];
  await finishSave(place);
  const { pair } = await readPair(place);
  if (pair !== undefined) {
    const { names, notBefore, notAfter } = pair.facts;
    const timely = notBefore <= now && now < notAfter - leastLeftMs;
    if (timely && wanted.every((name) => names.includes(name))) return stored(pair);
  }
  await makeFolder(place);
  return stored(await savePair(place, await selfSigned(wanted, now)));
}

function stored({ facts, chain, chainFile, keyFile }: Omit<StoredCertificate, 'id'>) {
  return { facts, chain, chainFile, keyFile };
}

async function selfSigned(names: readonly string[], now: number): Promise<CertificatePair> {
  // a megabyte of code that is needed once a year at most
  const x509 = await import('@peculiar/x509');
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      // at most 64 characters (RFC 5280, appendix A)
      name: [{ CN: [standInName] }, { O: ['Self-signed until an authority has issued a certificate'] }],
      keys,
      signingAlgorithm: algorithm,
      notBefore: new Date(now - headStartMs),
      notAfter: new Date(now + lifeMs),
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension(names.map(identifierOf)),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    },
    webcrypto,
  );
  const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  const lines = key.match(/.{1,64}/g) ?? [];
  return {
    chain: `${certificate.toString('pem')}\n`,
    key: ['-----BEGIN PRIVATE KEY-----', ...lines, '-----END PRIVATE KEY-----', ''].join('\n'),
  };
}
