import { chainOf } from '../core/certificate-chain.ts';
import { type Clock, clockToleranceMs } from '../core/clock.ts';
import { exitCodes, Failure, reasonOf, UsageError } from '../core/errors.ts';
import { parseIpAddress } from '../core/ip-address.ts';
import type { Progress } from '../ports/certificate-issuer.ts';
import type {
  CertificateFacts,
  CertificatePair,
  CertificateStore,
  StoredCertificate,
} from '../ports/certificate-store.ts';
import type { Logger } from '../ports/logger.ts';
import type { Attempts } from './attempt.ts';
import type { RenewOptions, RenewOutcome, WantedCertificate } from './certificate-service.ts';
import { idOf, type Inventory } from './inventory.ts';
import type { Keeper } from './keeper.ts';
import { afterCertificate, leftAloneUntil } from './outcome.ts';
import { planFor, type Situation } from './schedule.ts';
import { importAuthority, namesUncovered } from './serving.ts';
import { timeText } from '../core/time-text.ts';

export interface ByHandOptions {
  readonly wanted: readonly WantedCertificate[];
  readonly keeper: Keeper;
  readonly attempts: Attempts;
  readonly inventory: Inventory;
  readonly store: CertificateStore;
  readonly factsOf: (pair: CertificatePair) => CertificateFacts;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * What a person asks for. One who asks has mended something: the retry table is not waited for. An authority's Retry-After
 * is, and said; with `force` that is said as well, and the authority is asked all the same, as users of certbot expect,
 * and without a trial at its staging.
 */
export function createByHand(options: ByHandOptions) {
  const { wanted, keeper, attempts, inventory, store, clock, log } = options;

  async function attempt(
    { wanted }: Situation,
    force: boolean,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<RenewOutcome> {
    const situation = keeper.situation(wanted);
    const now = clock.now();
    const { dueAt, reason } = planFor(situation, now).primary;
    const { names } = wanted;
    if (!force && dueAt > now) {
      const notAfter = situation.served?.facts.notAfter;
      const detail = `not due before ${timeText(dueAt)}, ${reason}`;
      return { names, result: 'not-due', detail, exitCode: exitCodes.done, notAfter };
    }
    const { state, authority } = situation.primary;
    const waitUntil = leftAloneUntil(state, now);
    if (waitUntil !== undefined) {
      const wish = `${authority} wants not to be asked before ${timeText(waitUntil)}`;
      if (!force) return refused(situation, wish, keeper.serving(wanted));
      progress(`${wish}; asking all the same, because of --force`);
    }
    const { stored, failure } = await attempts.obtain(situation, situation.primary, progress, signal, !force);
    if (stored === undefined) return failed(situation, failure, keeper.serving(wanted));
    const { notAfter } = stored.facts;
    const detail = `issued by ${authority}, valid until ${timeText(notAfter)}`;
    return { names, result: 'issued', detail, exitCode: exitCodes.done, notAfter };
  }

  async function one(
    wanted: WantedCertificate,
    { force, dryRun }: RenewOptions,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<RenewOutcome> {
    return keeper.locked(wanted, signal, async (either) => {
      const situation = keeper.situation(wanted);
      if (!dryRun) return attempt(situation, force, progress, either);
      const { names } = wanted;
      try {
        await attempts.test(situation, progress, either);
        return { names, result: 'tested', detail: 'the trial went well; nothing was kept', exitCode: 0 };
      } catch (error) {
        either.throwIfAborted();
        return failed(situation, error, keeper.serving(wanted));
      }
    });
  }

  function chosen(domain: string | undefined): readonly WantedCertificate[] {
    if (domain === undefined) return wanted;
    const name = canonical(domain);
    const found = wanted.filter(({ names }) => names.includes(name));
    if (found.length > 0) return found;
    throw new UsageError(
      `No certificate for ${domain} is configured.`,
      `CERT_DOMAIN has: ${wanted.flatMap(({ names }) => names).join(', ') || 'nothing'}.`,
    );
  }

  return {
    /** As `CertificateService.renew`. */
    async renew(
      asked: RenewOptions,
      progress: Progress,
      signal: AbortSignal,
    ): Promise<readonly RenewOutcome[]> {
      const outcomes: RenewOutcome[] = [];
      for (const each of chosen(asked.domain)) {
        const prefix = wanted.length > 1 ? `${each.names[0]}: ` : '';
        try {
          outcomes.push(await one(each, asked, (step) => progress(prefix + step), signal));
        } catch (error) {
          signal.throwIfAborted();
          // what was done already must not go untold
          if (outcomes.length === 0) throw error;
          outcomes.push(failed(keeper.situation(each), error, keeper.serving(each)));
        }
        if (asked.dryRun) continue;
        await keeper.publish(true);
        keeper.tell(each);
      }
      return outcomes;
    },

    /** As `CertificateService.import`. */
    async import(chain: string, key: string, signal: AbortSignal): Promise<RenewOutcome> {
      const facts = options.factsOf({ chain, key });
      const fitting = fittingFor(facts, wanted);
      if (facts.notAfter <= clock.now()) {
        throw unfit(`The certificate ended ${timeText(facts.notAfter)}.`, 'Import one that is still valid.');
      }
      if (facts.notBefore > clock.now() + clockToleranceMs) {
        throw unfit(
          `The certificate is not valid before ${timeText(facts.notBefore)}, and the clock of this host says ${timeText(clock.now())}.`,
          'Import it then; or set the clock, where that is wrong: timedatectl set-ntp true',
        );
      }
      for (const each of fitting) {
        await keeper.locked(each, signal, async () => {
          const id = idOf(importAuthority, each);
          const stored = await store.save(id, { chain: chainOf(chain), key });
          inventory.add(stored);
          const now = clock.now();
          inventory.update(id, afterCertificate(inventory.state(id), stored.facts, now, now));
        });
      }
      const names = fitting.flatMap((each) => each.names);
      log.info({ names, serial: facts.serial, notAfter: timeText(facts.notAfter) }, 'certificate imported');
      await keeper.publish(true);
      fitting.forEach(keeper.tell);
      const { notAfter } = facts;
      if (keeper.trouble !== undefined) {
        const { message: detail, remedy } = keeper.trouble;
        const serving = keeper.serving(fitting[0]!)?.facts.notAfter;
        return { names, result: 'failed', detail, remedy, exitCode: exitCodes.fault, notAfter: serving };
      }
      const detail = `imported, valid until ${timeText(notAfter)}`;
      return { names, result: 'issued', detail, exitCode: exitCodes.done, notAfter };
    },
  };
}

function fittingFor(
  facts: CertificateFacts,
  wanted: readonly WantedCertificate[],
): readonly WantedCertificate[] {
  const missing = wanted.map((one) => ({ one, missing: namesUncovered(one.names, facts.names) }));
  const fitting = missing.filter(({ missing }) => missing.length === 0).map(({ one }) => one);
  if (fitting.length > 0) return fitting;
  if (wanted.length === 0) {
    throw unfit('No certificate is configured.', 'Set CERT_DOMAIN to the names of the certificate.');
  }
  const nearest = missing.toSorted((a, b) => a.missing.length - b.missing.length)[0]!;
  throw unfit(
    `The certificate is for ${facts.names.join(', ') || 'no name'}; ${nearest.missing.join(', ')} of CERT_DOMAIN is missing.`,
    'Import a certificate with all names, or take those that it lacks out of CERT_DOMAIN.',
  );
}

function unfit(message: string, remedy: string): Failure {
  return new Failure(message, { code: 'import-unfit', exitCode: exitCodes.usage, remedy });
}

/** With the end of what serves on, so that nobody is told that there is nothing. */
function failed({ wanted }: Situation, error: unknown, serving: StoredCertificate | undefined): RenewOutcome {
  const known = error instanceof Failure ? error : undefined;
  return {
    names: wanted.names,
    result: 'failed',
    detail: reasonOf(error),
    remedy: known?.remedy,
    exitCode: known?.exitCode ?? exitCodes.fault,
    notAfter: serving?.facts.notAfter,
  };
}

function refused(
  { wanted, primary }: Situation,
  wish: string,
  serving: StoredCertificate | undefined,
): RenewOutcome {
  const before = primary.state.lastError;
  return {
    names: wanted.names,
    result: 'failed',
    detail: before === undefined ? wish : `${wish}, after: ${before.message}`,
    remedy: 'Wait until then, mending meanwhile what was wrong, or ask all the same with --force.',
    exitCode: exitCodes.authority,
    notAfter: serving?.facts.notAfter,
  };
}

/** A name as people write it, in the form of the configuration. */
function canonical(text: string): string {
  const bare = text.trim().replace(/^\[(.*)\]$/, '$1');
  return parseIpAddress(bare)?.text ?? bare.toLowerCase().replace(/\.$/, '');
}
