import type { Clock } from '../core/clock.ts';
import { exitCodes, Failure, reasonOf } from '../core/errors.ts';
import type { AcmeAuthority, AcmeAuthorization, AcmeChallenge, AcmeOrder } from '../ports/acme-authority.ts';
import { AuthorityFailure, type Progress } from '../ports/certificate-issuer.ts';
import type { ChallengeResponder } from '../ports/challenge-responder.ts';
import type { Logger } from '../ports/logger.ts';
import { publish } from './dns-hook.ts';
import { poll } from './poll.ts';
import { sideBySide, sideBySideSettled } from './side-by-side.ts';

export interface ChallengeOptions {
  readonly authority: AcmeAuthority;
  readonly responder: ChallengeResponder;
  /** `CERT_DNS_HOOK`: DNS names are validated by dns-01 then. */
  readonly dnsHook: string | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  readonly deadlineMs: number;
}

interface Task {
  readonly authorization: AcmeAuthorization;
  readonly challenge: AcmeChallenge;
  readonly keyAuthorization: string;
}

/**
 * Proves that all the names of an order are ours (RFC 8555 §7.5), those side by side that are not proven yet: every
 * answer is in its place before the authority is told, and is taken away at the end in any case. Rejects with the
 * failure of the one name that failed, or with one that lists them.
 */
export async function proveNames(
  order: AcmeOrder,
  options: ChallengeOptions,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const { authority, responder, log } = options;
  const authorizations = await sideBySide(order.authorizations, (url) =>
    authority.authorization(url, signal),
  );
  const tasks: Task[] = [];
  for (const authorization of authorizations) {
    if (authorization.status === 'valid') {
      progress(`${nameOf(authorization)} is validated already`);
      continue;
    }
    if (authorization.status !== 'pending') throw failureOf(authorization, authority);
    const challenge = chooseChallenge(authorization, options);
    tasks.push({ authorization, challenge, keyAuthorization: await authority.keyAuthorization(challenge) });
  }
  const overHttp = tasks.filter(({ challenge }) => challenge.type === 'http-01');
  const overDns = tasks.filter(({ challenge }) => challenge.type === 'dns-01');
  let unpublish = () => Promise.resolve();
  try {
    if (overDns.length > 0 && options.dnsHook !== undefined) {
      progress(`publishing ${overDns.length} TXT records with ${options.dnsHook}`);
      const values = overDns.map(({ authorization, keyAuthorization }) => ({
        domain: authorization.identifier.value,
        validation: keyAuthorization,
      }));
      unpublish = await publish(options.dnsHook, values, signal, (error) =>
        log.warn({ reason: reasonOf(error) }, 'cleaning up after a DNS challenge failed'),
      );
    }
    // all have ended before any is removed
    await sideBySide(overHttp, ({ challenge, keyAuthorization }) =>
      responder.present(challenge.token, keyAuthorization),
    );
    settle(await sideBySideSettled(tasks, (task) => prove(task, options, progress, signal)), authority);
  } finally {
    await Promise.all(overHttp.map(({ challenge }) => responder.remove(challenge.token)));
    await unpublish();
  }
}

async function prove(
  { authorization, challenge }: Task,
  { authority, clock, deadlineMs }: ChallengeOptions,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const name = nameOf(authorization);
  progress(`validating ${name} over ${challenge.type}`);
  // one that is processing was told by an earlier run
  if (challenge.status === 'pending') await authority.answer(challenge, signal);
  const ended = await poll(
    undefined,
    () => authority.authorization(authorization.url, signal),
    ({ status }) => status !== 'pending',
    { clock, signal, deadlineMs, tooLate: () => tooLate(authority, `the validation of ${name}`, deadlineMs) },
  );
  if (ended.status !== 'valid') throw failureOf(ended, authority);
  progress(`${name} is validated`);
}

