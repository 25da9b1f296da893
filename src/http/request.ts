import { parseIpAddress, type IpAddress } from '../core/ip-address.ts';
import type { WhoamiRecord } from '../whoami/record.ts';
import type { Lookup, Remembered } from '../whoami/lookup.ts';
import type { ClientAddressHeader, ClientAddressRule } from './client-address.ts';
import type { HttpRequest, HttpResponse } from './native.ts';
import { negotiate, type Representation } from './negotiate.ts';
import type { Peers } from './peers.ts';
import { Problem } from './problem.ts';

/** What every request of one server is read with. */
export interface RequestRules {
  readonly clientAddress: ClientAddressRule;
  readonly clientAddressHeader: ClientAddressHeader;
  readonly lookup: Lookup;
}

const noLines: readonly string[] = [];

/**
 * One request, read as far as a route asks. The native objects behind it die when the handler returns: a route
 * that waits for something reads what it needs before.
 */
export class Request {
  readonly path: string;
  private readonly request: HttpRequest;
  private readonly response: HttpResponse;
  private readonly rules: RequestRules;
  private readonly peers: Peers;

  constructor(path: string, request: HttpRequest, response: HttpResponse, rules: RequestRules, peers: Peers) {
    this.path = path;
    this.request = request;
    this.response = response;
    this.rules = rules;
    this.peers = peers;
  }

  /** The first line of that name, or the empty text. */
  header(lowerCaseName: string): string {
    return this.request.getHeader(lowerCaseName);
  }

  /** Every header line, names in lower case, in order. */
  headerLines(): [name: string, value: string][] {
    const lines: [string, string][] = [];
    this.request.forEach((name, value) => lines.push([name, value]));
    return lines;
  }

  /** The address at the other end of the socket, whoever it speaks for. */
  peer(): IpAddress {
    return this.peers.of(this.response);
  }

  peerIsLoopback(): boolean {
    const { text } = this.peer();
    return text === '::1' || text.startsWith('127.');
  }

  /** Who is asking, by the trusted-proxy rule. */
  client(): IpAddress {
    const { clientAddress, clientAddressHeader } = this.rules;
    const peer = this.peer();
    if (!clientAddress.trusts(peer)) return peer;
    let lines: string[] | undefined;
    // All lines: getHeader sees the first one only, and a proxy may have added a second.
    this.request.forEach((name, value) => {
      if (name === clientAddressHeader) (lines ??= []).push(value);
    });
    return clientAddress(peer, lines ?? noLines);
  }

  /** The address that is asked about: `?ip=`, else the client's. Throws Problem 400 for a value that is none. */
  subject(): Remembered {
    const query = this.request.getQuery();
    return this.rules.lookup(query ? (askedAddress(query) ?? this.client()) : this.client());
  }

  /** Whether `?ip=` names an address, the caller's own or another. */
  asksForAnother(): boolean {
    return askedAddress(this.request.getQuery() ?? '') !== undefined;
  }

  record(): WhoamiRecord {
    return this.subject().record;
  }

  /** Which look the caller wants; undefined when it accepts none of ours. */
  wants(): Representation | undefined {
    return negotiate(this.header('accept'), this.header('user-agent'));
  }
}

function askedAddress(query: string): IpAddress | undefined {
  const asked = new URLSearchParams(query).getAll('ip');
  if (asked.length === 0) return undefined;
  if (asked.length > 1) throw new Problem(400, 'ip-repeated', 'The parameter "ip" was given more than once.');
  const text = asked[0]!.trim();
  const address = parseIpAddress(/^\[.*:.*\]$/.test(text) ? text.slice(1, -1) : text);
  if (address !== undefined) return address;
  const shown = text.length > 64 ? `${text.slice(0, 64)}…` : text;
  throw new Problem(400, 'ip-invalid', `The parameter "ip" is not an IPv4 or IPv6 address: "${shown}".`);
}
