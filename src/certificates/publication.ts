import type { Clock } from '../core/clock.ts';
import { Failure, reasonOf } from '../core/errors.ts';
import type { Logger } from '../ports/logger.ts';
import type { StoredCertificate } from '../ports/certificate-store.ts';
import type { WantedCertificate } from './certificate-service.ts';
import type { Notices } from './notices.ts';
import type { AttemptError } from './renewal-state.ts';
import { clockWasAhead, retryDelayMs } from './retry.ts';
import type { ServedCertificate } from './serving.ts';
import { timeText } from '../core/time-text.ts';

export type Serve = (certificates: readonly ServedCertificate[]) => Promise<void>;

/** Has the workers serve what is to be served, and tries again where they cannot. */
export interface Publication {
  /**
   * Resolves when it serves or when that has failed; does nothing where it serves already, or where the next try is later, unless
   * somebody wants it `atOnce`.
   */
  publish(certificates: readonly ServedCertificate[], atOnce?: boolean): Promise<void>;
  /** Whether just this was published last with success. */
  isServed(certificates: readonly ServedCertificate[]): boolean;
  /** What was published last with success for a wanted certificate. */
  serving(wanted: WantedCertificate): StoredCertificate | undefined;
  /** The same, as it was published. */
  published(wanted: WantedCertificate): ServedCertificate | undefined;
  /** A worker does not serve all that was published: it is handed over again with the next `publish`. */
  lost(failure: Failure): void;
  /** When the next try is, in milliseconds since 1970, and what failed; undefined where nothing did. */
  readonly trouble: (AttemptError & { readonly failures: number; readonly nextAt: number }) | undefined;
}

export interface PublicationOptions {
  readonly serve: Serve;
  readonly notices: Pick<Notices, 'served' | 'unserved'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
}

const unservedByOne = 'a worker does not serve every certificate';

export function createPublication({ serve, notices, clock, log, random }: PublicationOptions): Publication {
  let published: { readonly text: string; readonly list: readonly ServedCertificate[] } | undefined;
  let isLost = false;
  let refused = '';
  let trouble: Publication['trouble'];

  return {
    async publish(list, atOnce = false) {
      const text = textOf(list);
      if (published?.text === text && !isLost) {
        trouble = undefined;
        notices.served();
        return;
      }
      const before = refused === text ? trouble : undefined;
      const isLater =
        before !== undefined && !clockWasAhead(before.at, clock.now()) && clock.now() < before.nextAt;
      if (isLater && !atOnce) return;
      try {
        await serve(list);
        published = { text, list };
        isLost = false;
        trouble = undefined;
        notices.served();
      } catch (error) {
        refused = text;
        const now = clock.now();
        const failures = (before?.failures ?? 0) + 1;
        const nextAt = now + retryDelayMs(failures, leastLife(list, now), undefined, random);
        const isNew = published?.text !== text;
        const what = isNew ? 'the new certificate is not served' : unservedByOne;
        trouble = {
          at: now,
          message: `${what}: ${reasonOf(error)}`,
          remedy: error instanceof Failure ? error.remedy : undefined,
          code: error instanceof Failure ? error.code : 'unexpected',
          failures,
          nextAt,
        };
        log.error(
          { err: error, remedy: trouble.remedy, next: timeText(nextAt) },
          isNew ? `${trouble.message}; what was there before serves on` : trouble.message,
        );
        notices.unserved(error, failures);
      }
    },
    isServed: (list) => published?.text === textOf(list),
    serving: (wanted) => published?.list.find((one) => one.wanted === wanted)?.stored,
    published: (wanted) => published?.list.find((one) => one.wanted === wanted),
    lost(failure) {
      isLost = true;
      const { message, remedy, code } = failure;
      const now = clock.now();
      trouble = { at: now, message: `${unservedByOne}: ${message}`, remedy, code, failures: 1, nextAt: now };
    },
    get trouble() {
      return trouble;
    },
  };
}

function textOf(list: readonly ServedCertificate[]): string {
  return list
    .map(({ stored, kind, servesSince }) =>
      [stored?.id.authority, stored?.facts.fingerprint, kind, servesSince].join(' '),
    )
    .join('\n');
}

/** Of the certificate that ends first. */
function leastLife(list: readonly ServedCertificate[], now: number) {
  const lives = list.flatMap(({ stored }) =>
    stored === undefined
      ? []
      : [{ leftMs: stored.facts.notAfter - now, wholeMs: stored.facts.notAfter - stored.facts.notBefore }],
  );
  return lives.toSorted((one, other) => one.leftMs - other.leftMs)[0];
}
