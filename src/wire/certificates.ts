import { join } from 'node:path';
import { createAcmeAuthority } from '../adapters/acme-authority-acme-client.ts';
import { createAlertCommand } from '../adapters/alert-command.ts';
import { createCertificateStore } from '../adapters/certificate-store-files.ts';
import { createChallengeProbe } from '../adapters/challenge-probe-http.ts';
import { createNameResolver } from '../adapters/name-resolver-dns.ts';
import { standIn } from '../adapters/stand-in.ts';
import type { CertificateService } from '../certificates/certificate-service.ts';
import { createCertificateEvents, type CertificateEvents } from '../certificates/events.ts';
import { createIssuer } from '../certificates/order.ts';
import { preCheck } from '../certificates/pre-checks.ts';
import { createCertificateService } from '../certificates/renewal.ts';
import type { Config } from '../config/schema.ts';
import { checkPair } from '../core/certificate-pair.ts';
import { systemClock } from '../core/clock.ts';
import { reasonOf } from '../core/errors.ts';
import type { CertificateEvent } from '../history/certificate-events.ts';
import type { TlsSettings } from '../http/public-server.ts';
import type { CertificateIssuer } from '../ports/certificate-issuer.ts';
import type { ChallengeResponder } from '../ports/challenge-responder.ts';
import type { Logger } from '../ports/logger.ts';
import { tlsSettingsOf } from './tls-settings.ts';

export interface CertificatesOptions {
  readonly config: Config;
  readonly responder: ChallengeResponder;
  readonly log: Logger;
  /** Who takes the lock, for people. */
  readonly holder: string;
  /** Has the workers serve it; where nothing serves, there is nothing to tell. */
  serve(settings: TlsSettings): Promise<void>;
  /** Told of what happens to certificates, for their history. */
  readonly record?: (event: CertificateEvent) => void;
}

/** One authority of the configuration. */
interface AuthoritySettings {
  readonly directoryUrl: string;
  readonly caFile: string | undefined;
  readonly kid: string | undefined;
  readonly hmacKey: string | undefined;
  /** What its keys in the configuration begin with. */
  readonly prefix: 'CERT' | 'CERT_FALLBACK';
}

/** What keeps the certificates of a configuration. */
export function createCertificates(options: CertificatesOptions): CertificateService {
  const { config, responder, log, holder } = options;
  const folder = join(config.dataDir, 'certificates');
  const clock = systemClock;
  const store = createCertificateStore({ folder, log, holder });
  const resolver = createNameResolver();
  const probe = createChallengeProbe();

  /** HTTPS is better served with what is gone after a restart than not at all. */
  const standInFor = async (names: readonly string[]) => {
    try {
      return await standIn(folder, names);
    } catch (error) {
      log.warn({ reason: reasonOf(error), instead: config.runDir }, 'the stand-in cannot be kept');
      return standIn(config.runDir, names);
    }
  };

  const issuerOf = ({ directoryUrl, caFile, kid, hmacKey, prefix }: AuthoritySettings): CertificateIssuer =>
    createIssuer({
      authority: createAcmeAuthority({
        directoryUrl,
        caFile,
        email: config.certEmail,
        externalBinding: kid === undefined || hmacKey === undefined ? undefined : { kid, hmacKey },
        store,
        clock,
        settings: {
          directoryUrl: `${prefix}_DIRECTORY_URL`,
          caFile: `${prefix}_CA_FILE`,
          eab: `${prefix}_EAB_KID and ${prefix}_EAB_HMAC`,
        },
      }),
      store,
      responder,
      dnsHook: config.certDnsHook,
      // it is one of the first authority's
      profileIsWish: prefix === 'CERT_FALLBACK',
      clock,
      log,
      async preCheck(names, { caaIdentities, account: accountUrl }, signal) {
        const publicAuthority = caFile === undefined;
        const dnsHook = config.certDnsHook !== undefined;
        const request = {
          names,
          caaIdentities,
          accountUrl,
          publicAuthority,
          dnsHook,
          listenHost: config.listenHost,
          responder,
          resolver,
          probe,
        };
        const warnings = await preCheck({ ...request, signal });
        return warnings.map(({ name, text }) => `${name}: ${text}`);
      },
    });
  const first: AuthoritySettings = {
    directoryUrl: config.certDirectoryUrl,
    caFile: config.certCaFile,
    kid: config.certEabKid,
    hmacKey: config.certEabHmac,
    prefix: 'CERT',
  };
  const { certStagingUrl, certFallbackDirectoryUrl } = config;

  return createCertificateService({
    wanted: (config.certificates ?? []).map((names) => ({
      names,
      keyType: config.certKeyType,
      profile: config.certProfile,
    })),
    store,
    clock,
    log,
    issuer: issuerOf(first),
    staging: certStagingUrl === undefined ? undefined : issuerOf({ ...first, directoryUrl: certStagingUrl }),
    fallback:
      certFallbackDirectoryUrl === undefined
        ? undefined
        : issuerOf({
            directoryUrl: certFallbackDirectoryUrl,
            caFile: config.certFallbackCaFile,
            kid: config.certFallbackEabKid,
            hmacKey: config.certFallbackEabHmac,
            prefix: 'CERT_FALLBACK',
          }),
    checkEveryMs: config.certRenewCheckMs,
    async serve(served) {
      await options.serve(await tlsSettingsOf(served, standInFor, config));
    },
    events: recorded(
      createCertificateEvents({
        hook: config.certHook,
        alerter: config.alertCommand === undefined ? undefined : createAlertCommand(config.alertCommand),
        log,
      }),
      options.record,
    ),
    factsOf: ({ chain, key }) => checkPair(chain, key).facts,
  });
}

/** With each event in the history too. */
function recorded(events: CertificateEvents, record: CertificatesOptions['record']): CertificateEvents {
  return {
    ...events,
    hook(event, signal) {
      const { kind, names, authority, certificate, error } = event;
      record?.({
        event: kind,
        name: names[0] ?? '',
        authority,
        notAfterMs: certificate?.facts.notAfter,
        error: error?.message,
        details: { names: [...names], ...(error?.remedy !== undefined && { remedy: error.remedy }) },
      });
      return events.hook(event, signal);
    },
  };
}
