import type { Clock } from '../core/clock.ts';
import { Failure } from '../core/errors.ts';
import type { Alert } from '../ports/alerter.ts';
import type { StoredCertificate } from '../ports/certificate-store.ts';
import { endAlert, failingAlert, recoveredAlert, servedAlert, unservedAlert } from './alert-texts.ts';
import type { CertificateEvent, CertificateEvents } from './events.ts';
import { idOf, type Inventory } from './inventory.ts';
import { freshState, type AttemptError, type ToldAlerts } from './renewal-state.ts';
import { warnAt } from './renewal-window.ts';
import type { Situation } from './schedule.ts';

/** A failure that mends itself is no person's business before this many in a row. */
const patience = 3;

const nothingTold: ToldAlerts = { failing: false, expiring: undefined, expired: undefined };

/** Decides what the hook and a person are told of, each thing once, and notes in the states that they were. */
export interface Notices {
  /** An attempt failed at `authority`; the state has it already. */
  failed(situation: Situation, authority: string, error: AttemptError, retryable: boolean): void;
  /**
   * Looks at what has to be told of one wanted certificate: a new one, one that ends soon, one that works again. `serving`
   * is what the workers have, which differs from what is to serve while they cannot take it over.
   */
  check(situation: Situation, serving: StoredCertificate | undefined): void;
  /** New certificates cannot be served, for the given time in a row. */
  unserved(error: unknown, failures: number): void;
  /** They are served again. */
  served(): void;
  /** When `check` may have something to tell again, or another state is to be shown; undefined where nothing is foreseen. */
  nextAt(serving: StoredCertificate | undefined): number | undefined;
  /** Resolves when everything was told. */
  settled(): Promise<void>;
}

export interface NoticesOptions {
  readonly inventory: Inventory;
  readonly events: CertificateEvents;
  readonly clock: Clock;
  /** Ends what is being told. */
  readonly signal: AbortSignal;
  /** Called when a state was changed after its telling was over. */
  readonly changed: () => void;
}

export function createNotices({ inventory, events, clock, signal, changed }: NoticesOptions): Notices {
  const underWay = new Set<Promise<void>>();
  const announcing = new Set<string>();
  let toldUnserved = false;

  function start(telling: Promise<void>): Promise<void> {
    // it rejects when the service ends: what was not told is told after the next start
    const quiet = telling.catch(() => undefined).finally(() => underWay.delete(quiet));
    underWay.add(quiet);
    return telling;
  }

  function tell(alert: Alert): void {
    start(events.alert(alert, signal)).catch(() => undefined);
  }

  function call(event: CertificateEvent): void {
    start(events.hook(event, signal)).catch(() => undefined);
  }

  function warningAt({ id, facts }: StoredCertificate): number {
    const state = inventory.state(id);
    return warnAt(facts, state.fingerprint === facts.fingerprint ? state : freshState);
  }

  const primaryId = ({ wanted, primary }: Situation) => idOf(primary.authority, wanted);

  /** After the hook has ended, so that one that was cut off runs again. */
  function announce(situation: Situation, certificate: StoredCertificate): void {
    const { names } = situation.wanted;
    const { fingerprint } = certificate.facts;
    const id = primaryId(situation);
    if (announcing.has(fingerprint)) return;
    announcing.add(fingerprint);
    const { authority } = certificate.id;
    start(events.hook({ kind: 'issued', names, authority, certificate, error: undefined }, signal))
      .then(() => {
        inventory.update(id, { announced: fingerprint });
        changed();
      })
      .catch(() => undefined)
      .finally(() => announcing.delete(fingerprint));
  }

  function warn(situation: Situation, kind: 'expiring' | 'expired', certificate: StoredCertificate): void {
    const { wanted, primary } = situation;
    const { authority } = certificate.id;
    const id = primaryId(situation);
    const { told, lastError } = inventory.state(id);
    if (told[kind] === certificate.facts.fingerprint) return;
    inventory.update(id, { told: { ...told, [kind]: certificate.facts.fingerprint } });
    call({ kind, names: wanted.names, authority, certificate, error: lastError });
    tell(endAlert(kind, wanted.names, certificate.facts.notAfter, primary.authority, lastError));
  }

  return {
    failed(situation, authority, error, retryable) {
      const { wanted, served } = situation;
      call({ kind: 'failed', names: wanted.names, authority, certificate: served, error });
      const id = primaryId(situation);
      const { told, failures, nextAttemptAt } = inventory.state(id);
      if (told.failing || authority !== id.authority || (retryable && failures < patience)) return;
      inventory.update(id, { told: { ...told, failing: true } });
      tell(failingAlert(wanted.names, { authority, failures, error, nextAttemptAt, served }));
    },

    check(situation, serving) {
      const { served, wanted } = situation;
      const now = clock.now();
      const id = primaryId(situation);
      if (served !== undefined && served.facts.notAfter > now) {
        if (inventory.state(id).announced !== served.facts.fingerprint) announce(situation, served);
      }
      if (serving === undefined) return;
      const ended = serving.facts.notAfter <= now;
      const late = !ended && warningAt(serving) <= now;
      if (ended) warn(situation, 'expired', serving);
      if (late) warn(situation, 'expiring', serving);
      const { told, failures } = inventory.state(id);
      const anything = told.failing || told.expiring !== undefined || told.expired !== undefined;
      if (ended || late || failures > 0 || !anything) return;
      inventory.update(id, { told: nothingTold });
      tell(recoveredAlert(wanted.names, serving));
    },

    unserved(error, failures) {
      const retryable = error instanceof Failure && error.retryable;
      if (toldUnserved || (retryable && failures < patience)) return;
      toldUnserved = true;
      tell(unservedAlert(error));
    },

    served() {
      if (!toldUnserved) return;
      toldUnserved = false;
      tell(servedAlert);
    },

    nextAt(serving) {
      if (serving === undefined) return undefined;
      const now = clock.now();
      return [serving.facts.notBefore, warningAt(serving), serving.facts.notAfter].find((at) => at > now);
    },

    async settled() {
      while (underWay.size > 0) await Promise.all(underWay);
    },
  };
}
