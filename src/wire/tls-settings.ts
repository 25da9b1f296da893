import { namesUncovered, type ServedCertificate } from '../certificates/serving.ts';
import type { Config } from '../config/schema.ts';
import { isIpAddress } from '../core/ip-address.ts';
import type { TlsSettings } from '../http/public-server.ts';
import type { TlsCertificate } from '../http/tls-certificate.ts';
import type { CertificateFacts } from '../ports/certificate-store.ts';

/** What a worker is told of a certificate, whoever signed it. */
interface Files {
  readonly chainFile: string;
  readonly keyFile: string;
  readonly facts: CertificateFacts;
}

/**
 * What the workers serve HTTPS with, and what they tell browsers of it. `standIn` gives the self-signed certificate for
 * names that have no other yet.
 */
export async function tlsSettingsOf(
  served: readonly ServedCertificate[],
  standIn: (names: readonly string[]) => Promise<Files>,
  config: Config,
): Promise<TlsSettings> {
  // Each serves the names that it is wanted for, whatever else it holds: no two of them are for one name.
  const certificates = served.flatMap(({ wanted, stored }) =>
    stored === undefined ? [] : tlsCertificate(wanted.names, stored),
  );
  const unsigned = served.filter(({ stored }) => stored === undefined).flatMap(({ wanted }) => wanted.names);
  if (unsigned.length > 0) certificates.push(tlsCertificate(unsigned, await standIn(unsigned)));
  // Whoever comes by address sends no server name (RFC 6066 §3), and so gets the first.
  certificates.sort((one, other) => Number(hasAddress(other.names)) - Number(hasAddress(one.names)));
  const configured = served.filter((each) => isOfConfiguredAuthority(each, config));
  const names = (of: readonly ServedCertificate[]) => of.flatMap(coveredNames);
  const { hsts } = config;
  return {
    certificates,
    rules: {
      redirectNames: names(configured),
      laterNames: configured.flatMap(uncoveredNames),
      hstsNames:
        hsts === 'off'
          ? []
          : names(configured.filter((each) => isPublic(each, config))).filter((name) => !isIpAddress(name)),
      hsts: hsts === 'off' ? 'auto' : hsts,
      since: Math.max(0, ...configured.map(({ servesSince = Date.now() }) => servesSince)),
    },
  };
}

function tlsCertificate(names: readonly string[], { chainFile, keyFile, facts }: Files): TlsCertificate {
  return { names, chainFile, keyFile, fingerprint: facts.fingerprint };
}

/** Until a certificate comes that holds all of them, the one before serves: a browser would not take it for the rest. */
function coveredNames(served: ServedCertificate): readonly string[] {
  const uncovered = uncoveredNames(served);
  return served.wanted.names.filter((name) => !uncovered.includes(name));
}

function uncoveredNames({ wanted, stored }: ServedCertificate): readonly string[] {
  return namesUncovered(wanted.names, stored?.facts.names ?? []);
}

function hasAddress(names: readonly string[]): boolean {
  return names.some(isIpAddress);
}

function isOfConfiguredAuthority({ stored, kind }: ServedCertificate, config: Config): boolean {
  if (stored === undefined || !['valid', 'fallback'].includes(kind)) return false;
  const { authority } = stored.id;
  return authority === config.certDirectoryUrl || authority === config.certFallbackDirectoryUrl;
}

/** Browsers trust it without being told to: neither a private authority's nor one for trials. */
function isPublic({ stored }: ServedCertificate, config: Config): boolean {
  if (stored === undefined) return false;
  const { authority } = stored.id;
  const caFile = authority === config.certDirectoryUrl ? config.certCaFile : config.certFallbackCaFile;
  const isStaging = authority === config.certStagingUrl || /staging/i.test(new URL(authority).host);
  return caFile === undefined && !isStaging;
}
