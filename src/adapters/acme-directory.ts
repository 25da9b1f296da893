import { isObject } from '../core/is-object.ts';
import { ExchangeError, type AcmeResponse } from './acme-exchange.ts';

/** What an authority offers where (RFC 8555 §7.1.1, RFC 9773 §4.1, draft-ietf-acme-profiles §3). */
export interface AcmeDirectory {
  /** As it came, for the client that signs. */
  readonly document: object;
  readonly terms: string | undefined;
  readonly eabRequired: boolean;
  readonly profiles: readonly string[] | undefined;
  readonly caaIdentities: readonly string[];
  readonly renewalInfo: string | undefined;
  /** How far this host's clock is ahead of the server's, to the second; undefined without a `Date` header. */
  readonly clockAheadMs: number | undefined;
}

const required = ['newNonce', 'newAccount', 'newOrder'] as const;

/** Throws ExchangeError `not-acme`, which says what is wrong with the answer. */
export function readDirectory(response: AcmeResponse, now: number): AcmeDirectory {
  let document: unknown;
  try {
    document = JSON.parse(response.text);
  } catch {
    const html = /^\s*</.test(response.text);
    throw new ExchangeError(
      'not-acme',
      `${response.url} answers with ${html ? 'a web page' : 'no JSON'}, not with a directory.`,
    );
  }
  if (!isObject(document))
    throw new ExchangeError('not-acme', `${response.url} answers with JSON that is no directory.`);
  for (const name of required) httpsUrl(document[name], name);
  const meta = isObject(document['meta']) ? document['meta'] : {};
  const { termsOfService: terms, externalAccountRequired, profiles, caaIdentities } = meta;
  const renewalInfo = document['renewalInfo'];
  const date = Date.parse(response.headers.date ?? '');
  return {
    document,
    terms: typeof terms === 'string' ? terms : undefined,
    eabRequired: externalAccountRequired === true,
    profiles: isObject(profiles) ? Object.keys(profiles) : undefined,
    caaIdentities: Array.isArray(caaIdentities)
      ? caaIdentities.filter((each) => typeof each === 'string')
      : [],
    renewalInfo: renewalInfo === undefined ? undefined : httpsUrl(renewalInfo, 'renewalInfo'),
    clockAheadMs: Number.isNaN(date) ? undefined : now - date,
  };
}

function httpsUrl(value: unknown, name: string): string {
  if (typeof value === 'string' && URL.parse(value)?.protocol === 'https:') return value;
  throw new ExchangeError('not-acme', `Its directory has no HTTPS address for ${name}.`);
}
