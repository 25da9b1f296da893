import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { certificateFacts, type CertificateFacts } from './certificate-facts.ts';
import { Failure, reasonOf } from './errors.ts';

/** A chain and its key that belong together. */
export interface CheckedPair {
  /** The leaf's. */
  readonly facts: CertificateFacts;
  /** The chain alone, PEM, leaf first: whatever stood around the certificates is gone. */
  readonly chain: string;
  readonly key: KeyObject;
}

/**
 * Checks that every certificate of a PEM chain can be parsed and that the key, PEM, is the first one's. Throws
 * `certificate-unreadable`, `certificate-key-encrypted` or `certificate-mismatch`.
 */
export function checkPair(chainPem: string, keyPem: string): CheckedPair {
  const key = parseKey(keyPem);
  const chain = parseChain(chainPem);
  const [leaf, ...above] = chain;
  if (!matches(leaf, key)) {
    const later = above.some((certificate) => matches(certificate, key));
    throw new Failure('certificate and private key are no pair', {
      code: 'certificate-mismatch',
      remedy: later
        ? 'The key belongs to a later certificate of the chain: put that one first.'
        : 'Give the private key that the certificate was made for.',
    });
  }
  return { facts: facts(leaf), chain: chain.map((each) => pem(each)).join(''), key };
}

/** Each certificate of a PEM text, as it stands there; what is cut off is left out. */
export function certificateBlocks(text: string): readonly string[] {
  return text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
}

/** The certificates of a PEM text, at least one. Throws `certificate-unreadable`. */
function parseChain(text: string): readonly [X509Certificate, ...X509Certificate[]] {
  const blocks = certificateBlocks(text);
  const begun = text.split('-----BEGIN CERTIFICATE-----').length - 1;
  if (begun !== blocks.length) throw unreadable(`certificate ${blocks.length + 1} is cut off`);
  const [leaf, ...above] = blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch (error) {
      throw unreadable(`certificate ${index + 1} cannot be parsed: ${reasonOf(error)}`, error);
    }
  });
  if (leaf === undefined) throw unreadable('there is no certificate in PEM');
  return [leaf, ...above];
}

function parseKey(text: string): KeyObject {
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(text)) {
    throw new Failure('the private key is encrypted', {
      code: 'certificate-key-encrypted',
      remedy: 'Decrypt it first: openssl pkey -in ENCRYPTED -out privkey.pem',
    });
  }
  try {
    return createPrivateKey(text);
  } catch (error) {
    throw unreadable(`the private key cannot be parsed: ${reasonOf(error)}`, error);
  }
}

function unreadable(message: string, cause?: unknown): Failure {
  return new Failure(message, {
    code: 'certificate-unreadable',
    remedy: 'Chain and key have to be PEM, leaf first; DER becomes PEM by: openssl x509 -inform DER',
    cause,
  });
}

function matches(certificate: X509Certificate, key: KeyObject): boolean {
  try {
    return certificate.checkPrivateKey(key);
  } catch {
    // a public key of a kind that this OpenSSL does not know
    return false;
  }
}

function facts(leaf: X509Certificate): CertificateFacts {
  try {
    return certificateFacts(leaf);
  } catch (error) {
    throw unreadable(`the certificate cannot be parsed: ${reasonOf(error)}`, error);
  }
}

function pem(certificate: X509Certificate): string {
  return `${certificate.toString().trim()}\n`;
}
