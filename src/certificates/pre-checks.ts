import { randomBytes } from 'node:crypto';

import { bogonKind } from '../core/bogon.ts';
import { reasonOf } from '../core/errors.ts';
import { isIpAddress, parseIpAddress } from '../core/ip-address.ts';
import type { ChallengeProbe, ProbeResult } from '../ports/challenge-probe.ts';
import type { ChallengeResponder } from '../ports/challenge-responder.ts';
import type { CaaProperty, NameResolver } from '../ports/name-resolver.ts';
import { caaClimb, caaObstacle } from './caa.ts';

/** Something that may keep an authority from signing, and what to do about it, in words for the owner. */
export interface Warning {
  readonly name: string;
  readonly text: string;
}

export interface PreCheck {
  /** DNS names, wildcards, IP addresses in canonical form. */
  readonly names: readonly string[];
  /** Those that the authority's directory tells (RFC 8555 §7.1.1); empty where it tells none. */
  readonly caaIdentities: readonly string[];
  /** The account's URL, where there is one already: CAA records may ask for it. */
  readonly accountUrl?: string | undefined;
  /** Whether the authority is on the public Internet and so comes by public addresses alone. */
  readonly publicAuthority: boolean;
  /** Whether there is a program for DNS (`CERT_DNS_HOOK`): all but addresses is proven by dns-01 then. */
  readonly dnsHook: boolean;
  /** Where port 80 is listened on (`APP_LISTEN_HOST`). */
  readonly listenHost: string;
  readonly responder: ChallengeResponder;
  readonly resolver: NameResolver;
  readonly probe: ChallengeProbe;
  readonly signal: AbortSignal;
}

/** DNS takes at most 2 s of it, a probe after that 2.5. */
const limitMs = 5000;

/**
 * Looks for what commonly keeps an authority from signing, before it is asked: CAA records, addresses that are missing
 * or dead, challenges that do not arrive. From here the world can look different than from there (NAT, clouds, two
 * views of DNS), so all of it is warnings and never a verdict. Takes at most 5 s, all names side by side. Never rejects.
 */
export async function preCheck(request: PreCheck): Promise<readonly Warning[]> {
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(limitMs)]);
  const methodOf = (name: string) => (request.dnsHook || name.startsWith('*.') ? 'dns-01' : 'http-01');
  const dnsNames = request.names.filter((name) => !isIpAddress(name));
  const overHttp = request.names.filter((name) => isIpAddress(name) || methodOf(name) === 'http-01');
  const recordsOf = remembered((name) => request.resolver.caa(name, signal));
  const found = await Promise.all([
    ...dnsNames.map((name) => caaWarnings(name, methodOf(name), request, recordsOf)),
    arrivalWarnings(overHttp, request, signal),
  ]);
  if (request.signal.aborted) return [];
  const warnings = [...familyWarnings(request), ...found.flat()];
  // in the order of the names
  return request.names.flatMap((name) => warnings.filter((warning) => warning.name === name));
}

/** Parents are shared by many names and asked for once. */
function remembered<Answer>(ask: (name: string) => Promise<Answer>): (name: string) => Promise<Answer> {
  const answers = new Map<string, Promise<Answer>>();
  return (name) => {
    const answer = answers.get(name) ?? ask(name);
    answers.set(name, answer);
    return answer;
  };
}

/** Addresses of a family in which nobody listens. */
function familyWarnings({ names, listenHost }: PreCheck): Warning[] {
  const listening = parseIpAddress(listenHost);
  // all of IPv6 takes connections of IPv4 too
  if (listening === undefined || listening.text === '::') return [];
  return names.flatMap((name) => {
    const { version = listening.version } = parseIpAddress(name) ?? {};
    if (version === listening.version) return [];
    const family = `IPv${version}`;
    return {
      name,
      text: `nothing listens on ${family}, because APP_LISTEN_HOST is ${listenHost}: with "::" it listens on both`,
    };
  });
}

async function caaWarnings(
  name: string,
  method: 'http-01' | 'dns-01',
  { caaIdentities, accountUrl }: PreCheck,
  recordsOf: (name: string) => Promise<readonly CaaProperty[]>,
): Promise<Warning[]> {
  const places = caaClimb(name);
  // all at once: each would else wait for the one below it
  const answers = await Promise.allSettled(places.map(recordsOf));
  for (const [index, answer] of answers.entries()) {
    if (answer.status === 'rejected') {
      const reason = reasonOf(answer.reason);
      return [{ name, text: `${reason}; an authority that gets no answer either does not sign` }];
    }
    if (answer.value.length === 0) continue;
    const wildcard = name.startsWith('*.');
    const question = { wildcard, identities: caaIdentities, method, accountUrl };
    const obstacle = caaObstacle(answer.value, question);
    return obstacle === undefined ? [] : [{ name, text: `the CAA record of ${places[index]} ${obstacle}` }];
  }
  return [];
}

