import { parseIpAddress, type IpAddress } from '../core/ip-address.ts';
import type { WhoamiRecord } from '../whoami/record.ts';
import type { Lookup, Remembered } from '../whoami/lookup.ts';
import type { ClientAddressHeader, ClientAddressRule } from './client-address.ts';
import type { HttpRequest } from './native.ts';
import { negotiate, type Representation } from './negotiate.ts';
import { Problem } from './problem.ts';

/** What every request of one server is read with. */
export interface RequestRules {
  readonly clientAddress: ClientAddressRule;
  readonly clientAddressHeader: ClientAddressHeader;
  readonly lookup: Lookup;
}

/**
 * One request, read as far as a route asks. The native objects behind it die when the handler returns: a route
 * that waits for something reads what it needs before.
 */
export class Request {
  readonly path: string;
  /** The address at the other end of the socket, whoever it speaks for. */
  readonly peer: IpAddress;
  private readonly request: HttpRequest;
  private readonly forwarded: readonly string[];
  private readonly rules: RequestRules;
  private known: Remembered | undefined;

  constructor(
    path: string,
    request: HttpRequest,
    peer: IpAddress,
    forwarded: readonly string[],
    rules: RequestRules,
  ) {
    this.path = path;
    this.request = request;
    this.peer = peer;
    this.forwarded = forwarded;
    this.rules = rules;
  }

  /** The first line of that name, or the empty text. */
  header(lowerCaseName: string): string {
    return this.request.getHeader(lowerCaseName);
  }

  /** The same as people read it, in UTF-8 as in `headerLines`: `header` has a character for each byte. */
  headerText(lowerCaseName: string): string {
    const value = this.header(lowerCaseName);
    return /[\u0080-\u00ff]/.test(value) ? Buffer.from(value, 'latin1').toString() : value;
  }

  /** Every header line, names in lower case, in order. */
  headerLines(): [name: string, value: string][] {
    const lines: [string, string][] = [];
    this.request.forEach((name, value) => lines.push([name, value]));
    return lines;
  }

  /** All that follows the question mark, as sent; empty where there is nothing. */
  query(): string {
    return this.request.getQuery() ?? '';
  }

  peerIsLoopback(): boolean {
    const { text } = this.peer;
    return text === '::1' || text.startsWith('127.');
  }

  /** Who is asking, by the trusted-proxy rule. */
  client(): IpAddress {
    return this.rules.clientAddress(this.peer, this.forwarded);
  }

  /** What is known of who is asking; may be called when the native objects are gone. */
  visitor(): Remembered {
    return (this.known ??= this.rules.lookup(this.client()));
  }

  /** The address that is asked about: `?ip=`, else the client's. Throws Problem 400 for a value that is none. */
  subject(): Remembered {
    const query = this.query();
    const asked = query ? askedAddress(query) : undefined;
    return asked === undefined ? this.visitor() : this.rules.lookup(asked);
  }

  /** Whether `?ip=` names an address, the caller's own or another. */
  asksForAnother(): boolean {
    return askedAddress(this.query()) !== undefined;
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
