import { X509Certificate } from 'node:crypto';
import { certificateBlocks } from './certificate-pair.ts';

/**
 * The leaf and who signed it, in turn and once each, PEM: clients are sent the chain with each handshake, so nothing else of
 * what came with the leaf is kept. What cannot be read comes back as it is.
 */
export function chainOf(pem: string): string {
  const [leaf, ...others] = certificatesOf(pem);
  if (leaf === undefined) return pem;
  const chain = [leaf];
  const isNew = (one: X509Certificate) =>
    chain.every(({ fingerprint256 }) => fingerprint256 !== one.fingerprint256);
  for (let link: X509Certificate | undefined = leaf; link !== undefined;) {
    const below: X509Certificate = link;
    link = others.find((each) => isNew(each) && below.checkIssued(each));
    if (link !== undefined) chain.push(link);
  }
  return chain.map(String).join('');
}

/** The certificates of a PEM text; none where one of them cannot be read. */
export function certificatesOf(chain: string): X509Certificate[] {
  try {
    return certificateBlocks(chain).map((block) => new X509Certificate(block));
  } catch {
    return [];
  }
}
