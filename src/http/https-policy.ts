import { always, headerBlock, textType, type Answer, type HeaderBlock } from './answer.ts';
import { hostMatcher, hostName } from './host-name.ts';
import type { Request } from './request.ts';

/** What plain HTTP and HTTPS tell browsers of each other. */
export interface HttpsRules {
  /** Names under a certificate of the configured authority; the first is where other names are sent. Empty: no redirects. */
  readonly redirectNames: readonly string[];
  /** Names of ours that the certificate for them does not hold yet: they stay on plain HTTP. */
  readonly laterNames: readonly string[];
  /** DNS names that HSTS goes out for (RFC 6797). */
  readonly hstsNames: readonly string[];
  /** `auto`, or whole seconds. */
  readonly hsts: 'auto' | number;
  /** Since when such a certificate has served, milliseconds since 1970. */
  readonly since: number;
}

export interface HttpsPolicy {
  /** From now on. `httpsPort` is the port that clients come to. */
  use(rules: HttpsRules, httpsPort: number): void;
  /** What a page's caller over plain HTTP gets: the page's place on HTTPS, or the page where there is none yet. */
  redirect(request: Request, page: Answer): Answer;
  sendsHsts(host: string): boolean;
  withHsts(head: HeaderBlock): HeaderBlock;
}

const dayMs = 24 * 60 * 60 * 1000;
const yearSeconds = 365 * 24 * 60 * 60;

const matcher = (names: readonly string[]) => (names.length === 0 ? () => false : hostMatcher(names));

/** `trusts` says whether a socket's peer is a proxy whose word counts. */
export function createHttpsPolicy(trusts: (peer: Request['peer']) => boolean): HttpsPolicy {
  let port = 443;
  let rules: HttpsRules = { redirectNames: [], laterNames: [], hstsNames: [], hsts: 'auto', since: Infinity };
  let isCovered: (host: string) => boolean = () => false;
  let isStrict = isCovered;
  let isLater = isCovered;
  let made = new WeakMap<HeaderBlock, HeaderBlock>();
  let madeSettled = false;

  /** A mistake of the first day is forgotten the next: so long nothing is said that a browser keeps. */
  const settled = (): boolean => Date.now() - rules.since > dayMs;
  const maxAgeSeconds = (): number =>
    rules.hsts === 'auto' ? (settled() ? yearSeconds : dayMs / 1000) : rules.hsts;

  const target = (request: Request): string => {
    const host = request.header('host');
    if (isLater(host)) return '';
    // A wildcard stands for many names, none of which is known to be there.
    const name = isCovered(host)
      ? hostName(host)
      : rules.redirectNames.find((each) => !each.startsWith('*.'));
    const query = request.query();
    const authority = `${name?.includes(':') ? `[${name}]` : name}${port === 443 ? '' : `:${port}`}`;
    return name === undefined ? '' : `https://${authority}${request.path}${query === '' ? '' : `?${query}`}`;
  };

  return {
    use(next, httpsPort) {
      rules = next;
      port = httpsPort;
      isCovered = matcher(next.redirectNames);
      isStrict = matcher(next.hstsNames);
      isLater = matcher(next.laterNames);
      made = new WeakMap();
    },
    redirect(request, page) {
      if (rules.redirectNames.length === 0) return page;
      // A proxy in front has taken care of HTTPS: sending its clients there again would go round for ever.
      if (trusts(request.peer) && request.header('x-forwarded-proto').toLowerCase() === 'https') return page;
      const location = target(request);
      // oxlint-disable-next-line no-control-regex -- what would break out of the header line
      if (location === '' || /[\u0000-\u0020\u007f-\uffff]/.test(location)) return page;
      return {
        status: settled() ? 308 : 307,
        head: headerBlock(textType, {
          ...always,
          Location: location,
          'Cache-Control': 'no-store',
          Vary: 'Accept, User-Agent',
        }),
        body: `This page is at ${location}\n`,
      };
    },
    sendsHsts: (host) => isStrict(host),
    withHsts(head) {
      if (settled() !== madeSettled) {
        madeSettled = !madeSettled;
        made = new WeakMap();
      }
      let block = made.get(head);
      if (block === undefined) {
        const line = `\r\nStrict-Transport-Security: max-age=${maxAgeSeconds()}`;
        block = Buffer.concat([head, Buffer.from(line, 'latin1')]) as Uint8Array as HeaderBlock;
        made.set(head, block);
      }
      return block;
    },
  };
}
