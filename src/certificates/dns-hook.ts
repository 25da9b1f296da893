import { runHook } from './hook.ts';

/** A value that `_acme-challenge.DOMAIN` is to show in a TXT record (RFC 8555 §8.4). */
export interface DnsChallenge {
  /** Without `*.`. */
  readonly domain: string;
  readonly validation: string;
}

const authTimeoutMs = 10 * 60_000;
const cleanupTimeoutMs = 2 * 60_000;
/** Each, when we are told to stop. */
const hurriedCleanupTimeoutMs = 5000;

/**
 * Calls `CERT_DNS_HOOK` with certbot's environment (its documentation, "Pre and Post Validation Hooks"), and `auth` or
 * `cleanup` as first argument. One call at a time, for all before any is validated: two values of one name, as `a.example` and
 * `*.a.example` need them, stand beside each other. Resolves with what undoes it, which never rejects.
 */
export async function publish(
  file: string,
  challenges: readonly DnsChallenge[],
  signal: AbortSignal,
  onCleanupError: (error: unknown) => void,
): Promise<() => Promise<void>> {
  const published: { readonly environment: Readonly<Record<string, string>>; readonly output: string }[] = [];
  const cleanUp = async () => {
    for (const { environment, output } of published) {
      await runHook({
        file,
        arguments: ['cleanup'],
        environment: { ...environment, CERTBOT_AUTH_OUTPUT: output },
        timeoutMs: signal.aborted ? hurriedCleanupTimeoutMs : cleanupTimeoutMs,
        // nobody else would take the records away
        signal: new AbortController().signal,
      }).catch(onCleanupError);
    }
  };
  const all = [...new Set(challenges.map(({ domain }) => domain))].join(',');
  try {
    for (const [index, { domain, validation }] of challenges.entries()) {
      const environment = {
        CERTBOT_DOMAIN: domain,
        CERTBOT_VALIDATION: validation,
        CERTBOT_REMAINING_CHALLENGES: String(challenges.length - index - 1),
        CERTBOT_ALL_DOMAINS: all,
      };
      // what fails half-way may have written its record all the same
      const at = published.push({ environment, output: '' }) - 1;
      const output = await runHook({
        file,
        arguments: ['auth'],
        environment,
        timeoutMs: authTimeoutMs,
        signal,
      });
      published[at] = { environment, output };
    }
  } catch (error) {
    await cleanUp();
    throw error;
  }
  return cleanUp;
}
