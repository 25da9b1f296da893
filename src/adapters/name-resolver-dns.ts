import { Resolver } from 'node:dns/promises';

import { Failure } from '../core/errors.ts';
import type { CaaProperty, NameResolver } from '../ports/name-resolver.ts';

/** For one question, tries and servers together. */
const limitMs = 2000;

/** `servers` replaces those of the host, each as `ADDRESS:PORT`. */
export function createNameResolver(servers?: readonly string[]): NameResolver {
  /** A resolver for each question reads the host's servers anew, and can be cancelled without harm to others. */
  async function ask<Answer>(
    what: string,
    query: (resolver: Resolver) => Promise<readonly Answer[]>,
    signal: AbortSignal,
  ): Promise<readonly Answer[]> {
    const resolver = new Resolver({ timeout: 800, tries: 2 });
    if (servers !== undefined) resolver.setServers(servers);
    const limit = AbortSignal.any([signal, AbortSignal.timeout(limitMs)]);
    limit.throwIfAborted();
    const cancel = () => resolver.cancel();
    limit.addEventListener('abort', cancel, { once: true });
    try {
      return await query(resolver);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'fault';
      if (code === 'ENODATA' || code === 'ENOTFOUND') return [];
      throw new Failure(`DNS does not say ${what}: ${reasons[code] ?? code}`, {
        code: 'dns',
        retryable: true,
        remedy: 'Look at the name servers of this host (/etc/resolv.conf) and of the name.',
        cause: error,
      });
    } finally {
      limit.removeEventListener('abort', cancel);
    }
  }

  return {
    async addresses(name, signal) {
      const what = `which addresses ${name} has`;
      const found = await Promise.all([
        ask(what, (resolver) => resolver.resolve4(name), signal),
        ask(what, (resolver) => resolver.resolve6(name), signal),
      ]);
      return found.flat();
    },
    async caa(name, signal) {
      const records = await ask(
        `which authorities ${name} allows (CAA)`,
        (resolver) => resolver.resolveCaa(name),
        signal,
      );
      return records.flatMap(properties);
    },
  };
}

const reasons: Readonly<Record<string, string>> = {
  ETIMEOUT: 'no answer in time',
  ECANCELLED: 'no answer in time',
  ESERVFAIL: 'the name server failed (SERVFAIL)',
  EREFUSED: 'the name server refuses (REFUSED)',
  ECONNREFUSED: 'no name server could be reached',
};

/** Node has each record as an object with its flags and one property that is named after the tag. */
function properties(record: object): CaaProperty[] {
  const { critical: flags, type: _, ...tags } = record as { critical: number; type?: unknown };
  return Object.entries(tags as Record<string, string>).map(([tag, value]) => ({
    flags,
    tag: tag.toLowerCase(),
    value,
  }));
}
