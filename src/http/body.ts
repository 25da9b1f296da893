import type { HttpRequest, HttpResponse } from './native.ts';

/** What a caller may send before it is told that nobody wants it. */
const mostBytes = 8 * 1024 * 1024;

/**
 * Whether a body is to be read to its end before the answer. Who is answered and cut off while still sending sees a reset,
 * and a proxy reports that as 502 in the place of the answer (RFC 9112 §9.6). Not one that is too long, and not one whose
 * sender waits to be told to begin (`Expect`).
 */
export function isReadBeforeAnswer(request: HttpRequest): boolean {
  if (request.getHeader('expect') !== '') return false;
  const length = request.getHeader('content-length');
  // of chunks; or else no byte, whose end the native server does not always tell
  return length === '' || (Number(length) > 0 && Number(length) <= mostBytes);
}

/**
 * Reads a body and drops it. Resolves when it has ended or is over the bound; never when the caller leaves before. Who
 * sends too slowly, or nothing for ten seconds, is cut off by the native server.
 */
export function dropBody(response: HttpResponse): Promise<void> {
  return new Promise((resolve) => {
    let bytes = 0;
    response.onData((chunk, isLast) => {
      bytes += chunk.byteLength;
      if (isLast || bytes > mostBytes) resolve();
    });
  });
}
