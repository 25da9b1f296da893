import type { CaaProperty } from '../ports/name-resolver.ts';

/** What an authority that is about to sign wants to know of a record set. */
export interface CaaQuestion {
  readonly wildcard: boolean;
  /** The authority's own names, `caaIdentities` of its directory (RFC 8555 §7.1.1); empty where it tells none. */
  readonly identities: readonly string[];
  readonly method: 'http-01' | 'dns-01';
  /** Undefined where there is no account yet: then a record that asks for one is not held against it. */
  readonly accountUrl: string | undefined;
}

const critical = 0x80;
const knownTags = new Set(['issue', 'issuewild', 'iodef', 'contactemail', 'contactphone', 'issuemail']);

/** From the name up to its top-level domain: the first record set that is not empty counts (RFC 8659 §3). */
export function caaClimb(name: string): string[] {
  const labels = name.replace(/^\*\./, '').split('.');
  return labels.map((_, index) => labels.slice(index).join('.'));
}

/**
 * Why the record set keeps the authority from signing (RFC 8659 §4, parameters of RFC 8657), as the end of the
 * sentence "the CAA record …"; undefined where it does not, or where that cannot be told.
 */
export function caaObstacle(records: readonly CaaProperty[], question: CaaQuestion): string | undefined {
  const unknown = records.find(({ flags, tag }) => (flags & critical) !== 0 && !knownTags.has(tag));
  if (unknown !== undefined) return `has a critical property "${unknown.tag}", which stops every authority`;
  const wild = records.filter(({ tag }) => tag === 'issuewild');
  const relevant = question.wildcard && wild.length > 0 ? wild : records.filter(({ tag }) => tag === 'issue');
  if (relevant.length === 0) return undefined;
  const issuers = relevant.map(({ value }) => parseIssuer(value));
  const allowed = [...new Set(issuers.flatMap((issuer) => issuer?.domain || []))];
  if (allowed.length === 0) return 'lets no authority sign';
  if (question.identities.length === 0) return undefined;

  const identities = question.identities.map((each) => each.toLowerCase().replace(/\.$/, ''));
  const ours = issuers.filter((issuer) => issuer !== undefined && identities.includes(issuer.domain));
  if (ours.length === 0) {
    const tag = relevant[0]!.tag;
    return (
      `lets only ${allowed.join(', ')} sign, and this authority is ${identities.join(' or ')}: ` +
      `add one with 0 ${tag} "${identities[0]}"`
    );
  }
  if (ours.some((issuer) => permits(issuer!, question))) return undefined;
  return `asks for another account or another kind of proof than ${question.method}: correct its accounturi or validationmethods`;
}

interface Issuer {
  /** In lower case; empty where nobody may sign. */
  readonly domain: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** `ca.example; tag=value; tag=value` (RFC 8659 §4.2); undefined for anything else, which allows nobody. */
function parseIssuer(value: string): Issuer | undefined {
  const [domain = '', ...rest] = value.split(';').map((part) => part.trim());
  if (!/^[a-z0-9.-]*$/i.test(domain)) return undefined;
  const parameters = new Map<string, string>();
  for (const part of rest) {
    if (part === '') continue;
    const [, tag, text] = /^([a-z0-9-]+)\s*=\s*([\x21-\x7e]*)$/i.exec(part) ?? [];
    if (tag === undefined || text === undefined) return undefined;
    parameters.set(tag.toLowerCase(), text);
  }
  return { domain: domain.toLowerCase().replace(/\.$/, ''), parameters };
}

function permits({ parameters }: Issuer, { method, accountUrl }: CaaQuestion): boolean {
  const methods = parameters.get('validationmethods');
  const account = parameters.get('accounturi');
  if (methods !== undefined && !methods.split(',').includes(method)) return false;
  return account === undefined || accountUrl === undefined || account === accountUrl;
}
