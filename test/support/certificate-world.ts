import { createHash } from 'node:crypto';
import { exitCodes, Failure } from '../../src/core/errors.ts';
import {
  AuthorityFailure,
  type CertificateIssuer,
  type IssueRequest,
  type Progress,
  type RenewalInfo,
} from '../../src/ports/certificate-issuer.ts';
import type { Alert } from '../../src/ports/alerter.ts';
import type {
  CertificateFacts,
  CertificateId,
  CertificatePair,
  CertificateStore,
  StoredCertificate,
} from '../../src/ports/certificate-store.ts';
import type { Logger } from '../../src/ports/logger.ts';
import type { CertificateService, WantedCertificate } from '../../src/certificates/certificate-service.ts';
import type { CertificateEvent } from '../../src/certificates/events.ts';
import { createCertificateService } from '../../src/certificates/renewal.ts';
import type { ServedCertificate } from '../../src/certificates/serving.ts';
import { SimulatedClock } from './simulated-clock.ts';

export const second = 1000;
export const minute = 60 * second;
export const hour = 60 * minute;
export const day = 24 * hour;
export const epoch = Date.UTC(2027, 0, 1);

/** Numbers that look random and are the same in each run. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

export function wantedFor(...names: string[]): WantedCertificate {
  return { names, keyType: 'ecdsa-p256', profile: undefined };
}

let serials = 0;

/** Certificates in a simulation are their facts as JSON: nothing in it looks inside. */
export function made(facts: Partial<CertificateFacts> & { names: readonly string[] }): CertificatePair {
  serials += 1;
  const serial = serials.toString(16).toUpperCase();
  const whole: CertificateFacts = {
    serial,
    fingerprint: createHash('sha256').update(serial).digest('hex'),
    issuer: 'CN=Simulated',
    notBefore: epoch,
    notAfter: epoch + 90 * day,
    ariId: `ari.${serial}`,
    ...facts,
  };
  return { chain: JSON.stringify(whole), key: 'key' };
}

export function factsOf({ chain }: CertificatePair): CertificateFacts {
  return JSON.parse(chain) as CertificateFacts;
}

export function failure(
  authority: string,
  type: string,
  {
    retryable = true,
    retryAfterMs,
    ofAccount = false,
  }: { retryable?: boolean; retryAfterMs?: number; ofAccount?: boolean } = {},
): AuthorityFailure {
  return new AuthorityFailure(`it said ${type}`, {
    authority,
    problem: { type, detail: type, status: undefined, subproblems: [] },
    remedy: `mend ${type}`,
    retryable,
    retryAfterMs,
    ofAccount,
  });
}

/** What a disk holds, for all processes of a simulation. */
export class SimulatedStore implements CertificateStore {
  readonly certificates = new Map<string, StoredCertificate>();
  readonly states = new Map<string, string>();
  holder: string | undefined;
  /** What every write rejects with. */
  full: Failure | undefined;
  readonly process: string;

  constructor(disk?: SimulatedStore, process = 'service') {
    this.process = process;
    if (disk === undefined) return;
    this.certificates = disk.certificates;
    this.states = disk.states;
  }

