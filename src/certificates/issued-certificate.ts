import { createPrivateKey, X509Certificate } from 'node:crypto';
import { certificatesOf } from '../core/certificate-chain.ts';
import { Failure } from '../core/errors.ts';
import { isIpAddress } from '../core/ip-address.ts';
import { minuteText } from '../core/time-text.ts';
import { AuthorityFailure } from '../ports/certificate-issuer.ts';

const dayMs = 86_400_000;

/** What came for an order, and what it was to be. */
export interface Issued {
  readonly authority: string;
  /** PEM, leaf first. */
  readonly chain: string;
  readonly key: string;
  readonly names: readonly string[];
  /** Milliseconds since 1970. */
  readonly now: number;
}

/**
 * Throws where an issued certificate must not be used: AuthorityFailure `wrong-certificate` where it cannot be read, is not
 * for our key or lacks a name; Failure `clock-wrong` where it is over already or begins more than a day from now.
 */
export function checkIssued({ authority, chain, key, names, now }: Issued): void {
  const host = URL.parse(authority)?.host ?? authority;
  const wrong = (detail: string) =>
    new AuthorityFailure(`${host} issued a certificate that cannot be used: ${detail}.`, {
      authority,
      problem: { type: 'wrong-certificate', detail, status: undefined, subproblems: [] },
      remedy: 'Nothing of it was kept. It is tried again by itself; if it stays so, tell the authority.',
      retryable: true,
    });
  const [leaf] = certificatesOf(chain);
  if (leaf === undefined) throw wrong('what came is no certificate');
  if (!leaf.checkPrivateKey(createPrivateKey(key))) throw wrong('it is for another key than ours');
  const lacking = names.filter((name) => !hasName(leaf, name));
  if (lacking.length > 0) throw wrong(`it lacks ${lacking.join(', ')}`);
  const { notBefore, notAfter } = lifeOf(leaf);
  if (notBefore <= now + dayMs && notAfter > now) return;
  const when = notAfter <= now ? `ended on ${minuteText(notAfter)}` : `begins on ${minuteText(notBefore)}`;
  throw new Failure(
    `The certificate that ${host} has just issued ${when}, while this host's clock shows ${minuteText(now)}: the clock is wrong.`,
    {
      code: 'clock-wrong',
      remedy: 'Set the clock, for instance with timedatectl set-ntp true. The order is gone on with then.',
      retryable: true,
    },
  );
}

/** Whether a certificate that waited at the authority is still worth its while: less than a third of its life is over. */
export function isFresh(chain: string, now: number): boolean {
  const { notBefore, notAfter } = lifeOf(new X509Certificate(chain));
  return now < notBefore + (notAfter - notBefore) / 3;
}

/** Whether a chain (PEM) was issued for this key. */
export function isFor(chain: string, key: string): boolean {
  try {
    return new X509Certificate(chain).checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

function lifeOf(certificate: X509Certificate): { notBefore: number; notAfter: number } {
  return { notBefore: Date.parse(certificate.validFrom), notAfter: Date.parse(certificate.validTo) };
}

/** Exactly: a wildcard has no other name, and no name is covered by a wildcard. */
function hasName(leaf: X509Certificate, name: string): boolean {
  if (isIpAddress(name)) return leaf.checkIP(name) !== undefined;
  const entries = (leaf.subjectAltName ?? '').split(', ');
  return entries.some((entry) => entry.toLowerCase() === `dns:${name.toLowerCase()}`);
}
