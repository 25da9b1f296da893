/** What must outlive a restart for one certificate at one authority, beside the certificate. Times are milliseconds since 1970. */
export interface RenewalState {
  /** SHA-256 of the certificate that this speaks of; undefined before the first. */
  readonly fingerprint: string | undefined;
  /** When that certificate was had; it may say that its life began earlier. */
  readonly gotAt: number | undefined;
  /** How many certificates in a row, up to this one, took the place of one that was hardly used. */
  readonly hasty: number;
  /** The certificate that the hook was told of last: who is killed before that tells it after the next start. */
  readonly announced: string | undefined;
  /** When a certificate of this authority first was had: a day later redirects become permanent. */
  readonly servesSince: number | undefined;
  readonly ari: AriState | undefined;
  /** The names that were asked for last: failures with others say nothing of these. */
  readonly asked: string | undefined;
  /** Attempts that failed in a row, and since when one failed that was due. */
  readonly failures: number;
  readonly failingSince: number | undefined;
  readonly nextAttemptAt: number | undefined;
  /** The end of a Retry-After. */
  readonly leaveAloneUntil: number | undefined;
  readonly lastError: AttemptError | undefined;
  /** The staging authority has found nothing wrong since the first failure. */
  readonly stagingPassed: boolean;
  /** The end of a Retry-After of the staging authority. */
  readonly stagingLeaveAloneUntil: number | undefined;
  readonly told: ToldAlerts;
}

/** What the authority said of the time of renewal (RFC 9773). */
export interface AriState {
  /** The certificate that was asked for. */
  readonly certId: string;
  readonly askedAt: number;
  readonly askAgainAt: number;
  /** How often in a row asking failed. */
  readonly failures: number;
  /** The last one that was heard; undefined where there is no ARI, or no answer yet. */
  readonly window: ChosenWindow | undefined;
}

export interface ChosenWindow {
  readonly start: number;
  readonly end: number;
  /** Drawn once, so that a restart does not draw again until it likes the outcome. */
  readonly moment: number;
  readonly explanationUrl: string | undefined;
}

export interface AttemptError {
  readonly at: number;
  readonly message: string;
  readonly remedy: string | undefined;
  readonly code: string;
}

/** The alerts that a person got and that nothing has put right since. */
export interface ToldAlerts {
  readonly failing: boolean;
  /** The fingerprints of the certificates that they were about. */
  readonly expiring: string | undefined;
  readonly expired: string | undefined;
}

export const freshState: RenewalState = {
  fingerprint: undefined,
  gotAt: undefined,
  hasty: 0,
  announced: undefined,
  servesSince: undefined,
  ari: undefined,
  asked: undefined,
  failures: 0,
  failingSince: undefined,
  nextAttemptAt: undefined,
  leaveAloneUntil: undefined,
  lastError: undefined,
  stagingPassed: false,
  stagingLeaveAloneUntil: undefined,
  told: { failing: false, expiring: undefined, expired: undefined },
};

/** The document that was saved before, with every field checked; undefined where one is damaged. Never throws. */
export function parseRenewalState(document: unknown): RenewalState | undefined {
  try {
    const at = fieldsOf(document);
    return {
      fingerprint: at.optional('fingerprint', text),
      gotAt: at.optional('gotAt', time),
      hasty: at.one('hasty', count),
      announced: at.optional('announced', text),
      servesSince: at.optional('servesSince', time),
      ari: at.optional('ari', ariState),
      asked: at.optional('asked', text),
      failures: at.one('failures', count),
      failingSince: at.optional('failingSince', time),
      nextAttemptAt: at.optional('nextAttemptAt', time),
      leaveAloneUntil: at.optional('leaveAloneUntil', time),
      lastError: at.optional('lastError', attemptError),
      stagingPassed: at.one('stagingPassed', flag),
      stagingLeaveAloneUntil: at.optional('stagingLeaveAloneUntil', time),
      told: at.one('told', toldAlerts),
    };
  } catch (error) {
    if (error instanceof Damage) return undefined;
    throw error;
  }
}

class Damage extends Error {}

type Check<Value> = (value: unknown) => Value;

function fieldsOf(document: unknown) {
  if (typeof document !== 'object' || document === null) throw new Damage();
  const fields = new Map<string, unknown>(Object.entries(document));
  return {
    one: <Value>(name: string, check: Check<Value>): Value => check(fields.get(name)),
    optional: <Value>(name: string, check: Check<Value>): Value | undefined => {
      const value = fields.get(name);
      return value === undefined ? undefined : check(value);
    },
  };
}

const text: Check<string> = (value) => {
  if (typeof value !== 'string') throw new Damage();
  return value;
};

const flag: Check<boolean> = (value) => {
  if (typeof value !== 'boolean') throw new Damage();
  return value;
};

const count: Check<number> = (value) => {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw new Damage();
  return value;
};

/** What a Date can hold, so that writing it for a person cannot fail. */
const time: Check<number> = (value) => {
  if (typeof value !== 'number' || value < 0 || Number.isNaN(new Date(value).getTime())) throw new Damage();
  return value;
};

const ariState: Check<AriState> = (value) => {
  const at = fieldsOf(value);
  return {
    certId: at.one('certId', text),
    askedAt: at.one('askedAt', time),
    askAgainAt: at.one('askAgainAt', time),
    failures: at.one('failures', count),
    window: at.optional('window', chosenWindow),
  };
};

const chosenWindow: Check<ChosenWindow> = (value) => {
  const at = fieldsOf(value);
  return {
    start: at.one('start', time),
    end: at.one('end', time),
    moment: at.one('moment', time),
    explanationUrl: at.optional('explanationUrl', text),
  };
};

const attemptError: Check<AttemptError> = (value) => {
  const at = fieldsOf(value);
  return {
    at: at.one('at', time),
    message: at.one('message', text),
    remedy: at.optional('remedy', text),
    code: at.one('code', text),
  };
};

const toldAlerts: Check<ToldAlerts> = (value) => {
  const at = fieldsOf(value);
  return {
    failing: at.one('failing', flag),
    expiring: at.optional('expiring', text),
    expired: at.optional('expired', text),
  };
};
