import { isIpAddress } from '../core/ip-address.ts';
import type { StoredCertificate } from '../ports/certificate-store.ts';
import type { CertificateStatus, WantedCertificate } from './certificate-service.ts';
import { clockWasAhead } from './retry.ts';

/** The authority under which certificates are kept that were brought along. */
export const importAuthority = 'import';

/** What is to serve for one of the certificates that the configuration asks for. */
export interface ServedCertificate {
  readonly wanted: WantedCertificate;
  /** Undefined: the stand-in serves. */
  readonly stored: StoredCertificate | undefined;
  readonly kind: CertificateStatus['state'];
  /** When a certificate of the configured authority first was had, in milliseconds since 1970. */
  readonly servesSince: number | undefined;
}

/** The authorities of the configuration. */
export interface Authorities {
  readonly primary: string;
  readonly fallback: string | undefined;
}

/** Of a certificate: when it was had, in milliseconds since 1970; undefined where nobody wrote it down. */
export type GotAt = (certificate: StoredCertificate) => number | undefined;

/** The wanted names that the certificate does not hold, to the letter. */
export function namesMissing(names: readonly string[], held: readonly string[]): readonly string[] {
  return names.filter((name) => !held.includes(name));
}

/** As `namesMissing`, but a wildcard does for one label (RFC 9525 §6.3). */
export function namesUncovered(names: readonly string[], held: readonly string[]): readonly string[] {
  const wildcardOf = (name: string) => (isIpAddress(name) ? name : name.replace(/^[^.*]+/, '*'));
  return names.filter((name) => !held.includes(name) && !held.includes(wildcardOf(name)));
}

/** Whether clients with a clock like ours take its life to have begun. */
function hasBegun({ facts }: StoredCertificate, now: number): boolean {
  return !clockWasAhead(facts.notBefore, now);
}

/**
 * Whether a certificate whose life is yet to begin is to be replaced. One that was had at `gotAt` by the clock as it is now
 * is not: its authority took it to have begun, so it is our clock that is behind, and another one would be no better.
 */
export function isPremature(certificate: StoredCertificate, gotAt: number | undefined, now: number): boolean {
  return !hasBegun(certificate, now) && (gotAt === undefined || clockWasAhead(gotAt, now));
}

/**
 * The certificate of one authority that is renewed for `wanted`: the newest that holds every name, has begun and has not ended.
 * It may lie under another of the names, from before these were put in another order.
 */
export function currentOf(
  authority: string,
  wanted: WantedCertificate,
  certificates: readonly StoredCertificate[],
  gotAt: GotAt,
  now: number,
): StoredCertificate | undefined {
  return newest(
    certificates.filter(
      (certificate) =>
        certificate.id.authority === authority &&
        certificate.facts.notAfter > now &&
        !isPremature(certificate, gotAt(certificate), now) &&
        namesMissing(wanted.names, certificate.facts.names).length === 0,
    ),
    gotAt,
    now,
  );
}

/**
 * What serves for `wanted`: of the certificates that hold its names and have not ended the newest of the configured
 * authorities or of those that were brought along, else the newest of any other authority, which was configured before.
 * Where there is none, the one that helps the most of the names, and rather an outdated one than the stand-in: browsers
 * tell their users of either, but whoever pinned it goes on. One whose life is yet to begin serves where there is no other:
 * it may be our clock that is wrong.
 */
export function chooseServed(
  wanted: WantedCertificate,
  certificates: readonly StoredCertificate[],
  authorities: Authorities,
  gotAt: GotAt,
  now: number,
): StoredCertificate | undefined {
  const { names } = wanted;
  const uncovered = (certificate: StoredCertificate) => namesUncovered(names, certificate.facts.names).length;
  const alive = certificates.filter(({ facts }) => facts.notAfter > now);
  const whole = alive.filter((certificate) => uncovered(certificate) === 0);
  const begun = whole.filter((certificate) => !isPremature(certificate, gotAt(certificate), now));
  const ours = (of: readonly StoredCertificate[]) =>
    of.filter(({ id }) =>
      [authorities.primary, authorities.fallback, importAuthority].includes(id.authority),
    );
  return (
    newest(ours(begun), gotAt, now) ??
    newest(begun, gotAt, now) ??
    newest(ours(whole), gotAt, now) ??
    newest(whole, gotAt, now) ??
    leastUncovered(alive, uncovered, names.length) ??
    leastUncovered(certificates, uncovered, names.length)
  );
}

/** The state of what serves, as `status` names it. */
export function kindOf(
  stored: StoredCertificate | undefined,
  authorities: Authorities,
  now: number,
): CertificateStatus['state'] {
  if (stored === undefined) return 'stand-in';
  if (stored.facts.notAfter <= now) return 'expired';
  if (!hasBegun(stored, now)) return 'not-yet-valid';
  return stored.id.authority === authorities.primary ? 'valid' : 'fallback';
}

/** By when it was had; a time that was written down by a clock that was ahead says nothing. */
function newest(
  certificates: readonly StoredCertificate[],
  gotAt: GotAt,
  now: number,
): StoredCertificate | undefined {
  const age = (certificate: StoredCertificate) => {
    const at = gotAt(certificate) ?? 0;
    return Math.max(certificate.facts.notBefore, at > now ? 0 : at);
  };
  return certificates.toSorted((one, other) => age(other) - age(one))[0];
}

function leastUncovered(
  certificates: readonly StoredCertificate[],
  uncovered: (certificate: StoredCertificate) => number,
  names: number,
): StoredCertificate | undefined {
  return certificates
    .filter((certificate) => uncovered(certificate) < names)
    .toSorted(
      (one, other) => uncovered(one) - uncovered(other) || other.facts.notAfter - one.facts.notAfter,
    )[0];
}
