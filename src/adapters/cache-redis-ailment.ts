import { reasonOf } from '../core/errors.ts';

/** Answers of the server, and errors of the way to it, by how they begin or what they hold. */
const ailments: readonly (readonly [pattern: RegExp, words: string])[] = [
  [/\bOOM /, 'is out of memory: raise its maxmemory'],
  [/WRONGPASS|invalid password/, 'refuses the password: correct REDIS_PASS'],
  [/NOAUTH|without any password|no password is set/, 'wants a password: set REDIS_PASS'],
  [/NOPERM/, 'does not permit what the cache needs: widen the rights of its user'],
  [/READONLY/, 'is a replica, which takes no writes: name the primary'],
  [/LOADING|BUSY Redis is busy loading/, 'is still loading its data'],
  [/^BUSY /, 'is busy with a script'],
  [/MISCONF/, 'takes no writes because it cannot save to its disk'],
  [/TRYAGAIN|redirections/, 'is moving a part of its data between servers'],
  [/CLUSTERDOWN|MASTERDOWN/, 'is not complete: a part of its servers is missing'],
  [/cluster support disabled/i, 'is no cluster: correct REDIS_CONNECTION_TYPE'],
  [/MOVED/, 'is part of a cluster: set REDIS_CONNECTION_TYPE to cluster'],
  [/DB index is out of range/, 'has no database of that number: correct REDIS_DB'],
  [/invalid reply: null|No such master/, 'has sentinels that know no group named mymaster'],
  [/unknown command .?.?SENTINEL/i, 'is no sentinel: correct REDIS_CONNECTION_TYPE'],
  // the server repeats what it was sent with it, and so the password
  [/unknown command/i, 'lacks a command that the cache needs: give it back to its user'],
  [/ECONNREFUSED/, 'does not run: the connection was refused'],
  [/ENOENT/, 'does not run: there is no such socket'],
  [/EACCES/, 'cannot be reached: this user may not use the socket'],
  [/ENOTFOUND|EAI_AGAIN/, 'cannot be found: its name has no address'],
  [/EHOSTUNREACH|ENETUNREACH/, 'cannot be reached: there is no way to its network'],
  [/ETIMEDOUT|timed out|Socket timeout/i, 'does not answer'],
  [/wrong version number|packet length too long|unsupported protocol/i, 'does not speak TLS there'],
  [/ALTNAME|does not match certificate/, 'shows a certificate of another name'],
  [/certificate|CERT_/i, 'shows a certificate that is not trusted'],
  [/connect to sentinel/, 'has no sentinel that answers'],
  [/ECONNRESET|EPIPE|closed|writeable|isn't ready|disconnected|failed to refresh/i, 'is not connected'],
];

const maxReason = 120;

/** What ails Redis, to go on after its name. Only patterns and short texts of errors: no argument of a command. */
export function redisAilment(error: unknown): string {
  const reason = reasonsOf(error);
  const known = ailments.find(([pattern]) => pattern.test(reason));
  return known?.[1] ?? `fails: ${reason.split('\n')[0]?.slice(0, maxReason)}`;
}

/** The texts of an error and of what ioredis hangs onto it for the nodes of a cluster. */
function reasonsOf(error: unknown): string {
  const { code, lastNodeError } = error as { code?: unknown; lastNodeError?: unknown };
  const own = `${reasonOf(error)} ${typeof code === 'string' ? code : ''}`.trim();
  return lastNodeError === undefined ? own : `${reasonsOf(lastNodeError)}\n${own}`;
}
