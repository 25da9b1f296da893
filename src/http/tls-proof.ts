import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect, type DetailedPeerCertificate } from 'node:tls';
import { certificatesOf, chainOf } from '../core/certificate-chain.ts';
import { reasonOf } from '../core/errors.ts';
import { isIpAddress } from '../core/ip-address.ts';
import { systemCode } from '../core/storage-failure.ts';
import { problemOf, UnservedCertificate, type TlsCertificate } from './tls-certificate.ts';

const proofDeadlineMs = 5000;

/**
 * Connects to a loopback port as a client would, and compares what is served with what should be: leaf and chain. The
 * native server says nothing when it could not use a key, and serves another certificate. Rejects with an
 * UnservedCertificate `certificate-not-served`.
 */
export async function proveCertificate(
  certificate: TlsCertificate,
  port: number,
  byDefault: boolean,
): Promise<void> {
  const name = certificate.names.find((each) => !isIpAddress(each));
  // Addresses are no server names (RFC 6066 §3): their certificate is the one that is served without.
  if (name === undefined && !byDefault) return;
  // a label that no other certificate has a name with: that would be served for it
  const label = randomBytes(8).toString('hex');
  const servername = byDefault ? undefined : name?.replace(/^\*/, label);
  const [file, served] = await Promise.all([
    readFile(certificate.chainFile, 'utf8').then(fingerprintsOf),
    servedChain(port, servername),
  ]).catch((error: unknown) => {
    if (isOfHost(error)) throw error;
    throw refused(certificate, problemOf(certificate) ?? reasonOf(error));
  });
  const problem = problemOf(certificate);
  if (problem !== undefined) throw refused(certificate, problem);
  if (served[0] !== certificate.fingerprint)
    throw refused(certificate, 'another certificate is served for it');
  if (file.some((fingerprint, index) => served[index] !== fingerprint))
    throw refused(certificate, 'its chain is not served whole');
}

/** Of a host that is too busy, or out of something: that says nothing of the certificate. */
function isOfHost(error: unknown): boolean {
  if (error instanceof Error && error.name === 'AbortError') return true;
  return ['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL'].includes(systemCode(error) ?? '');
}

async function servedChain(port: number, servername: string | undefined): Promise<string[]> {
  const socket = connect({
    host: '127.0.0.1',
    port,
    ...(servername === undefined ? {} : { servername }),
    // What is compared is the certificate itself, whoever signed it.
    rejectUnauthorized: false,
  });
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(proofDeadlineMs) });
    const chain: string[] = [];
    let link: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
    while (link?.fingerprint256 !== undefined && !chain.includes(link.fingerprint256)) {
      chain.push(link.fingerprint256);
      link = link.issuerCertificate;
    }
    return chain;
  } finally {
    socket.destroy();
  }
}

/** Of the chain as clients put it together, as Node does: what else the file has, and in what order, is no matter to them. */
function fingerprintsOf(pem: string): string[] {
  return certificatesOf(chainOf(pem)).map(({ fingerprint256 }) => fingerprint256);
}

function refused(certificate: TlsCertificate, why: string): UnservedCertificate {
  return new UnservedCertificate(certificate, `cannot be served: ${why}`, {
    code: 'certificate-not-served',
    retryable: true,
  });
}
