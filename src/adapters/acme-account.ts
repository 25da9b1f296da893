import { generateKeyPairSync } from 'node:crypto';
import type { Client } from 'acme-client';
import type { Clock } from '../core/clock.ts';
import { AuthorityFailure, type Progress } from '../ports/certificate-issuer.ts';
import type { CertificateStore } from '../ports/certificate-store.ts';
import type { AcmeDirectory } from './acme-directory.ts';

/** EAB (RFC 8555 §7.3.4), as the authority gave it out. */
export interface ExternalBinding {
  readonly kid: string;
  /** base64url */
  readonly hmacKey: string;
}

export interface AccountOptions {
  readonly authority: string;
  readonly directory: AcmeDirectory;
  readonly email: string | undefined;
  readonly externalBinding: ExternalBinding | undefined;
  readonly store: Pick<CertificateStore, 'account' | 'saveAccount'>;
  readonly clock: Clock;
  readonly makeClient: (key: string, url: string | undefined) => Client;
  /** Runs what a client does; rejects with AuthorityFailure. */
  readonly call: <Result>(action: () => Promise<Result>) => Promise<Result>;
  /** The failure of a problem document of ours. */
  readonly refuse: (document: object) => AuthorityFailure;
}

/**
 * The client of our account (RFC 8555 §7.3): the one in the store where the authority still knows it, its contact
 * brought up to date; else a new one, whose key is in the store before the authority hears of it.
 */
export async function openAccount(options: AccountOptions, progress: Progress): Promise<Client> {
  const { authority, store } = options;
  let stored = await store.account(authority);
  if (stored?.url !== undefined) {
    const client = options.makeClient(stored.key, stored.url);
    const state = await look(client, options);
    if (state === 'open') return client;
    progress(
      `the authority ${state === 'closed' ? 'has closed' : 'does not know'} our account: registering another`,
    );
    // the key of a closed account cannot be used again
    stored = state === 'closed' ? undefined : { ...stored, url: undefined };
  }
  const account = stored ?? { key: makeAccountKey(), url: undefined, terms: undefined };
  if (stored === undefined) await store.saveAccount(authority, account);
  const client = options.makeClient(account.key, undefined);
  const registered = stored !== undefined && (await isRegistered(client, options));
  if (!registered) await register(client, options, progress);
  const { terms } = options.directory;
  await store.saveAccount(authority, {
    key: account.key,
    url: await options.call(async () => client.getAccountUrl()),
    terms: terms === undefined ? undefined : { url: terms, agreedAt: options.clock.now() },
  });
  return client;
}

async function look(client: Client, options: AccountOptions): Promise<'open' | 'closed' | 'unknown'> {
  try {
    const account = await options.call(() => client.updateAccount());
    if (account.status !== 'valid') return 'closed';
    const contact = contactOf(options.email);
    if (String(account.contact ?? []) === String(contact)) return 'open';
    await options.call(() => client.updateAccount({ contact }));
    return 'open';
  } catch (error) {
    if (!(error instanceof AuthorityFailure)) throw error;
    const { type, status } = error.problem;
    if (type === 'accountDoesNotExist') return 'unknown';
    if (type === 'unauthorized' && status !== undefined) return 'closed';
    throw error;
  }
}

/**
 * Whether the authority has this key from a run that ended before it had read the answer (RFC 8555 §7.3.1). Asked
 * beforehand: acme-client would update an account that is there already with the fields of a new one, which servers refuse.
 */
async function isRegistered(client: Client, options: AccountOptions): Promise<boolean> {
  try {
    await options.call(() => client.createAccount({ onlyReturnExisting: true }));
    return true;
  } catch (error) {
    const absent = ['accountDoesNotExist', 'externalAccountRequired'];
    if (error instanceof AuthorityFailure && absent.includes(error.problem.type)) return false;
    throw error;
  }
}

async function register(client: Client, options: AccountOptions, progress: Progress): Promise<void> {
  const { terms, eabRequired } = options.directory;
  if (eabRequired && options.externalBinding === undefined) {
    throw options.refuse({ type: 'urn:ietf:params:acme:error:externalAccountRequired' });
  }
  if (terms !== undefined) progress(`agreeing to the terms at ${terms}`);
  const contact = contactOf(options.email);
  await options.call(() =>
    client.createAccount({
      ...(terms === undefined ? {} : { termsOfServiceAgreed: true }),
      ...(contact.length === 0 ? {} : { contact }),
    }),
  );
}

const contactOf = (email: string | undefined) => (email === undefined ? [] : [`mailto:${email}`]);

/** The kind of key that every server accepts (RFC 8555 §6.2). */
function makeAccountKey(): string {
  return generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  }).privateKey;
}
