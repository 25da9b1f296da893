import { reasonOf } from '../core/errors.ts';
import type { Clock } from '../core/clock.ts';
import type { CertificateId, CertificateStore, StoredCertificate } from '../ports/certificate-store.ts';
import type { Logger } from '../ports/logger.ts';
import type { WantedCertificate } from './certificate-service.ts';
import { forClock, forNames } from './outcome.ts';
import { freshState, parseRenewalState, type RenewalState } from './renewal-state.ts';
import type { Situation, Track } from './schedule.ts';
import { chooseServed, currentOf, importAuthority, type Authorities } from './serving.ts';

/** The certificates and states of the store as this process knows them. */
export interface Inventory {
  /** Reads all of it again, but for states that could not be written. Rejects where the certificates cannot be listed. */
  reload(): Promise<void>;
  readonly certificates: readonly StoredCertificate[];
  /** Drops certificates whose files were lost or damaged since they were read. */
  forgetLost(): Promise<void>;
  /** Takes a certificate in that was just saved. */
  add(certificate: StoredCertificate): void;
  state(id: CertificateId): RenewalState;
  update(id: CertificateId, change: Partial<RenewalState>): void;
  /** Whether there are states that are not in the store yet. */
  readonly unwritten: boolean;
  /** Writes them. The caller holds the lock. What cannot be written is told to the log and stays unwritten. */
  flush(): Promise<void>;
  situation(wanted: WantedCertificate): Situation;
}

export interface InventoryOptions {
  readonly wanted: readonly WantedCertificate[];
  readonly authorities: Authorities;
  readonly store: CertificateStore;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The certificate's place in the store at one authority. */
export function idOf(authority: string, wanted: WantedCertificate): CertificateId {
  return { authority, name: wanted.names[0]! };
}

export function createInventory({ wanted, authorities, store, clock, log }: InventoryOptions): Inventory {
  const { primary, fallback } = authorities;
  const ours = [primary, ...(fallback === undefined ? [] : [fallback]), importAuthority];
  const states = new Map<string, RenewalState>();
  const unwritten = new Map<string, CertificateId>();
  let certificates: readonly StoredCertificate[] = [];
  let lastTrouble = '';

  async function readState(id: CertificateId): Promise<void> {
    if (unwritten.has(keyOf(id))) return;
    let document: unknown;
    try {
      document = await store.state(id);
    } catch (error) {
      // the certificate may be well all the same; what is known of it holds
      log.warn({ err: error, ...id }, 'what was noted about the renewal of a certificate cannot be read');
      return;
    }
    const state = document === undefined ? freshState : parseRenewalState(document);
    if (state === undefined) {
      log.warn({ ...id }, 'what was noted about the renewal of a certificate is damaged; noted anew');
    }
    states.set(keyOf(id), state ?? freshState);
  }

  const state = (id: CertificateId) => states.get(keyOf(id)) ?? freshState;

  function gotAt({ id, facts }: StoredCertificate): number | undefined {
    const known = state(id);
    return known.fingerprint === facts.fingerprint ? known.gotAt : undefined;
  }

  function trackOf(authority: string, wanted: WantedCertificate, now: number): Track {
    const current = currentOf(authority, wanted, certificates, gotAt, now);
    const known = forNames(state(idOf(authority, wanted)), wanted.names, now);
    return { authority, state: forClock(known, current?.facts, now), current };
  }

  return {
    async reload() {
      const listed = await store.list();
      const known = new Set(listed.map(({ id }) => keyOf(id)));
      // a list goes by what is written beside each pair, which may be damaged; what cannot be read was told by it
      const wantedIds = ours.flatMap((authority) => wanted.map((one) => idOf(authority, one)));
      const unlisted = wantedIds.filter((id) => !known.has(keyOf(id)));
      const loaded = await Promise.all(unlisted.map((id) => store.load(id).catch(() => undefined)));
      certificates = [...listed, ...loaded.flatMap((found) => found ?? [])];
      const ids = new Map<string, CertificateId>();
      for (const { id } of certificates) if (ours.includes(id.authority)) ids.set(keyOf(id), id);
      for (const authority of ours) {
        for (const one of wanted) ids.set(keyOf(idOf(authority, one)), idOf(authority, one));
      }
      for (const id of ids.values()) await readState(id);
    },
    get certificates() {
      return certificates;
    },
    async forgetLost() {
      const isThere = (id: CertificateId) => store.load(id).then((found) => found !== undefined);
      // what cannot be read just now is not lost
      const there = await Promise.all(certificates.map(({ id }) => isThere(id).catch(() => true)));
      certificates = certificates.filter((_, index) => there[index]);
    },
    add(certificate) {
      const others = certificates.filter(({ id }) => keyOf(id) !== keyOf(certificate.id));
      certificates = [...others, certificate];
    },
    state,
    update(id, change) {
      states.set(keyOf(id), { ...state(id), ...change });
      unwritten.set(keyOf(id), id);
    },
    get unwritten() {
      return unwritten.size > 0;
    },
    async flush() {
      for (const [key, id] of unwritten) {
        try {
          await store.saveState(id, state(id));
          unwritten.delete(key);
          lastTrouble = '';
        } catch (error) {
          if (reasonOf(error) !== lastTrouble) {
            log.error(
              { err: error, ...id },
              'what is to be noted about the renewal of a certificate cannot be written',
            );
          }
          lastTrouble = reasonOf(error);
        }
      }
    },
    situation(wanted) {
      const now = clock.now();
      const served = chooseServed(wanted, certificates, authorities, gotAt, now);
      return {
        wanted,
        served,
        servedState: served === undefined ? freshState : state(served.id),
        primary: trackOf(primary, wanted, now),
        fallback: fallback === undefined ? undefined : trackOf(fallback, wanted, now),
      };
    },
  };
}

function keyOf({ authority, name }: CertificateId): string {
  return `${authority} ${name}`;
}