  #key({ authority, name }: CertificateId) {
    return `${authority} ${name}`;
  }
  load(id: CertificateId) {
    return Promise.resolve(this.certificates.get(this.#key(id)));
  }
  list() {
    return Promise.resolve([...this.certificates.values()]);
  }
  save(id: CertificateId, pair: CertificatePair) {
    if (this.full) return Promise.reject(this.full);
    const files = { chainFile: `/store/${id.name}/chain.pem`, keyFile: `/store/${id.name}/key.pem` };
    const stored = { id, facts: factsOf(pair), chain: pair.chain, ...files };
    this.certificates.set(this.#key(id), stored);
    return Promise.resolve(stored);
  }
  state(id: CertificateId): Promise<unknown> {
    const text = this.states.get(this.#key(id));
    return Promise.resolve(text === undefined ? undefined : JSON.parse(text));
  }
  saveState(id: CertificateId, state: object) {
    if (this.full) return Promise.reject(this.full);
    this.states.set(this.#key(id), JSON.stringify(state));
    return Promise.resolve();
  }
  async withLock<Result>(action: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
    if (this.holder !== undefined) {
      throw new Failure(`held by ${this.holder}`, {
        code: 'locked',
        exitCode: exitCodes.locked,
        retryable: true,
      });
    }
    this.holder = this.process;
    try {
      return await action(new AbortController().signal);
    } finally {
      this.holder = undefined;
    }
  }
  account() {
    return Promise.resolve(undefined);
  }
  saveAccount() {
    return Promise.resolve();
  }
  order() {
    return Promise.resolve(undefined);
  }
  saveOrder() {
    return Promise.resolve();
  }
  removeOrder() {
    return Promise.resolve();
  }
}

export interface Asked extends IssueRequest {
  readonly at: number;
  readonly failed: boolean;
}

/** An authority that does what the test says. */
class SimulatedAuthority implements CertificateIssuer {
  readonly authority: string;
  readonly clock: SimulatedClock;
  lifeMs = 90 * day;
  backdatingMs = 0;
  takesMs = 2 * second;
  /** What it takes to put away what was laid out, when an order is broken off. */
  puttingAwayMs = 0;
  /** Gives what an order fails with; undefined: it does not. */
  fails: (request: IssueRequest) => unknown = () => undefined;
  /** Gives the window; undefined: no ARI. */
  info: (facts: CertificateFacts) => RenewalInfo | undefined = () => undefined;
  readonly asked: Asked[] = [];
  readonly askedInfo: number[] = [];
  readonly issued = new Map<string, CertificateFacts>();

  constructor(authority: string, clock: SimulatedClock) {
    this.authority = authority;
    this.clock = clock;
  }

  async issue(request: IssueRequest, progress: Progress, signal: AbortSignal): Promise<CertificatePair> {
    progress(`asking ${this.authority}`);
    const failed = this.fails(request);
    this.asked.push({ ...request, at: this.clock.now(), failed: failed !== undefined });
    try {
      await this.clock.wait(this.takesMs, signal);
    } finally {
      if (this.puttingAwayMs > 0) await this.clock.wait(this.puttingAwayMs, new AbortController().signal);
    }
    if (failed !== undefined) throw failed as Error;
    const notBefore = this.clock.now() - this.backdatingMs;
    const pair = made({ names: request.names, notBefore, notAfter: this.clock.now() + this.lifeMs });
    if (request.keep) this.issued.set(factsOf(pair).ariId!, factsOf(pair));
    return pair;
  }

  renewalInfo(ariId: string): Promise<RenewalInfo | undefined> {
    this.askedInfo.push(this.clock.now());
    const facts = this.issued.get(ariId);
    return Promise.resolve(facts && this.info(facts));
  }
}

/** ARI as Let's Encrypt gives it: a short window where a third of the life is left. */
export function usualWindow({ notBefore, notAfter }: CertificateFacts): RenewalInfo {
  const middle = notBefore + (2 / 3) * (notAfter - notBefore);
  const half = 0.01 * (notAfter - notBefore);
  return { start: middle - half, end: middle + half, explanationUrl: undefined, retryAfterMs: 6 * hour };
}

export interface LogLine {
  readonly level: string;
  readonly fields: Record<string, unknown>;
  readonly message: string;
}

/** A host with one service, which can be stopped, killed and started again, and the authorities that it asks. */
export class CertificateWorld {
  readonly clock = new SimulatedClock(epoch);
  readonly store = new SimulatedStore();
  readonly primary = new SimulatedAuthority('https://first.test/directory', this.clock);
  readonly staging = new SimulatedAuthority('https://staging.test/directory', this.clock);
  readonly second = new SimulatedAuthority('https://second.test/directory', this.clock);
  wanted: readonly WantedCertificate[] = [wantedFor('a.test')];
  withStaging = false;
  withFallback = false;
  checkEveryMs = 12 * hour;
  random = seeded(1);
  /** Hooks and alerts end with the service only. */
  hangingEvents = false;
  hookTakesMs = 0;
  /** What `serve` rejects with. */
  unservable: Error | undefined;
  readonly served: { readonly at: number; readonly list: readonly ServedCertificate[] }[] = [];
  readonly hooks: CertificateEvent[] = [];
  readonly alerts: Alert[] = [];
  readonly lines: LogLine[] = [];
  /** Called before and after each call of the service to the outside, so that a test can kill it there. */
  onCall: (name: string) => void = () => undefined;
  service!: CertificateService;
  #alive = { yes: true };

  async start(): Promise<void> {
    this.create();
    const started = this.service.start();
    await this.clock.run(0);
    await started;
  }

  /** The service alone, as for a command that runs without one. */
  create(): void {
    const alive = { yes: true };
    this.#alive = alive;
    const mortal = <Outside extends object>(outside: Outside) => this.#mortal(outside, alive);
    this.service = createCertificateService({
      wanted: this.wanted,
      store: mortal(this.store),
      clock: this.clock,
      log: this.#log(),
      issuer: mortal(this.primary),
      staging: this.withStaging ? mortal(this.staging) : undefined,
      fallback: this.withFallback ? mortal(this.second) : undefined,
      checkEveryMs: this.checkEveryMs,
      random: this.random,
      factsOf,
      ...mortal({
        serve: (list: readonly ServedCertificate[]) => {
          if (this.unservable !== undefined) return Promise.reject(this.unservable);
          this.served.push({ at: this.clock.now(), list });
          return Promise.resolve();
        },
      }),
      events: mortal({
        hook: (event: CertificateEvent, signal: AbortSignal) => this.#told(signal, this.hooks.push(event)),
        alert: (alert: Alert, signal: AbortSignal) => this.#told(signal, this.alerts.push(alert)),
      }),
    });
  }

  async restart(): Promise<void> {
    const stopped = this.service.stop();
    await this.clock.run(0);
    await stopped;
    await this.start();
  }

  /** As by kill -9: nothing that it waits for ever comes back. */
  kill(): void {
    this.#alive.yes = false;
    this.store.holder = undefined;
  }

  get alive(): boolean {
    return this.#alive.yes;
  }

  /** What serves for the first of the wanted certificates. */
  get serving(): ServedCertificate | undefined {
    return this.served.at(-1)?.list[0];
  }

  async status() {
    return (await this.service.status())[0]!;
  }

  /** The kinds of the alerts that were told. */
  get alertKinds(): string[] {
    return this.alerts.map(({ kind }) => kind.replace('certificate-', ''));
  }

  get hookKinds(): string[] {
    return this.hooks.map(({ kind }) => kind);
  }

  #told(signal: AbortSignal, _count: number): Promise<void> {
    if (!this.hangingEvents && this.hookTakesMs === 0) return Promise.resolve();
    if (!this.hangingEvents) return this.clock.wait(this.hookTakesMs, signal);
    return new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error));
    });
  }

  #mortal<Outside extends object>(outside: Outside, alive: { yes: boolean }): Outside {
    const never = new Promise<never>(() => undefined);
    const through = (name: string) => {
      if (alive.yes) this.onCall(name);
      return alive.yes;
    };
    return new Proxy(outside, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        return (...values: unknown[]) => {
          if (!through(`before ${String(name)}`)) return never;
          const result: Promise<unknown> = Reflect.apply(value, target, values);
          return result.then(
            (result) => (through(`after ${String(name)}`) ? result : never),
            (error: unknown) => (through(`after ${String(name)}`) ? Promise.reject(error as Error) : never),
          );
        };
      },
      ownKeys: (target) => Reflect.ownKeys(target),
    });
  }

  #log(): Logger {
    const line = (level: string) => (fields: object, message: string) =>
      void this.lines.push({ level, fields: fields as Record<string, unknown>, message });
    return {
      debug: line('debug'),
      info: line('info'),
      warn: line('warn'),
      error: line('error'),
      debugging: true,
    };
  }
}