function chooseChallenge(
  { challenges, identifier, wildcard }: AcmeAuthorization,
  { dnsHook, authority }: ChallengeOptions,
): AcmeChallenge {
  if (wildcard && dnsHook === undefined) {
    throw new Failure(
      `*.${identifier.value} needs a proof over DNS, and no program is set that can write there.`,
      {
        code: 'wildcard-without-dns-hook',
        exitCode: exitCodes.usage,
        remedy: 'Set CERT_DNS_HOOK to a program that writes TXT records, or list the names one by one.',
      },
    );
  }
  const type = identifier.type === 'dns' && dnsHook !== undefined ? 'dns-01' : 'http-01';
  const challenge = challenges.find((offered) => offered.type === type);
  if (challenge !== undefined) return challenge;
  const offered = challenges.map((each) => each.type).join(', ') || 'none';
  throw new AuthorityFailure(
    `${hostOf(authority)} does not validate ${identifier.value} over ${type}; it offers ${offered}.`,
    {
      authority: authority.url,
      problem: {
        type: 'unsupportedIdentifier',
        detail: `offers ${offered}`,
        status: undefined,
        subproblems: [],
      },
      remedy:
        type === 'http-01'
          ? 'Set CERT_DNS_HOOK, or use another authority.'
          : 'Leave CERT_DNS_HOOK out, or use another authority.',
      retryable: false,
    },
  );
}

function failureOf(authorization: AcmeAuthorization, authority: AcmeAuthority): AuthorityFailure {
  const { failure, status } = authorization;
  const name = nameOf(authorization);
  return (
    failure ??
    new AuthorityFailure(`${hostOf(authority)} did not validate ${name}: the authorization is ${status}.`, {
      authority: authority.url,
      problem: {
        type: 'unauthorized',
        detail: `authorization ${status}`,
        status: undefined,
        subproblems: [],
      },
      remedy: 'It is tried again by itself with a new order.',
      retryable: true,
    })
  );
}

/** Throws what went wrong, all of it in one where several names failed. */
function settle(results: readonly PromiseSettledResult<void>[], authority: AcmeAuthority): void {
  const reasons = results
    .filter((result) => result.status === 'rejected')
    .map(({ reason }): unknown => reason);
  const failures = reasons.filter((reason) => reason instanceof AuthorityFailure);
  if (reasons.length === 0) return;
  if (reasons.length === 1 || failures.length < reasons.length) {
    throw reasons.find((reason) => !(reason instanceof AuthorityFailure)) ?? reasons[0];
  }
  throw new AuthorityFailure(
    `${hostOf(authority)} did not validate ${failures.length} of the names:\n${failures.map(({ message }) => `- ${message}`).join('\n')}`,
    {
      authority: authority.url,
      problem: {
        type: 'compound',
        detail: `${failures.length} validations failed`,
        status: undefined,
        subproblems: failures.map(({ problem, message }) => ({
          type: problem.type,
          detail: message,
          identifier: undefined,
        })),
      },
      remedy: [...new Set(failures.map(({ remedy }) => remedy))].join('\n'),
      retryable: failures.every(({ retryable }) => retryable),
      retryAfterMs: failures.reduce<number | undefined>(
        (longest, { retryAfterMs }) =>
          retryAfterMs === undefined ? longest : Math.max(longest ?? 0, retryAfterMs),
        undefined,
      ),
    },
  );
}

/** What the authority has not done in all the time it was given. */
export function tooLate(authority: AcmeAuthority, what: string, deadlineMs: number): AuthorityFailure {
  const minutes = Math.round(deadlineMs / 60_000);
  return new AuthorityFailure(`${hostOf(authority)} was not done with ${what} after ${minutes} minutes.`, {
    authority: authority.url,
    problem: { type: 'timeout', detail: `${what} is still under way`, status: undefined, subproblems: [] },
    remedy: 'Nothing is to be done: the order is gone on with at the next attempt.',
    retryable: true,
  });
}

const nameOf = ({ wildcard, identifier }: AcmeAuthorization) => `${wildcard ? '*.' : ''}${identifier.value}`;
const hostOf = ({ url }: AcmeAuthority) => URL.parse(url)?.host ?? url;
