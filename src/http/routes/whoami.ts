import { fullJson, textFields } from '../../whoami/formats.ts';
import { json, text } from '../answer.ts';
import { Problem } from '../problem.ts';
import type { Route } from '../router.ts';

export const whoamiRoute: Route = {
  path: '/whoami',
  handle: (request) => json(request.subject().whoamiBody),
};

/** `hostnameOf` gives the name that reverse DNS has for an address; absent when that is switched off. */
export function jsonRoute(hostnameOf?: (address: string) => Promise<string | undefined>): Route {
  return {
    path: '/json',
    handle(request) {
      const record = request.record();
      const userAgent = request.headerText('user-agent') || undefined;
      if (hostnameOf === undefined) return json(fullJson(record, { userAgent }));
      return hostnameOf(record.address.text).then((hostname) =>
        json(fullJson(record, { hostname, userAgent })),
      );
    },
  };
}

/** `/ip`, `/country` and the others of one line. */
export const textRoutes: readonly Route[] = Object.entries(textFields).map(([path, field]) => ({
  path,
  handle(request) {
    const record = request.record();
    const value = field(record);
    if (value !== undefined) return text(value);
    const why =
      record.bogon === undefined ? 'the databases do not know it' : `the address is ${record.bogon}`;
    throw new Problem(404, 'not-known', `There is no ${path.slice(1)} for ${record.address.text}: ${why}.`);
  },
}));
