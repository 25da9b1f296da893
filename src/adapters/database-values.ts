import { Failure } from '../core/errors.ts';

/** As many as SQLite takes in one statement; PostgreSQL's protocol counts them in 16 bits. */
const maxParameters = 32_766;
const int8 = { min: -(2n ** 63n), max: 2n ** 63n - 1n };

/** Throws where the two databases, or their drivers, would not make the same of a parameter. */
export function checkParameters(parameters: readonly unknown[]): void {
  if (parameters.length > maxParameters) {
    throw statementFailure(`a statement has ${parameters.length} parameters, more than ${maxParameters}`);
  }
  for (const value of parameters) checkParameter(value);
}

function checkParameter(value: unknown): void {
  switch (typeof value) {
    case 'string':
      if (value.includes('\0')) throw valueFailure('a text holds NUL, which no database keeps');
      return;
    case 'number':
      if (!Number.isFinite(value)) throw valueFailure(`${value} is no number that a database keeps`);
      return;
    case 'bigint':
      if (value < int8.min || value > int8.max) throw valueFailure(`${value} takes more than 64 bits`);
      return;
    case 'boolean':
      return;
    default:
      if (value === null || value instanceof Uint8Array) return;
      throw statementFailure(
        `a parameter is ${value === undefined ? 'undefined' : 'an object'}: JSON and times have to be text and numbers`,
      );
  }
}

/** The number that a database wrote as `text` or gave as a bigint. Throws `database-number` rather than rounding. */
export function exactNumber(found: string | bigint): number {
  const number = Number(found);
  if (Number.isSafeInteger(number) || (Number.isFinite(number) && String(found).includes('.'))) return number;
  throw new Failure(`${found} is more than a number holds exactly`, {
    code: 'database-number',
    remedy: 'Ask for it as text: cast(… as text).',
  });
}

/** Nobody but the caller can do anything about it. */
export function statementFailure(message: string, cause?: unknown): Failure {
  return new Failure(message, { code: 'database-statement', cause });
}

export function valueFailure(message: string, cause?: unknown): Failure {
  return new Failure(message, { code: 'database-value', cause });
}