/** Puts up a challenge that nobody asked for, and fetches it by every address of every name. */
async function arrivalWarnings(
  names: readonly string[],
  request: PreCheck,
  signal: AbortSignal,
): Promise<Warning[]> {
  const token = randomBytes(32).toString('base64url');
  const content = `${token}.${randomBytes(32).toString('base64url')}`;
  if (names.length === 0) return [];
  const { responder } = request;
  const presented = withinSignal(responder.present(token, content), signal);
  presented.catch(() => undefined); // also where no name has an address and nobody waits
  try {
    const found = names.map(async (name) => {
      const addresses = await addressesOf(name, request, signal);
      if (!Array.isArray(addresses)) return [{ name, text: addresses }];
      await presented;
      return addressWarnings(name, addresses, request, { token, content, signal });
    });
    return (await Promise.all(found)).flat();
  } catch (error) {
    return [{ name: names[0]!, text: `challenges could not be put up to try them: ${reasonOf(error)}` }];
  } finally {
    await withinSignal(responder.remove(token), signal).catch(() => undefined);
  }
}

/** The addresses that the name has, or what is wrong with them. */
async function addressesOf(
  name: string,
  { resolver }: PreCheck,
  signal: AbortSignal,
): Promise<string[] | string> {
  if (isIpAddress(name)) return [name];
  try {
    const addresses = await resolver.addresses(name, signal);
    if (addresses.length > 0) return [...addresses];
    return 'it has no address in DNS, so nobody can come here to check it: add an A or AAAA record';
  } catch (error) {
    return reasonOf(error);
  }
}

interface Challenge {
  readonly token: string;
  readonly content: string;
  readonly signal: AbortSignal;
}

async function addressWarnings(
  name: string,
  addresses: readonly string[],
  { probe, publicAuthority }: PreCheck,
  { token, content, signal }: Challenge,
): Promise<Warning[]> {
  const tried = await Promise.all(
    addresses.map(async (address) => {
      const parsed = parseIpAddress(address);
      const special = publicAuthority && parsed !== undefined ? bogonKind(parsed) : undefined;
      if (special !== undefined) return { address, fault: notPublic(address, special) };
      const result = await probe.fetch(name, address, token, signal);
      const arrived = result.kind === 'answer' && result.status === 200 && result.body.trim() === content;
      return { address, fault: arrived ? undefined : faultText(address, result) };
    }),
  );
  const good = tried.find(({ fault }) => fault === undefined)?.address;
  return tried.flatMap(({ address, fault }) =>
    fault === undefined ? [] : [{ name, text: `${fault}: ${remedyFor(address, good)}` }],
  );
}

function notPublic(address: string, kind: string): string {
  return `seen from here it is at ${address}, where the authority cannot come (${kind.replaceAll('-', ' ')})`;
}

function faultText(address: string, result: ProbeResult): string {
  const at = `port 80 of ${address}`;
  if (result.kind === 'no-route') return `this host has no way to ${address} itself`;
  if (result.kind === 'refused') return `${at} refuses the connection or cuts it off`;
  if (result.kind === 'not-http') return `at ${at} something answers that is no web server`;
  if (result.kind === 'silent') {
    return result.connected ? `${at} takes the connection and says nothing` : `${at} does not answer`;
  }
  if (result.location !== undefined && result.status >= 300 && result.status < 400) {
    return `${at} sends the challenge on to ${printable(result.location)}`;
  }
  const server = result.server === undefined ? '' : `, ${printable(result.server)}`;
  return `at ${at} something else answers (status ${result.status}${server})`;
}

function remedyFor(address: string, good: string | undefined): string {
  const record = address.includes(':') ? 'AAAA' : 'A';
  if (good === undefined) {
    return 'where that is not NAT or a cloud that looks different from outside, point the record here and open port 80';
  }
  const order = record === 'AAAA' ? 'authorities try IPv6 first' : 'an authority may try that one';
  return `${good} is right and ${order}, so correct or remove the ${record} record`;
}

/** A header of somebody else's, on one line. */
function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 100);
}

/** Rejects when the signal aborts first. */
function withinSignal<Result>(promise: Promise<Result>, signal: AbortSignal): Promise<Result> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason as Error);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  aborted.catch(() => undefined);
  return Promise.race([promise, aborted]).finally(() => signal.removeEventListener('abort', abort));
}
