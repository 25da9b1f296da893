import type { Answer } from './answer.ts';
import type { Request } from './request.ts';

/** One path that answers GET (and so HEAD and OPTIONS). */
export interface Route {
  /** The path, or, ending in `/:name`, everything one segment below it. */
  readonly path: string;
  /** Asked by what looks after the service, which is no visit. */
  readonly housekeeping?: true;
  handle(request: Request): Answer | Promise<Answer>;
}

export interface Router {
  readonly routes: readonly Route[];
  /** The route of a path; a trailing slash makes no difference. Undefined where there is none. */
  find(path: string): Route | undefined;
}

export function createRouter(routes: readonly Route[]): Router {
  const exact = new Map(routes.filter(({ path }) => !path.includes(':')).map((route) => [route.path, route]));
  const below = routes
    .filter(({ path }) => path.includes(':'))
    .map((route) => ({ route, prefix: route.path.slice(0, route.path.indexOf(':')) }));
  const find = (path: string): Route | undefined =>
    exact.get(path) ??
    below.find(
      ({ prefix }) =>
        path.length > prefix.length && path.startsWith(prefix) && !path.includes('/', prefix.length),
    )?.route;
  return {
    routes,
    find: (path) =>
      find(path) ?? (path.length > 2 && path.endsWith('/') ? find(path.slice(0, -1)) : undefined),
  };
}
