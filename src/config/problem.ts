import { exitCodes, Failure } from '../core/errors.ts';

/** One thing that is wrong with the configuration. Nothing in it is secret: it may be logged and shown. */
export interface Problem {
  /** A file's path, `environment`, or `flag --NAME`. */
  readonly source: string;
  readonly line?: number;
  readonly key?: string;
  /** What is wrong, as a sentence without a full stop. */
  readonly message: string;
  /** The text that was found; absent for secrets. */
  readonly found?: string;
  /** What may stand there instead. */
  readonly allowed?: string;
  /** What to do, where that is something else than to correct what is named. */
  readonly remedy?: string;
}

/** Text from outside on one line, in quotes, cut where it is long. */
export function quoted(text: string): string {
  const shown = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  return JSON.stringify(shown).replace(
    /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** The problem on one line: where, which key, what, what was found, what is allowed. */
export function formatProblem(problem: Problem): string {
  const place = problem.line === undefined ? problem.source : `${problem.source}:${problem.line}`;
  const subject = problem.key === undefined ? place : `${place}: ${problem.key}`;
  const found = problem.found === undefined ? '' : `, found ${quoted(problem.found)}`;
  const allowed = problem.allowed === undefined ? '' : `; allowed: ${problem.allowed}`;
  return `${subject}: ${problem.message}${found}${allowed}`;
}

/** The configuration is not fit to run with. Its message lists every problem, one a line. */
export class ConfigError extends Failure {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`;
    const lines = problems.map((problem) => `  ${formatProblem(problem)}`);
    const [remedy, ...others] = new Set(problems.map((problem) => problem.remedy));
    super([`the configuration has ${count}:`, ...lines].join('\n'), {
      code: 'config-invalid',
      exitCode: exitCodes.usage,
      remedy:
        others.length === 0 && remedy !== undefined
          ? remedy
          : 'correct what is named above; "appliance config check" says when it is right',
    });
    this.problems = problems;
  }
}
