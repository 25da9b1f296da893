/**
 * The failures a person meets. Each names what failed (`message`), why (`cause` or the message) and what to
 * do now (`remedy`); `code` is stable and may be matched by scripts; `retryable` says whether the same call
 * can succeed later without anybody changing anything.
 */
export interface FailureDetail {
  readonly code: string;
  readonly remedy?: string;
  readonly retryable?: boolean;
  readonly exitCode?: ExitCode;
  readonly cause?: unknown;
}

/** Exit codes of the command line; scripts rely on them. */
export const exitCodes = {
  done: 0,
  fault: 1,
  usage: 2,
  checkFailed: 3,
  authority: 4,
  locked: 5,
  notRunning: 6,
} as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

export class Failure extends Error {
  readonly code: string;
  readonly remedy: string | undefined;
  readonly retryable: boolean;
  readonly exitCode: ExitCode;

  constructor(message: string, detail: FailureDetail) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = new.target.name;
    this.code = detail.code;
    this.remedy = detail.remedy;
    this.retryable = detail.retryable ?? false;
    this.exitCode = detail.exitCode ?? exitCodes.fault;
  }
}

/** The command line was used wrongly: an unknown command, flag or argument. */
export class UsageError extends Failure {
  constructor(message: string, remedy?: string) {
    super(message, { code: 'usage', exitCode: exitCodes.usage, ...(remedy === undefined ? {} : { remedy }) });
  }
}

/** The text of any thrown value, without a stack. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
