import { chainOf } from '../core/certificate-chain.ts';
import type { Clock } from '../core/clock.ts';
import { identifierOf } from '../core/identifier.ts';
import { isIpAddress } from '../core/ip-address.ts';
import type { AcmeAuthority, AcmeOrder, AuthorityOffer } from '../ports/acme-authority.ts';
import {
  AuthorityFailure,
  authorityTrouble,
  type CertificateIssuer,
  type IssueRequest,
  type Progress,
} from '../ports/certificate-issuer.ts';
import type { CertificateId, CertificatePair, CertificateStore } from '../ports/certificate-store.ts';
import type { ChallengeResponder } from '../ports/challenge-responder.ts';
import type { Logger } from '../ports/logger.ts';
import { keyTypeOf, makeCertificateKey, makeCertificateRequest } from './certificate-key.ts';
import { proveNames, tooLate } from './challenges.ts';
import { checkIssued, isFor, isFresh } from './issued-certificate.ts';
import { poll } from './poll.ts';
import { chooseProfile } from './profile.ts';

export interface IssuerOptions {
  readonly authority: AcmeAuthority;
  readonly store: Pick<CertificateStore, 'load' | 'order' | 'saveOrder' | 'removeOrder'>;
  readonly responder: ChallengeResponder;
  /** Absolute path of `CERT_DNS_HOOK`. */
  readonly dnsHook: string | undefined;
  /** Whether a profile that the authority does not offer is done without; false. */
  readonly profileIsWish?: boolean;
  /** Looks for what may keep the authority from signing: sentences for the owner. Never rejects. */
  readonly preCheck?: (
    names: readonly string[],
    offer: AuthorityOffer,
    signal: AbortSignal,
  ) => Promise<readonly string[]>;
  readonly clock: Clock;
  readonly log: Logger;
  /** How long the authority may take to validate a name, and to issue; five minutes. */
  readonly deadlineMs?: number;
}

/** An authority that is stuck with an order must not keep us from placing another. */
const resumableMs = 3_600_000;

/** An order and the key that its certificate is to be for. */
interface Placed {
  readonly order: AcmeOrder;
  readonly key: string;
  /** Placed by an earlier run. */
  readonly resumed: boolean;
}

