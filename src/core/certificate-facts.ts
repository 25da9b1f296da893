import type { X509Certificate } from 'node:crypto';
import { type DerValue, readDer } from './der.ts';
import { ipAddressFromBytes } from './ip-address.ts';

/** What a certificate says of itself. */
export interface CertificateFacts {
  /** Subject alternative names: DNS names in lower case and canonical IP addresses, in the certificate's order. */
  readonly names: readonly string[];
  /** Upper-case hexadecimal, as Node writes it. */
  readonly serial: string;
  /** SHA-256 over the leaf's DER, upper-case hexadecimal with colons, as Node writes it. */
  readonly fingerprint: string;
  readonly issuer: string;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** The certID of RFC 9773 §4.1; undefined where the certificate names no authority key. */
  readonly ariId: string | undefined;
}

/** The common name of the certificate of our own that serves until an authority has given one. */
export const standInName = 'appliance stand-in';

const tags = { boolean: 0x01, integer: 0x02, octetString: 0x04, oid: 0x06, extensions: 0xa3 } as const;
const keyIdentifierTag = 0x80;
const generalName = { dns: 0x82, ip: 0x87 } as const;
/** RFC 5280 §4.2.1.6 and §4.2.1.1, as the bytes of their object identifiers. */
const subjectAltName = '551d11';
const authorityKeyIdentifier = '551d23';

/**
 * Reads a certificate's facts. Names and key identifier come out of the DER itself: Node offers the first as text
 * that has to be taken apart again, the second not at all, and a library for both costs each worker its memory.
 * Throws a RangeError for DER that no certificate has.
 */
export function certificateFacts(certificate: X509Certificate): CertificateFacts {
  const fields = inside(inside(readDer(certificate.raw)[0])[0]);
  const serial = fields.find(({ tag }) => tag === tags.integer)?.content;
  const extensions = inside(inside(fields.find(({ tag }) => tag === tags.extensions))[0]);
  const keyIdentifier = inside(extension(extensions, authorityKeyIdentifier)).find(
    ({ tag }) => tag === keyIdentifierTag,
  )?.content;
  return {
    names: inside(extension(extensions, subjectAltName)).flatMap(nameOf),
    serial: certificate.serialNumber,
    fingerprint: certificate.fingerprint256,
    issuer: certificate.issuer.replaceAll('\n', ', '),
    notBefore: certificate.validFromDate.getTime(),
    notAfter: certificate.validToDate.getTime(),
    ariId: serial && keyIdentifier && `${base64url(keyIdentifier)}.${base64url(serial)}`,
  };
}

function inside(value: DerValue | undefined): DerValue[] {
  return value === undefined ? [] : readDer(value.content);
}

/** The one value inside the extension of that identifier (RFC 5280 §4.1: identifier, critical, octets). */
function extension(extensions: readonly DerValue[], identifier: string): DerValue | undefined {
  for (const parts of extensions.map(inside)) {
    const [oid] = parts;
    if (oid?.tag !== tags.oid || Buffer.from(oid.content).toString('hex') !== identifier) continue;
    return inside(parts.find(({ tag }) => tag === tags.octetString))[0];
  }
  return undefined;
}

function nameOf({ tag, content }: DerValue): string[] {
  if (tag === generalName.dns) return [Buffer.from(content).toString('latin1').toLowerCase()];
  if (tag === generalName.ip && (content.length === 4 || content.length === 16))
    return [ipAddressFromBytes(Uint8Array.from(content).buffer).text];
  return [];
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url');
}
