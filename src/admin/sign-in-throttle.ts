import { createHash } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import { networkText, parseIpAddress } from '../core/ip-address.ts';
import type { Cache } from '../ports/cache.ts';

const minuteMs = 60_000;
/** Fewer for an address than for an account, so that nobody keeps an owner out from one address. */
const ofAddress = { name: 'sign-in-addresses', limit: 20, lifeMs: 15 * minuteMs };
const ofAccount = { name: 'sign-in-accounts', limit: 50, lifeMs: 60 * minuteMs };
/** Of this process, whoever they are of, while the cache does not count. */
const withoutCache = { limit: 20, lifeMs: minuteMs };

/** How often somebody may try a password: with all processes and hosts that share the cache. */
export interface SignInThrottle {
  /**
   * Counts an attempt, before its password is looked at. Gives how long to wait, milliseconds; 0: go on. `name` is
   * as it was typed, known or not; `address` canonical. Never rejects.
   */
  attempt(name: string, address: string): Promise<number>;
  /** The password was right: the account's attempts are forgotten, those of the address stay. */
  succeeded(name: string): Promise<void>;
}

export function createSignInThrottle(cache: Cache, clock: Pick<Clock, 'now'>): SignInThrottle {
  const bounds = { maxEntries: 10_000, maxValueBytes: 100 };
  const addresses = cache.namespace({ ...bounds, name: ofAddress.name, lifeMs: ofAddress.lifeMs });
  const accounts = cache.namespace({ ...bounds, name: ofAccount.name, lifeMs: ofAccount.lifeMs });
  let here = { startedMs: 0, count: 0 };

  const attemptHere = (): number => {
    const now = clock.now();
    if (Math.abs(now - here.startedMs) >= withoutCache.lifeMs) here = { startedMs: now, count: 0 };
    here.count += 1;
    return here.count > withoutCache.limit ? here.startedMs + withoutCache.lifeMs - now : 0;
  };

  return {
    async attempt(name, address) {
      const ofHere = await addresses.increment(networkOf(address));
      if (ofHere === undefined) return attemptHere();
      // an address that may not try does not count against the account
      if (ofHere.count > ofAddress.limit) return Math.max(1, ofHere.endsInMs);
      const ofName = await accounts.increment(accountKey(name));
      if (ofName === undefined) return attemptHere();
      return ofName.count > ofAccount.limit ? Math.max(1, ofName.endsInMs) : 0;
    },
    async succeeded(name) {
      await accounts.delete(accountKey(name));
    },
  };
}

/** Names that are one account are one key; what people type there by mistake, a password for one, is not kept. */
function accountKey(name: string): string {
  const folded = name.slice(0, 1_000).normalize('NFC').toLowerCase().normalize('NFC');
  return createHash('sha256').update(folded).digest('base64url');
}

/** Whoever has one IPv6 address has all of its /64. */
function networkOf(address: string): string {
  const parsed = parseIpAddress(address);
  return parsed?.version === 6 ? networkText(parsed, 64) : address;
}
