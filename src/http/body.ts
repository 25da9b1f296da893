import type { HttpRequest } from './native.ts';

/**
 * How a request says that it has a body: `none`, `some`, or `unclear` where two readers might disagree about its end
 * (RFC 9112 §6.3: several Content-Length lines, or a Transfer-Encoding that does not end in chunked). The native
 * server takes the first Content-Length and lets other encodings pass; what follows such a body might be a request that a
 * proxy in front never saw as one (§11.2).
 */
export function bodyOf(request: HttpRequest): 'none' | 'some' | 'unclear' {
  const encoding = request.getHeader('transfer-encoding');
  const length = request.getHeader('content-length');
  if (encoding === '' && length === '') return 'none';
  let lines = 0;
  request.forEach((name) => {
    if (name === 'content-length' || name === 'transfer-encoding') lines++;
  });
  return lines > 1 || (encoding !== '' && encoding.toLowerCase() !== 'chunked') ? 'unclear' : 'some';
}
