import { json } from '../answer.ts';
import type { Route } from '../router.ts';

const secret = new Set(['authorization', 'cookie', 'proxy-authorization']);

/** `GET /headers`: what the request carried; lines of one name are joined, secrets are not shown. */
export const headersRoute: Route = {
  path: '/headers',
  handle(request) {
    const headers = new Map<string, string>();
    for (const [name, value] of request.headerLines()) {
      const before = headers.get(name);
      const shown = secret.has(name) ? '(redacted)' : value;
      headers.set(name, before === undefined || secret.has(name) ? shown : `${before}, ${shown}`);
    }
    return json(`${JSON.stringify(Object.fromEntries(headers))}\n`);
  },
};