/** What the steps of one `issue` share. */
interface Run {
  readonly request: IssueRequest;
  readonly id: CertificateId;
  readonly profile: string | undefined;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/**
 * The flow of an order (RFC 8555 §7.4). What is needed to go on with it is in the store before each step, so that a run
 * that was killed anywhere costs at most one more order. The order stays in the store, with its key, until the
 * certificate for this key is there too: whoever saves that may call `removeOrder`, else the next run does.
 */
export function createIssuer(options: IssuerOptions): CertificateIssuer {
  const { authority, store, clock, log } = options;
  const deadlineMs = options.deadlineMs ?? 5 * 60_000;

  async function resume({ request, id, profile, progress, signal }: Run): Promise<Placed | undefined> {
    const pending = request.keep ? await store.order(id) : undefined;
    if (pending === undefined) return undefined;
    const drop = async (reason: string) => {
      log.info({ order: pending.url, reason }, 'the order that was left behind is of no use');
      await store.removeOrder(id);
      return undefined;
    };
    if (pending.url === undefined) return drop('the authority never answered it');
    const same = [...pending.names].sort().join() === [...request.names].sort().join();
    if (!same || pending.profile !== profile || keyTypeOf(pending.key) !== request.keyType) {
      return drop('it was for something else');
    }
    const stored = await store.load(id);
    if (stored !== undefined && isFor(stored.chain, pending.key)) return drop('its certificate was saved');
    const old = Math.abs(clock.now() - pending.placedAt) > resumableMs;
    let order: AcmeOrder;
    try {
      order = await authority.order(pending.url, signal);
    } catch (error) {
      if (!(error instanceof AuthorityFailure)) throw error;
      if (!old && !isVerdict(error)) throw error;
      return drop(error.message);
    }
    if (order.status === 'invalid') return drop('it failed');
    const over = order.expires !== undefined && order.expires <= clock.now();
    if ((over || old) && order.status !== 'valid') return drop('it is too old');
    progress(`going on with an order that was left behind (${order.status})`);
    return { order, key: pending.key, resumed: true };
  }

  async function place({ request, id, profile, progress, signal }: Run): Promise<Placed> {
    const key = await makeCertificateKey(request.keyType);
    const pending = { names: request.names, profile, key, placedAt: clock.now() };
    const save = async (url: string | undefined) => {
      if (request.keep) await store.saveOrder(id, { ...pending, url });
    };
    await save(undefined);
    progress(
      `placing an order for ${request.names.join(', ')}${profile === undefined ? '' : ` (${profile})`}`,
    );
    const identifiers = request.names.map(identifierOf);
    const ask = (replaces: string | undefined): Promise<AcmeOrder> =>
      authority.newOrder({ identifiers, profile, replaces }, signal).catch((error: unknown) => {
        if (replaces === undefined || !(error instanceof AuthorityFailure) || !isAboutReplaces(error))
          throw error;
        log.info(
          { replaces, reason: error.message },
          'the order is placed without the certificate that it replaces',
        );
        return ask(undefined);
      });
    const order = await ask(request.replaces);
    await save(order.url);
    log.info({ order: order.url, names: request.names }, 'order placed');
    return { order, key, resumed: false };
  }

  async function pollOrder(order: AcmeOrder, { signal }: Run, done: readonly AcmeOrder['status'][]) {
    const first = done.includes(order.status) ? order : undefined;
    const ended = await poll(
      first,
      () => authority.order(order.url, signal),
      ({ status }) => status === 'invalid' || done.includes(status),
      { clock, signal, deadlineMs, tooLate: () => tooLate(authority, 'the order', deadlineMs) },
    );
    if (ended.status === 'invalid') throw ended.failure ?? invalidOrder(authority);
    return ended;
  }

  async function complete(placed: Placed, run: Run): Promise<CertificatePair> {
    const { request, progress, signal } = run;
    const { key } = placed;
    let { order } = placed;
    if (order.status === 'pending') {
      await proveNames(order, { ...options, deadlineMs }, progress, signal);
      order = await pollOrder(order, run, ['ready', 'processing', 'valid']);
    }
    if (order.status === 'ready') {
      progress('asking for the certificate');
      order = await authority.finalize(order, await makeCertificateRequest(key, request.names), signal);
    }
    order = await pollOrder(order, run, ['valid']);
    if (order.certificate === undefined) throw invalidOrder(authority);
    const chain = chainOf(await authority.certificate(order.certificate, signal));
    checkIssued({ authority: authority.url, chain, key, names: request.names, now: clock.now() });
    return { chain, key };
  }

  /** Completes an order; one that the authority has decided against is forgotten. */
  async function attempt(placed: Placed, run: Run): Promise<CertificatePair> {
    try {
      return await complete(placed, run);
    } catch (error) {
      const decided = error instanceof AuthorityFailure && isVerdict(error);
      if (decided && run.request.keep) await store.removeOrder(run.id);
      throw error;
    }
  }

  return {
    authority: authority.url,

    async issue(request, progress, signal) {
      const offer = await authority.open(progress, signal);
      const profile = chooseProfile(request, offer, authority.url, options.profileIsWish);
      const id = { authority: authority.url, name: request.names[0]! };
      const run: Run = { request, id, profile, progress, signal };
      const resumed = await resume(run);
      if (resumed !== undefined) {
        try {
          const pair = await attempt(resumed, run);
          if (isFresh(pair.chain, clock.now())) return pair;
          await store.removeOrder(id);
          progress('its certificate waited for too long: placing another order');
        } catch (error) {
          if (!(error instanceof AuthorityFailure) || !isVerdict(error)) throw error;
          progress(`the order that was left behind has failed: ${error.message}`);
        }
      }
      // A certificate that is renewed was proven before: then only what the authority itself finds counts.
      if (options.preCheck !== undefined && (!request.keep || (await store.load(id)) === undefined)) {
        progress('looking at names and addresses from here');
        const warnings = await options.preCheck(request.names, offer, signal);
        for (const warning of warnings) {
          progress(`warning: ${warning}`);
          log.warn({ names: request.names }, warning);
        }
      }
      const overHttp = options.dnsHook === undefined || request.names.some(isIpAddress);
      if (overHttp) await options.responder.prepare?.();
      return attempt(await place(run), run);
    },

    renewalInfo: (ariId, signal) => authority.renewalInfo(ariId, signal),
  };
}

const noVerdict: readonly string[] = [...authorityTrouble, 'orderNotReady'];

/** Whether the authority has decided about the order, so that asking again about the same one cannot help. */
function isVerdict({ problem }: AuthorityFailure): boolean {
  return !noVerdict.includes(problem.type) || problem.status === 404;
}

/** RFC 9773 §5 names 409 `alreadyReplaced`; servers that know nothing of the certificate or of ARI say other things. */
function isAboutReplaces({ problem }: AuthorityFailure): boolean {
  const words = ['alreadyReplaced', 'malformed', 'unauthorized', 'serverInternal'];
  return problem.status === 409 || (problem.status !== 503 && words.includes(problem.type));
}

function invalidOrder({ url }: AcmeAuthority): AuthorityFailure {
  return new AuthorityFailure(`${URL.parse(url)?.host ?? url} has given up the order without a reason.`, {
    authority: url,
    problem: { type: 'malformed', detail: 'the order is invalid', status: undefined, subproblems: [] },
    remedy: 'It is tried again by itself with a new order.',
    retryable: true,
  });
}
