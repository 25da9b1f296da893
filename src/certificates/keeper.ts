import type { Clock } from '../core/clock.ts';
import { Failure, reasonOf } from '../core/errors.ts';
import type { CertificateIssuer, Progress } from '../ports/certificate-issuer.ts';
import type { CertificateStore, StoredCertificate } from '../ports/certificate-store.ts';
import type { Logger } from '../ports/logger.ts';
import type { Attempts } from './attempt.ts';
import type { WantedCertificate } from './certificate-service.ts';
import { idOf, type Inventory } from './inventory.ts';
import type { Notices } from './notices.ts';
import { afterCertificate } from './outcome.ts';
import type { Publication } from './publication.ts';
import { clockWasAhead } from './retry.ts';
import { planFor, type Situation } from './schedule.ts';
import { importAuthority, kindOf, type Authorities, type ServedCertificate } from './serving.ts';
import { timeText } from '../core/time-text.ts';
import { createWindows } from './windows.ts';

/** Between two tries to get a lock that another process holds: doubled each time, up to a minute. */
const lockedWaitMs = 5000;
const longestLockedWaitMs = 60_000;
/** Between two tries to write what could not be written. */
const unwrittenWaitMs = 10 * 60_000;
const dayMs = 24 * 60 * 60_000;

/** Does what is due for one wanted certificate after another; the schedule and the command both ask it. */
export interface Keeper {
  /** Reads the store, under the lock where that matters. */
  readonly situation: (wanted: WantedCertificate) => Situation;
  /** Does all that is due now, and has it served and told. Rejects only when the signal aborts, or where the store cannot be read. */
  look(signal: AbortSignal): Promise<void>;
  /** When there is something to do next, in milliseconds since 1970. */
  nextAt(): number;
  /**
   * Runs `action` for one wanted certificate while holding the lock, with everything read anew and the authority's window asked
   * for. Rejects as `CertificateStore.withLock` does, and with what `action` rejects with.
   */
  locked<Result>(
    wanted: WantedCertificate,
    signal: AbortSignal,
    action: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result>;
  /** Has the present choice served, also where the next try would be later with `atOnce`. Never rejects. */
  publish(atOnce?: boolean): Promise<void>;
  /** Why what was published last is not served; undefined where it is. */
  readonly trouble: Publication['trouble'];
  /** What serves, or will when it is published. */
  serving(wanted: WantedCertificate): StoredCertificate | undefined;
  /** Tells hook and person what is to be told of one, after what could be done about it was tried. */
  tell(wanted: WantedCertificate): void;
}

export interface KeeperOptions {
  readonly wanted: readonly WantedCertificate[];
  readonly authorities: Authorities;
  readonly issuer: CertificateIssuer;
  readonly fallback: CertificateIssuer | undefined;
  readonly store: CertificateStore;
  readonly inventory: Inventory;
  readonly attempts: Attempts;
  readonly notices: Notices;
  readonly publication: Publication;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
}

interface Pause {
  readonly since: number;
  readonly until: number;
  /** How often in a row. */
  readonly times: number;
}

const silent: Progress = () => undefined;

export function createKeeper(options: KeeperOptions): Keeper {
  const { wanted, authorities, store, inventory, attempts, notices, publication, clock, log, random } =
    options;
  /** Another process is at work, or the store is out of order: when to try again. */
  const pauses = new Map<WantedCertificate, Pause>();
  const windows = createWindows(options);
  let clockWarned = false;
  let writing: Pause = { since: 0, until: 0, times: 0 };

  /** Certificates that the states do not know: another process got them, or this one before it was killed. */
  function strangers({ wanted, primary, fallback, served }: Situation) {
    const brought = served?.id.authority === importAuthority ? [served] : [];
    const tracks = [primary, ...(fallback === undefined ? [] : [fallback])];
    return [
      ...tracks.flatMap(({ authority, current }) =>
        current === undefined ? [] : [{ id: idOf(authority, wanted), current }],
      ),
      ...brought.map((current) => ({ id: current.id, current })),
    ].filter(({ id, current }) => inventory.state(id).fingerprint !== current.facts.fingerprint);
  }

  function takeOver(situation: Situation): void {
    for (const { id, current } of strangers(situation)) {
      inventory.update(id, afterCertificate(inventory.state(id), current.facts, undefined, clock.now()));
    }
  }

  async function locked<Result>(
    wanted: WantedCertificate,
    signal: AbortSignal,
    action: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    return store.withLock(async (lockSignal) => {
      const either = AbortSignal.any([signal, lockSignal]);
      await inventory.reload();
      takeOver(inventory.situation(wanted));
      await windows.ask(inventory.situation(wanted), either);
      const result = await action(either);
      either.throwIfAborted();
      await inventory.flush();
      const now = clock.now();
      writing = { since: now, until: inventory.unwritten ? now + unwrittenWaitMs : now, times: 0 };
      return result;
    });
  }

  async function attemptWhatIsDue(wanted: WantedCertificate, signal: AbortSignal): Promise<void> {
    const first = inventory.situation(wanted);
    if (planFor(first, clock.now()).primary.at <= clock.now()) {
      await attempts.obtain(first, first.primary, silent, signal);
    }
    const then = inventory.situation(wanted);
    const { fallback } = planFor(then, clock.now());
    if (fallback !== undefined && then.fallback !== undefined && fallback.at <= clock.now()) {
      await attempts.obtain(then, then.fallback, silent, signal);
    }
  }

  function endOf(pause: Pause | undefined): number {
    return pause === undefined || clockWasAhead(pause.since, clock.now()) ? 0 : pause.until;
  }

  function doAt(wanted: WantedCertificate): number {
    const situation = inventory.situation(wanted);
    const { primary, fallback } = planFor(situation, clock.now());
    const at = Math.min(
      primary.at,
      fallback?.at ?? Infinity,
      strangers(situation).length > 0 ? 0 : Infinity,
      inventory.unwritten ? endOf(writing) : Infinity,
      ...windows.askTimes(situation),
    );
    return Math.max(at, endOf(pauses.get(wanted)));
  }

  async function turn(wanted: WantedCertificate, signal: AbortSignal): Promise<void> {
    const times = (pauses.get(wanted)?.times ?? 0) + 1;
    const pause = (until: number) => pauses.set(wanted, { since: clock.now(), until, times });
    const waitMs = Math.min(lockedWaitMs * 2 ** (times - 1), longestLockedWaitMs);
    const soon = clock.now() + waitMs * (1 - random() / 4);
    try {
      await locked(wanted, signal, (either) => attemptWhatIsDue(wanted, either));
      pauses.delete(wanted);
    } catch (error) {
      signal.throwIfAborted();
      pause(soon);
      if (error instanceof Failure && error.code === 'locked') {
        log.debug({ names: wanted.names }, error.message);
        return;
      }
      // the store cannot be locked or read, or the lock was lost: the waiting is that of an attempt that failed
      const situation = inventory.situation(wanted);
      if (planFor(situation, clock.now()).primary.at > clock.now()) {
        log.warn({ names: wanted.names, err: error }, reasonOf(error));
        return;
      }
      attempts.fail(situation, situation.primary, error);
      pause(inventory.situation(wanted).primary.state.nextAttemptAt ?? soon);
    }
  }

  function lostButServing(one: WantedCertificate, now: number): StoredCertificate | undefined {
    const serving = publication.serving(one);
    return serving !== undefined && serving.facts.notAfter > now ? serving : undefined;
  }

  async function publish(atOnce = false): Promise<void> {
    const now = clock.now();
    const listOf = (choose: (one: WantedCertificate) => StoredCertificate | undefined) =>
      wanted.map((one): ServedCertificate => {
        const stored = choose(one);
        const { served, primary } = inventory.situation(one);
        // with the certificate the store may have lost what was noted of it
        const { servesSince } = stored === served ? primary.state : publication.published(one)!;
        return { wanted: one, stored, kind: kindOf(stored, authorities, now), servesSince };
      });
    // what the store has lost serves on from memory, as long as nothing else is to be changed there
    const kept = listOf((one) => inventory.situation(one).served ?? lostButServing(one, now));
    const list = publication.isServed(kept) ? kept : listOf((one) => inventory.situation(one).served);
    await publication.publish(list, atOnce);
    warnOfClock(list);
  }

  /** One that is behind makes nothing lapse, but nothing else on this host can be trusted either. */
  function warnOfClock(list: readonly ServedCertificate[]): void {
    const now = clock.now();
    const ahead = list.find(({ stored }) => stored !== undefined && stored.facts.notBefore > now + dayMs);
    if (ahead?.stored !== undefined && !clockWarned) {
      const issued = timeText(ahead.stored.facts.notBefore);
      log.error(
        { names: ahead.wanted.names, remedy: 'Set the clock: timedatectl set-ntp true' },
        `the clock of this host says ${timeText(now)}, before the certificate that serves was issued (${issued})`,
      );
    }
    clockWarned = ahead !== undefined;
  }

  function tell(one: WantedCertificate): void {
    notices.check(inventory.situation(one), publication.serving(one));
  }

  return {
    situation: inventory.situation,
    locked,
    publish,
    serving: (one) => publication.serving(one) ?? inventory.situation(one).served,
    tell,
    get trouble() {
      return publication.trouble;
    },
    async look(signal) {
      const end = (one: WantedCertificate) => inventory.situation(one).served?.facts.notAfter ?? 0;
      for (const one of wanted.toSorted((a, b) => end(a) - end(b))) {
        signal.throwIfAborted();
        if (doAt(one) > clock.now()) continue;
        await turn(one, signal);
        await publish();
        tell(one);
      }
      // found out here, and not by a worker that starts anew; it is the first thing of the next look
      await inventory.forgetLost();
      await publish();
      wanted.forEach(tell);
    },
    nextAt() {
      return Math.min(
        publication.trouble?.nextAt ?? Infinity,
        ...wanted.flatMap((one) => [doAt(one), notices.nextAt(publication.serving(one)) ?? Infinity]),
      );
    },
  };
}
