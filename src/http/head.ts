import type { HttpRequest } from './native.ts';

/** What has to be known of a request's header lines before its route is asked. */
export interface Head {
  /**
   * Whether a body follows: `unclear` where two readers might disagree about its end (RFC 9112 §6.3: several lengths,
   * or a Transfer-Encoding that does not end in chunked). The native server takes the first length and lets other
   * encodings pass; what follows such a body may be a request that a proxy in front never saw as one (§11.2).
   */
  readonly body: 'none' | 'some' | 'unclear';
  /** All lines of the header in which a proxy names the client, in order. */
  readonly forwarded: readonly string[];
}

const noLines: readonly string[] = [];
const bare: Head = { body: 'none', forwarded: noLines };

let forwardedName: string | undefined;
let forwarded: string[] | undefined;
let bodyLines = 0;
let encoding = 'chunked';

// Made once: a closure for each request would be garbage a hundred thousand times a second.
const visit = (name: string, value: string): void => {
  if (name === forwardedName) (forwarded ??= []).push(value);
  else if (name === 'content-length') bodyLines++;
  else if (name === 'transfer-encoding') {
    bodyLines++;
    encoding = value;
  }
};

/**
 * Reads the head. `forwardedHeader` is the name of the header that counts, in lower case; without one, because the peer
 * is no trusted proxy, the lines are not gone through unless there is a body: an empty Transfer-Encoding is none then.
 */
export function readHead(request: HttpRequest, forwardedHeader: string | undefined): Head {
  if (
    forwardedHeader === undefined &&
    request.getHeader('content-length') === '' &&
    request.getHeader('transfer-encoding') === ''
  ) {
    return bare;
  }
  forwardedName = forwardedHeader;
  forwarded = undefined;
  bodyLines = 0;
  encoding = 'chunked';
  // All lines: getHeader sees the first of a name only, and a proxy may have added a second.
  request.forEach(visit);
  if (bodyLines === 0 && forwarded === undefined) return bare;
  const unclear = bodyLines > 1 || encoding.toLowerCase() !== 'chunked';
  return {
    body: bodyLines === 0 ? 'none' : unclear ? 'unclear' : 'some',
    forwarded: forwarded ?? noLines,
  };
}
