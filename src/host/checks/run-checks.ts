import { Failure, reasonOf, UsageError } from '../../core/errors.ts';
import { nearest } from '../../core/nearest.ts';
import { systemCode } from '../../core/storage-failure.ts';
import { type Check, failed, type Finding, skipped } from './check.ts';
import type { Host } from './host.ts';

/** A finding with the check that made it. */
export interface CheckResult extends Finding {
  readonly name: string;
  readonly title: string;
}

/** What one check asks for in turn may each take up to eight seconds. */
const usualLimitMs = 20_000;

/**
 * Runs checks side by side and gives their findings in the order of the checks. One that throws or takes too long has
 * failed; one that may not look, because this is not root, is skipped. Never rejects.
 */
export function runChecks<Context extends { readonly host: Host }>(
  checks: readonly Check<Context>[],
  context: Context,
  limitMs = usualLimitMs,
): Promise<readonly CheckResult[]> {
  return Promise.all(
    checks.map(async (check) => ({
      name: check.name,
      title: check.title,
      ...(await findingOf(check, context, limitMs)),
    })),
  );
}

async function findingOf<Context extends { readonly host: Host }>(
  check: Check<Context>,
  context: Context,
  limitMs: number,
): Promise<Finding> {
  const deadline = new AbortController();
  const { promise: late, resolve } = Promise.withResolvers<Finding>();
  const timer = setTimeout(() => {
    deadline.abort();
    resolve(
      failed(
        `no answer within ${limitMs / 1000} s`,
        'the host is very busy, or something that is asked hangs',
      ),
    );
  }, limitMs);
  try {
    return await Promise.race([check.run(context, deadline.signal), late]);
  } catch (error) {
    if (context.host.uid !== 0 && isDenied(error)) return skipped('only root may look at this', 'use sudo');
    const remedy = error instanceof Failure ? error.remedy : undefined;
    return failed(
      `could not be checked: ${reasonOf(error)}`,
      remedy ?? 'this check itself went wrong; tell its name where you ask for help',
    );
  } finally {
    clearTimeout(timer);
  }
}

/** Whether it was the rights of whoever looks that it failed for. */
function isDenied(error: unknown): boolean {
  if (error instanceof Failure && error.code.endsWith('-denied')) return true;
  if (['EACCES', 'EPERM'].includes(systemCode(error) ?? '')) return true;
  return error instanceof Error && error.cause !== undefined && isDenied(error.cause);
}

/** Which checks a person wants. */
export interface Selection {
  /** Only these; all where empty. */
  readonly only: readonly string[];
  readonly ignore: readonly string[];
}

/** Throws a UsageError for a name that no check has, with the nearest that one has, and for one that is in both lists. */
export function selectChecks<Context>(
  checks: readonly Check<Context>[],
  { only, ignore }: Selection,
): readonly Check<Context>[] {
  const names = checks.map(({ name }) => name);
  for (const name of [...only, ...ignore]) {
    if (names.includes(name)) continue;
    const meant = nearest(name, names);
    throw new UsageError(
      `there is no check "${name}"`,
      meant === undefined ? `there are ${names.join(', ')}` : `did you mean ${meant}?`,
    );
  }
  const both = only.find((name) => ignore.includes(name));
  if (both !== undefined) {
    throw new UsageError(`"${both}" is asked for and left out`, 'give it to --only or to --ignore');
  }
  return checks.filter(({ name }) => (only.length === 0 || only.includes(name)) && !ignore.includes(name));
}
