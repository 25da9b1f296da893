import type { CacheState } from '../ports/cache.ts';
import type { Logger } from '../ports/logger.ts';

type Kind = 'read' | 'write';

/** What ails a cache in words for people; knows nothing of what is kept, and never has a password in it. */
export interface CacheHealth {
  /** Ends what ailed it; a read does not end what ailed a write. */
  succeeded(kind: Kind): void;
  /** `ailment` goes on after the server's name: "does not answer". */
  failed(ailment: string, kind: Kind): void;
  /** As a read does, before anybody has asked for anything. */
  recovered(): void;
  ails(ailment: string): void;
  state(): CacheState;
}

const tellEveryMs = 5000;

/**
 * `subject` names the cache as the start of a sentence: "the cache, Redis at 127.0.0.1:6379,". The log is told of an ailment
 * at once, and of what changes after that every five seconds, however often it changes.
 */
export function cacheHealth(kind: CacheState['kind'], subject: string, log: Logger): CacheHealth {
  let ailment: { readonly words: string; readonly of: Kind } | undefined;
  let since = 0;
  let told: string | undefined;
  let toldAt = -Infinity;
  let later: NodeJS.Timeout | undefined;
  let used = false;
  let failures = 0;

  const tell = (): void => {
    if (ailment?.words === told || later !== undefined) return;
    const wait = toldAt + tellEveryMs - performance.now();
    if (wait > 0) {
      later = setTimeout(() => {
        later = undefined;
        tell();
      }, wait).unref();
      return;
    }
    told = ailment?.words;
    toldAt = performance.now();
    if (told === undefined) log.info({}, `${subject} works again`);
    else log.warn({}, `${subject} ${told}`);
  };
  const ails = (words: string, of: Kind = 'read'): void => {
    if (ailment === undefined) since = performance.now();
    // a write that meets what was known tells nothing of writes
    ailment = { words, of: ailment?.words === words ? ailment.of : of };
    tell();
  };
  const ended = (kind: Kind): void => {
    if (ailment === undefined || (kind === 'read' && ailment.of === 'write')) return;
    ailment = undefined;
    tell();
  };

  return {
    ails,
    recovered: () => ended('read'),
    succeeded(kind) {
      used = true;
      ended(kind);
    },
    failed(words, kind) {
      used = true;
      failures += 1;
      ails(words, kind);
    },
    state() {
      if (ailment === undefined) {
        return { kind, ok: true, words: `${subject} ${used ? 'works' : 'has not been asked yet'}`, failures };
      }
      const seconds = Math.round((performance.now() - since) / 1000);
      return { kind, ok: false, words: `${subject} ${ailment.words}, for ${seconds} s now`, failures };
    },
  };
}
