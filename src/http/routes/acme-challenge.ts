import { heads } from '../answer.ts';
import { Problem } from '../problem.ts';
import type { Route } from '../router.ts';

export const challengePath = '/.well-known/acme-challenge/';

/** Key authorizations by their token, as they are now. */
export type Challenges = () => ReadonlyMap<string, string>;

/** What a certificate authority asks for to see that a name is ours (RFC 8555 §8.3). */
export function acmeChallengeRoute(challenges: Challenges): Route {
  return {
    path: `${challengePath}:token`,
    housekeeping: true,
    handle(request) {
      const keyAuthorization = challenges().get(request.path.slice(challengePath.length));
      if (keyAuthorization !== undefined) return { status: 200, head: heads.text, body: keyAuthorization };
      throw new Problem(404, 'not-found', 'No certificate authority is expected here with this token.');
    },
  };
}
