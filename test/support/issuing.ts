import {
  createAcmeAuthority,
  type AcmeAuthorityOptions,
} from '../../src/adapters/acme-authority-acme-client.ts';
import { createIssuer, type IssuerOptions } from '../../src/certificates/order.ts';
import { systemClock } from '../../src/core/clock.ts';
import {
  AuthorityFailure,
  type CertificateIssuer,
  type IssueRequest,
} from '../../src/ports/certificate-issuer.ts';
import type { CertificatePair } from '../../src/ports/certificate-store.ts';
import type { Logger } from '../../src/ports/logger.ts';
import type { ChallengeServer } from './challenge-server.ts';
import { memoryCertificateStore, type MemoryStore } from './memory-certificate-store.ts';

const silentLog: Logger = { debug() {}, info() {}, warn() {}, error() {}, debugging: false };

/** An issuer in this process, with a store in memory, on a real authority. */
export interface Issuing {
  readonly issuer: CertificateIssuer;
  readonly store: MemoryStore;
  /** What it said so far. */
  readonly progress: readonly string[];
  issue(request?: Partial<IssueRequest>, signal?: AbortSignal): Promise<CertificatePair>;
  /** What it failed with; throws when it did not, or with something else than an AuthorityFailure. */
  failure(request?: Partial<IssueRequest>): Promise<AuthorityFailure>;
}

export function issuing(
  authority: { readonly directoryUrl: string; readonly caFile: string | undefined },
  responder: ChallengeServer,
  more: Partial<AcmeAuthorityOptions & IssuerOptions> & { readonly store?: MemoryStore } = {},
): Issuing {
  const store = more.store ?? memoryCertificateStore();
  const progress: string[] = [];
  const acme = createAcmeAuthority({
    directoryUrl: authority.directoryUrl,
    caFile: authority.caFile,
    email: 'owner@example.org',
    externalBinding: undefined,
    clock: systemClock,
    ...more,
    store,
  });
  const issuer = createIssuer({
    responder,
    dnsHook: undefined,
    clock: systemClock,
    log: silentLog,
    ...more,
    authority: acme,
    store,
  });
  const issue: Issuing['issue'] = (request, signal = AbortSignal.timeout(50_000)) =>
    issuer.issue(
      {
        names: ['a.example.test'],
        keyType: 'ecdsa-p256',
        profile: undefined,
        replaces: undefined,
        keep: true,
        ...request,
      },
      (step) => progress.push(step),
      signal,
    );
  return {
    issuer,
    store,
    progress,
    issue,
    async failure(request) {
      const error: unknown = await issue(request).then(
        () => new Error('a certificate was issued'),
        (reason: unknown) => reason,
      );
      if (error instanceof AuthorityFailure) return error;
      throw error;
    },
  };
}
