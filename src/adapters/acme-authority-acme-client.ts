import type { Client } from 'acme-client';
import type { AcmeAuthority, AcmeOrder } from '../ports/acme-authority.ts';
import type { CertificateStore } from '../ports/certificate-store.ts';
import { openAccount, type ExternalBinding } from './acme-account.ts';
import { clockSentence, skew } from './acme-clock.ts';
import type { AcmeResponse } from './acme-exchange.ts';
import { accountContext } from './acme-problem.ts';
import { readAuthorization, readOrder, readRenewalInfo, retryAfterMs } from './acme-resources.ts';
import { createAcmeSession, makeClient, type AcmeSessionOptions } from './acme-session.ts';

export interface AcmeAuthorityOptions extends AcmeSessionOptions {
  readonly email: string | undefined;
  readonly externalBinding: ExternalBinding | undefined;
  readonly store: Pick<CertificateStore, 'account' | 'saveAccount'>;
}

/** An ACME server (RFC 8555) and one account there, by acme-client. */
export function createAcmeAuthority(options: AcmeAuthorityOptions): AcmeAuthority {
  const { directoryUrl: authority, clock, store, email, externalBinding } = options;
  const session = createAcmeSession(options);
  let client: Client | undefined;

  const opened = () => {
    if (client === undefined) throw new Error('open() comes first');
    return client;
  };

  const retryAfter = ({ headers }: AcmeResponse) => retryAfterMs(headers, clock.now());

  async function askForOrder(
    what: string,
    signal: AbortSignal,
    ask: () => Promise<{ url: string }>,
  ): Promise<AcmeOrder> {
    const { result, response } = await session.call(what, signal, ask);
    return session.reading(what, () =>
      readOrder(result, result.url, retryAfter(response), (document) => session.refuse(document, what)),
    );
  }

  return {
    url: authority,

    async open(progress, signal) {
      const directory = await session.directory(signal);
      const clockRemedy = clockSentence(directory.clockAheadMs, clock.now());
      if (clockRemedy !== undefined) progress(clockRemedy);
      client = await openAccount(
        {
          authority,
          directory,
          email,
          externalBinding,
          store,
          clock,
          makeClient: (key, url) => makeClient(authority, key, url, externalBinding),
          call: async (action) => (await session.call(accountContext, signal, action)).result,
          refuse: (document) => session.refuse(document, accountContext),
        },
        progress,
      );
      return {
        profiles: directory.profiles,
        caaIdentities: directory.caaIdentities,
        account: client.getAccountUrl(),
        clockSkewMs: skew(directory.clockAheadMs),
      };
    },

    async newOrder({ identifiers, profile, replaces }, signal) {
      const { renewalInfo } = await session.directory(signal);
      const data = {
        identifiers: [...identifiers],
        ...(profile === undefined ? {} : { profile }),
        // one that says nothing of renewal may refuse what it does not know (RFC 9773 §5)
        ...(replaces === undefined || renewalInfo === undefined ? {} : { replaces }),
      };
      return askForOrder('the order', signal, () => opened().createOrder(data));
    },

    // Of what its types ask for, acme-client looks at the few fields that are given here and below.
    order: (url, signal) =>
      askForOrder('the order', signal, () => opened().getOrder({ url } as Parameters<Client['getOrder']>[0])),

    async authorization(url, signal) {
      const what = 'the authorization';
      const known = { authorizations: [url] } as unknown as Parameters<Client['getAuthorizations']>[0];
      const { result, response } = await session.call(what, signal, () => opened().getAuthorizations(known));
      return session.reading(what, () =>
        readAuthorization(result[0], url, retryAfter(response), (document, name, type) =>
          session.refuse(document, `the validation of ${name}`, { challenge: { name, type } }),
        ),
      );
    },

    async answer(challenge, signal) {
      const known = challenge as unknown as Parameters<Client['completeChallenge']>[0];
      await session.call('the challenge', signal, () => opened().completeChallenge(known));
    },

    keyAuthorization: (challenge) =>
      opened().getChallengeKeyAuthorization(
        challenge as unknown as Parameters<Client['getChallengeKeyAuthorization']>[0],
      ),

    finalize({ url, finalize }, request, signal) {
      const known = { url, finalize } as Parameters<Client['finalizeOrder']>[0];
      return askForOrder('the certificate', signal, () => opened().finalizeOrder(known, request));
    },

    async certificate(url, signal) {
      const known = { url, status: 'valid', certificate: url } as Parameters<Client['getCertificate']>[0];
      const { response } = await session.call('the certificate', signal, () =>
        opened().getCertificate(known),
      );
      return response.text;
    },

    async renewalInfo(ariId, signal) {
      const { renewalInfo } = await session.directory(signal);
      if (renewalInfo === undefined) return undefined;
      const what = 'the time of renewal';
      const response = await session.get(`${renewalInfo.replace(/\/$/, '')}/${ariId}`, what, signal);
      return session.reading(what, () => readRenewalInfo(response, clock.now()));
    },
  };
}
