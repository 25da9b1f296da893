import type { Clock } from '../core/clock.ts';
import { Failure, reasonOf } from '../core/errors.ts';
import { AuthorityFailure, type CertificateIssuer } from '../ports/certificate-issuer.ts';
import type { StoredCertificate } from '../ports/certificate-store.ts';
import type { Logger } from '../ports/logger.ts';
import { within } from './deadline.ts';
import { idOf, type Inventory } from './inventory.ts';
import { ariAfterAnswer, ariAfterFailure, ariAskAt, lifeOf } from './renewal-window.ts';
import { planFor, type Situation, type Track } from './schedule.ts';
import { timeText } from '../core/time-text.ts';

const longestAnswerMs = 30_000;
const shortestAnswerMs = 1000;

/** Asks the authorities when they want their certificates renewed (RFC 9773). */
export interface Windows {
  /** When they are asked next for one wanted certificate, in milliseconds since 1970. */
  askTimes(situation: Situation): readonly number[];
  /** Asks those whose time it is and notes what they say. Rejects only when the signal aborts. */
  ask(situation: Situation, signal: AbortSignal): Promise<void>;
}

export interface WindowsOptions {
  readonly issuer: CertificateIssuer;
  readonly fallback: CertificateIssuer | undefined;
  readonly inventory: Inventory;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
}

export function createWindows({ issuer, fallback, inventory, clock, log, random }: WindowsOptions): Windows {
  /** The second authority's window counts only while its certificate is needed. */
  function tracks(situation: Situation): readonly (Track & { readonly current: StoredCertificate })[] {
    const needed = planFor(situation, clock.now()).fallback === undefined ? [] : [situation.fallback];
    return [situation.primary, ...needed].flatMap((track) =>
      track?.current === undefined ? [] : [{ ...track, current: track.current }],
    );
  }

  async function answerOf(
    authority: string,
    ariId: string,
    lifeMs: number,
    signal: AbortSignal,
  ): Promise<Awaited<ReturnType<CertificateIssuer['renewalInfo']>>> {
    const limitMs = Math.max(Math.min(longestAnswerMs, lifeMs / 20), shortestAnswerMs);
    const late = () => new Failure('no answer in time', { code: 'ari-timeout', retryable: true });
    const at = authority === issuer.authority ? issuer : fallback!;
    const info = await within(clock, limitMs, late, signal, (either) => at.renewalInfo(ariId, either));
    if (info === undefined || info.end > info.start) return info;
    throw new Failure('its window ends before it begins', { code: 'ari-window', retryable: true });
  }

  return {
    askTimes(situation) {
      const now = clock.now();
      return tracks(situation).flatMap(({ current, state }) => ariAskAt(current.facts, state, now) ?? []);
    },

    async ask(situation, signal) {
      const { names } = situation.wanted;
      for (const { current, state, authority } of tracks(situation)) {
        const { ariId } = current.facts;
        const at = ariAskAt(current.facts, state, clock.now());
        if (ariId === undefined || at === undefined || at > clock.now()) continue;
        const id = idOf(authority, situation.wanted);
        const life = lifeOf(current.facts, state.gotAt);
        try {
          const info = await answerOf(authority, ariId, life.end - life.start, signal);
          const ari = ariAfterAnswer(ariId, state.ari, info, life, clock.now(), random);
          inventory.update(id, { ari });
          if (ari.window === undefined || ari.window.moment === state.ari?.window?.moment) continue;
          const { moment, explanationUrl } = ari.window;
          log.info(
            { names, authority, moment: timeText(moment), why: explanationUrl },
            'moment of renewal chosen',
          );
        } catch (error) {
          signal.throwIfAborted();
          const retryAfterMs = error instanceof AuthorityFailure ? error.retryAfterMs : undefined;
          const ari = ariAfterFailure(ariId, state.ari, retryAfterMs, life, clock.now(), random);
          inventory.update(id, { ari });
          log.debug(
            { names, authority, err: error },
            `the authority does not say when to renew: ${reasonOf(error)}`,
          );
        }
      }
    },
  };
}
