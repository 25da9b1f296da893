import { createPrivateKey, createPublicKey, generateKeyPair, webcrypto, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { Pkcs10CertificateRequestGenerator, SubjectAlternativeNameExtension } from '@peculiar/x509';
import { identifierOf } from '../core/identifier.ts';
import { keyTypes, type KeyType } from '../ports/certificate-issuer.ts';

interface Kind {
  readonly generate: () => Promise<{ privateKey: KeyObject }>;
  /** As Node names it: the curve, or the bits of the modulus. */
  readonly size: string | number;
  /** For Web Crypto, with the digest that goes with it. */
  readonly signing: { readonly name: string; readonly hash: string; readonly namedCurve?: string };
}

const generate = promisify(generateKeyPair);

const kinds: Readonly<Record<KeyType, Kind>> = {
  'ecdsa-p256': {
    generate: () => generate('ec', { namedCurve: 'P-256' }),
    size: 'prime256v1',
    signing: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  },
  'ecdsa-p384': {
    generate: () => generate('ec', { namedCurve: 'P-384' }),
    size: 'secp384r1',
    signing: { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' },
  },
  'rsa-2048': {
    generate: () => generate('rsa', { modulusLength: 2048 }),
    size: 2048,
    signing: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  },
  'rsa-4096': {
    generate: () => generate('rsa', { modulusLength: 4096 }),
    size: 4096,
    signing: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  },
};

/** A new private key, PEM, PKCS #8; made off the event loop, as RSA takes seconds. */
export async function makeCertificateKey(type: KeyType): Promise<string> {
  const { privateKey } = await kinds[type].generate();
  return privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
}

/** What kind of key this PEM is; undefined where it is none of ours or cannot be read. */
export function keyTypeOf(key: string): KeyType | undefined {
  try {
    const { asymmetricKeyDetails } = createPrivateKey(key);
    const size = asymmetricKeyDetails?.namedCurve ?? asymmetricKeyDetails?.modulusLength;
    return keyTypes.find((type) => kinds[type].size === size);
  } catch {
    return undefined;
  }
}

/** A certificate request (RFC 2986) for all the names as subject alternative names and no subject, PEM. */
export async function makeCertificateRequest(key: string, names: readonly string[]): Promise<string> {
  const type = keyTypeOf(key);
  if (type === undefined) throw new Error('no key of a kind that certificates are asked for with');
  const { signing } = kinds[type];
  const privateKey = createPrivateKey(key);
  const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'der' });
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  const request = await Pkcs10CertificateRequestGenerator.create({
    keys: {
      privateKey: await webcrypto.subtle.importKey('pkcs8', pkcs8, signing, true, ['sign']),
      publicKey: await webcrypto.subtle.importKey('spki', spki, signing, true, ['verify']),
    },
    signingAlgorithm: signing,
    extensions: [new SubjectAlternativeNameExtension(names.map(identifierOf))],
  });
  return request.toString('pem');
}
