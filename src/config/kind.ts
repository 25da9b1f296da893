/**
 * A kind of value: how its text is read and what may be written. `parse` gives the value or a `Refusal`,
 * never a default in place of a wrong text, and never throws.
 */
export interface Kind<T> {
  /** What may be written, as the end of the sentence "allowed: …". */
  readonly allowed: string;
  /** What a shell offers: words that may be written, though maybe not the only ones, or the paths of the host. */
  readonly offers?: readonly string[] | 'path';
  /** `baseFolder` is what a relative path starts from; where there is none, only absolute paths are taken. */
  parse(text: string, baseFolder?: string): T | Refusal;
  /** The value as a person would write it. */
  format(value: T): string;
}

/** Why a text was refused. `why` never repeats the text: for a secret only `why` is shown. */
export class Refusal {
  readonly found: string;
  readonly why: string | undefined;
  /** What else is wrong, where a text has several parts. */
  readonly others: readonly Refusal[];

  constructor(found: string, why?: string, others: readonly Refusal[] = []) {
    this.found = found;
    this.why = why;
    this.others = others;
  }
}
