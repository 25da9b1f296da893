import type { ExitCode } from '../core/errors.ts';

/** A stream that a command prints to. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  /** The width of a terminal. */
  readonly columns?: number;
}

/** Everything of the process that a command may touch. */
export interface Io {
  /** Data, for people and for scripts. */
  readonly stdout: Output;
  /** Warnings, progress, errors. */
  readonly stderr: Output;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly workingFolder: string;
}

/** A flag of a command: with a value where `value` names one, else it is there or not. */
export interface Option {
  readonly value?: string;
  /** One letter that stands for it after a single dash. */
  readonly short?: string;
  readonly help: string;
  /** May be given several times: the values come joined by commas. Any other is refused when it is given twice. */
  readonly many?: boolean;
}

export interface Example {
  readonly command: string;
  readonly does: string;
}

/** What came after the command's name. */
export interface ParsedArgs {
  /** The values of flags that take one, by name without dashes; those of one that takes many joined by commas. */
  readonly flags: Readonly<Record<string, string | undefined>>;
  /** The flags that were given and take no value. */
  readonly switches: ReadonlySet<string>;
  readonly positionals: readonly string[];
}

export interface Command {
  /** One word, or two for a command of a group: `config check`. */
  readonly name: string;
  /** What it does, in a few words, without a full stop. */
  readonly summary: string;
  /** What follows the program's name: `config show [--json]`. */
  readonly usage: string;
  readonly examples: readonly Example[];
  readonly options?: Readonly<Record<string, Option>>;
  /** Whether every flag of the configuration is taken as well. */
  readonly takesConfiguration?: boolean;
  /** Left out of the help: for the program itself. */
  readonly hidden?: boolean;
  /** The most arguments without a dash; 0 where absent. */
  readonly maxPositionals?: number;
  /** Prints to `io` and gives the exit code. Throws a `Failure`, which is printed once, by the caller. */
  run(args: ParsedArgs, io: Io): Promise<ExitCode>;
}
