import { setTimeout as wait } from 'node:timers/promises';
import { exitCodes, Failure } from '../../../core/errors.ts';
import type { Look, Step } from '../plan.ts';

/** A certificate, as the running service tells of it. Times are milliseconds since 1970. */
export interface KnownCertificate {
  readonly names: readonly string[];
  readonly authority: string;
  readonly state: 'valid' | 'fallback' | 'stand-in' | 'not-yet-valid' | 'expired';
  readonly nextAttemptAt: number;
  readonly lastError?:
    | {
        readonly at: number;
        readonly message: string;
        readonly remedy: string | undefined;
        readonly code: string;
      }
    | undefined;
}

export interface AskedOutcome {
  readonly result: 'issued' | 'not-due' | 'tested' | 'failed';
  readonly detail: string;
  readonly remedy?: string | undefined;
}

export interface CertificateParts {
  /** The names that have to be certified, as the configuration will have them. */
  readonly names: readonly string[];
  /** Of the running service; undefined where none runs. */
  readonly known: () => Promise<readonly KnownCertificate[] | undefined>;
  /** Has the service ask the authority now. */
  readonly ask: (progress: (words: string) => void, signal: AbortSignal) => Promise<readonly AskedOutcome[]>;
  /** When this run began; milliseconds since 1970. What failed since then failed for this run. */
  readonly since: number;
}

const pollMs = 200;
const takeOverTimeoutMs = 30_000;
const orderTimeoutMs = 180_000;

/** The first certificate. The service orders it by itself when it starts; this waits, and asks again where that had failed. */
export function certificateStep({ names, known, ask, since }: CertificateParts): Step {
  return {
    name: 'certificate',
    does: `have ${names.join(', ')} certified`,
    async look({ willAct }): Promise<Look> {
      const found = await known();
      if (found !== undefined && covers(found, names) && found.every(isCertified))
        return willAct('configuration')
          ? { state: 'to-do', words: 'looked at again with what changed' }
          : { state: 'done', words: 'there is one' };
      return { state: 'to-do', words: 'there is none yet' };
    },
    async act({ progress, signal }) {
      const found = await untilTakenOver(known, names, signal);
      const authorities = new Set(found.map(({ authority }) => hostOf(authority)));
      progress(`waiting for ${[...authorities].join(', ')}`);
      const giveUpAt = Date.now() + orderTimeoutMs;
      for (let current = found; ; current = (await known()) ?? []) {
        signal.throwIfAborted();
        const open = current.filter((each) => !isCertified(each));
        if (open.length === 0 && covers(current, names)) return;
        const error = open.find(
          ({ lastError }) => lastError !== undefined && lastError.at >= since,
        )?.lastError;
        if (error !== undefined) throw refused(error);
        // a failure from before this run: nobody is at it until the retry table says so
        if (open.length > 0 && open.every((each) => each.nextAttemptAt > Date.now() + 1000)) break;
        if (Date.now() > giveUpAt) break;
        await wait(pollMs, undefined, { signal }).catch(() => undefined);
      }
      for (const { result, detail, remedy } of await ask(progress, signal)) {
        if (result === 'failed') throw refused({ message: detail, remedy });
      }
    },
  };
}

/** After a reload it takes a moment until the service knows the names. */
async function untilTakenOver(
  known: CertificateParts['known'],
  names: readonly string[],
  signal: AbortSignal,
): Promise<readonly KnownCertificate[]> {
  const giveUpAt = performance.now() + takeOverTimeoutMs;
  for (;;) {
    signal.throwIfAborted();
    const found = await known();
    if (found !== undefined && covers(found, names)) return found;
    if (performance.now() > giveUpAt) {
      throw new Failure('the service has not taken over the names of the configuration', {
        code: 'names-unknown',
        exitCode: exitCodes.checkFailed,
        retryable: true,
        remedy: 'its log says why: journalctl --unit appliance',
      });
    }
    await wait(pollMs);
  }
}

function covers(found: readonly KnownCertificate[], names: readonly string[]): boolean {
  const all = new Set(found.flatMap((each) => each.names));
  return names.every((name) => all.has(name));
}

function isCertified({ state }: KnownCertificate): boolean {
  return state === 'valid' || state === 'fallback';
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url;
}

function refused({
  message,
  remedy,
}: {
  readonly message: string;
  readonly remedy?: string | undefined;
}): Failure {
  return new Failure(`${message}; meanwhile HTTPS answers with a self-signed certificate`, {
    code: 'certificate-refused',
    exitCode: exitCodes.authority,
    retryable: true,
    remedy: `${(remedy ?? 'see "appliance status"').replace(/\.$/, '')}; the service goes on trying by itself`,
  });
}
